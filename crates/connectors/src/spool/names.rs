//! Names of namespaces and streams as parts of paths.

/// Bytes of a name that is shown in full.
const NAME_MAX: usize = 180;

/// A namespace's or a stream's name as a part of a path. What paths, globs and readers of partitioned folders
/// take for something else becomes `%` and its code.
pub(crate) fn safe_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for (at, letter) in name.chars().enumerate() {
        let hidden = at == 0 && letter == '.';
        if hidden || letter.is_control() || "/\\:*?\"<>|%=[]{}".contains(letter) {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                safe.push_str(&format!("%{byte:02X}"));
            }
        } else {
            safe.push(letter);
        }
    }
    if safe.is_empty() {
        return "%".to_owned();
    }
    if safe.len() <= NAME_MAX {
        return safe;
    }
    let mut end = NAME_MAX;
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    // FNV-1a: the same in every version.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{}~{hash:016x}", &safe[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_distinguish_streams() {
        for (name, safe) in [
            ("orders", "orders"),
            ("../x", "%2E.%2Fx"),
            ("a=1*[é]", "a%3D1%2A%5Bé%5D"),
            ("", "%"),
            ("%", "%25"),
        ] {
            assert_eq!(safe_name(name), safe);
        }
        let long = |last: &str| safe_name(&format!("{}{last}", "é".repeat(200)));
        assert!(long("a").len() < 255 && long("a") != long("b"));
    }
}
