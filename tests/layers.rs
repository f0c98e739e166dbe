//! The layers of the source tree hold: a module uses those below it, never those above.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module and the layer it stands on; lower numbers are lower layers.
const LAYERS: &[(&str, u8)] = &[
    ("error", 0),
    ("apdu", 1),
    ("transport", 1),
    ("lds", 2),
    ("cvc", 2),
    ("biometrics", 2),
    ("document", 2),
    ("terminal", 3),
    ("trust", 3),
    ("pki", 3),
    ("keystore", 3),
    ("issue", 4),
    ("globalplatform", 4),
    ("verify", 5),
    ("softcard", 5),
    ("deck", 6),
    ("checkpoint", 6),
    ("web", 6),
    ("production", 6),
    ("cli", 7),
];

#[test]
fn no_module_uses_one_above_it() {
    let mut faults = Vec::new();
    for (file, source) in sources() {
        let Some(own) = module_of(&file) else { continue };
        for used in crate_paths(&source) {
            match layer(&used) {
                Some(layer) if layer <= own.1 => {}
                Some(_) => faults.push(format!("{} uses {used}", file.display())),
                None => faults.push(format!("{} uses {used}, which has no layer", file.display())),
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn only_the_software_card_sees_the_applications_of_the_card() {
    let sees = |source: &str| {
        ["cancuoc_applet_", "cancuoc_card_runtime"].iter().any(|name| source.contains(name))
    };
    let faults: Vec<_> = sources()
        .into_iter()
        .filter(|(file, source)| {
            sees(source) && module_of(file).is_none_or(|(module, _)| module != "softcard")
        })
        .map(|(file, _)| file)
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The top module that a file belongs to, with its layer.
fn module_of(file: &Path) -> Option<(String, u8)> {
    let relative = file.strip_prefix(source_folder()).ok()?;
    let first = relative.components().next()?.as_os_str().to_str()?;
    let module = first.trim_end_matches(".rs").to_owned();
    layer(&module).map(|l| (module, l))
}

/// The modules named in paths that start with `crate::`, outside doc comments.
fn crate_paths(source: &str) -> BTreeSet<String> {
    let code = source.lines().filter(|l| !l.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            found.extend(name.filter(|n| !n.is_empty()).map(ToOwned::to_owned));
        }
    }
    found
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![source_folder()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}
