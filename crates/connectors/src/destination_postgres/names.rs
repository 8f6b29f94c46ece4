//! Names that the server does not cut off: it would take two long ones for the same.

/// Bytes that a name may have.
const LENGTH_MAX: usize = 63;

/// The name, or its beginning and a hash where it is too long. The same in every version.
pub(super) fn shortened(name: &str) -> String {
    let name = name.replace('\0', "");
    if name.len() <= LENGTH_MAX {
        return name;
    }
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut kept = LENGTH_MAX - 17;
    while !name.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}_{hash:016x}", &name[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart() {
        let long = "é".repeat(40);
        let made = shortened(&long);
        assert!(made.len() <= LENGTH_MAX && made.starts_with("éé"));
        assert_ne!(made, shortened(&(long + "x")));
        assert_eq!(shortened("short"), "short");
    }
}
