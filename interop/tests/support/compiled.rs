//! Programs in C that are built on foreign libraries.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `interop/openpace/SOURCE` into the folder; `None`, with the reason printed, where a
/// library or the compiler is missing; with `CI` set that is a failure.
pub fn compile(source: &str, libraries: &[&str], folder: &Path) -> Option<PathBuf> {
    let skip = |reason: &str| {
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        eprintln!("skipped: {reason}");
        None
    };
    let flags = Command::new("pkg-config").args(["--cflags", "--libs"]).args(libraries).output();
    let flags = flags.ok().filter(|output| output.status.success());
    let Some(flags) = flags else { return skip(&format!("no {}", libraries.join(", "))) };
    let flags = String::from_utf8(flags.stdout).unwrap();
    let program = folder.join(source.trim_end_matches(".c"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("openpace").join(source);
    let compiled = Command::new("cc")
        .args(["-O1", "-o"])
        .arg(&program)
        .arg(source)
        .args(flags.split_whitespace())
        .output();
    match compiled {
        Ok(output) if output.status.success() => Some(program),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => skip("no C compiler"),
    }
}
