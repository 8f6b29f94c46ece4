//! A native connector on its own: `connector <name> <command> …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let name = args.next().unwrap_or_default();
    connectors::run(&name.to_string_lossy(), args.collect())
}
