//! What a connector may use, as arguments of [`SUBCOMMAND`](super::SUBCOMMAND).

use std::ffi::OsString;
use std::path::PathBuf;

/// Limits of a connector's process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of memory it may have for data.
    pub(crate) memory: Option<u64>,
    /// Files and directories it may read; with neither these nor writable ones it may use all that
    /// its user may.
    pub(crate) readable: Vec<PathBuf>,
    /// Directories it may write to.
    pub(crate) writable: Vec<PathBuf>,
    /// The container that it is, by name: the program is Docker's then, and is watched over.
    pub(crate) container: Option<String>,
}

impl Limits {
    /// Parses limits up to and including the `--` that ends them; none if they are malformed.
    pub(crate) fn parse(args: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut limits = Self::default();
        loop {
            let flag = args.next()?;
            match flag.to_str()? {
                "--" => return Some(limits),
                "--memory" => limits.memory = Some(args.next()?.to_str()?.parse().ok()?),
                "--read" => limits.readable.push(args.next()?.into()),
                "--container" => limits.container = Some(args.next()?.into_string().ok()?),
                "--write" => limits.writable.push(args.next()?.into()),
                _ => return None,
            }
        }
    }

    /// The arguments that [`Self::parse`] reads.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        if let Some(memory) = self.memory {
            arguments.extend(["--memory".into(), memory.to_string().into()]);
        }
        for (flag, paths) in [("--read", &self.readable), ("--write", &self.writable)] {
            for path in paths {
                arguments.extend([flag.into(), path.clone().into_os_string()]);
            }
        }
        if let Some(container) = &self.container {
            arguments.extend(["--container".into(), container.into()]);
        }
        arguments.push("--".into());
        arguments
    }

    /// Whether only some files may be used.
    pub(crate) fn confines(&self) -> bool {
        !self.readable.is_empty() || !self.writable.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_round_trip_and_leave_the_program() {
        let limits = Limits {
            memory: Some(7),
            readable: vec!["/usr".into(), "--".into()],
            writable: vec!["/tmp/a b".into()],
            container: Some("aam-1".to_owned()),
        };
        for limits in [limits, Limits::default()] {
            let mut args = limits.arguments();
            args.push("program".into());
            let mut args = args.into_iter();
            assert_eq!(Limits::parse(&mut args), Some(limits));
            assert_eq!(args.collect::<Vec<_>>(), ["program"]);
        }
    }

    #[test]
    fn malformed_limits_are_rejected() {
        for words in [&["--memory", "much", "--"][..], &["-x", "--"], &["--read"]] {
            let mut args = words.iter().map(OsString::from);
            assert_eq!(Limits::parse(&mut args), None, "{words:?}");
        }
    }
}
