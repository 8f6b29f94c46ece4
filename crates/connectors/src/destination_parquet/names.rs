//! Names of files. A file's name contains the generation and the sync of its rows.

/// What makes a file one of ours.
const SUFFIX: &str = ".parquet";

/// A new file's name.
pub(super) fn file(generation: Option<i64>, sync_id: Option<i64>) -> String {
    let number = |of: Option<i64>| of.map_or_else(String::new, |of| of.to_string());
    let id = uuid::Uuid::now_v7().simple();
    format!("g{}_s{}_{id}{SUFFIX}", number(generation), number(sync_id))
}

/// Whether the name is of a file of ours, and if so, its generation.
pub(super) fn generation(name: &str) -> Option<Option<i64>> {
    let mut parts = name.strip_suffix(SUFFIX)?.split('_');
    let (generation, sync, id) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sync = sync.strip_prefix('s')?;
    let counted = sync.is_empty() || sync.parse::<i64>().is_ok();
    if !hex || !counted || parts.next().is_some() {
        return None;
    }
    match generation.strip_prefix('g')? {
        "" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_contains_its_generation() {
        assert_eq!(generation(&file(Some(3), Some(7))), Some(Some(3)));
        assert_eq!(generation(&file(None, None)), Some(None));
        for other in [
            "part-0.parquet",
            "g3_s7_x.parquet",
            "g3_s7_0.txt",
            "_SUCCESS",
        ] {
            assert_eq!(generation(other), None, "{other}");
        }
    }
}
