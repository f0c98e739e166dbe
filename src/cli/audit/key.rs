//! `audit key`: a key of a person or a station.

use std::path::{Path, PathBuf};

use cancuoc_primitives::curve::Curve;
use clap::Args;
use serde_json::json;

use super::super::pki::write_new;
use super::super::{Context, ExitStatus, Failure, output, secret};
use crate::lds::ParameterForm;
use crate::pki::{KeyKind, Signer, SoftwareKey, to_pem};
use crate::production::Digest;

/// Make a key for a person or a station: NAME.key, which a password protects, and NAME.pub to be
/// given away.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit key --out chi --password -\n  \
    cancuoc audit key --out stations/hall-1 --password file:/run/secrets/hall-1")]
pub(super) struct Arguments {
    /// Path of the files without their endings.
    #[arg(long, value_name = "NAME")]
    out: PathBuf,
    /// Password for the key's file; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let password = secret::read(context, "--password", &arguments.password)?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let bad = |e| Failure::from_error(ExitStatus::BadInput, &e);
    let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random).map_err(bad)?;
    let encrypted = key.encrypt(&password, &mut random).map_err(bad)?;
    let public = key.public_key();
    let files = ["key", "pub"].map(|ending| with_ending(&arguments.out, ending));
    write_new(&files[0], to_pem("ENCRYPTED PRIVATE KEY", &encrypted).as_bytes())?;
    let spki = public.to_spki_der(ParameterForm::Named);
    write_new(&files[1], to_pem("PUBLIC KEY", &spki).as_bytes())?;
    let digest = Digest::of_key(&public);
    if context.json {
        let files = files.map(|file| file.display().to_string());
        output::json(&json!({ "schema": "cancuoc.audit-key/1", "files": files, "key": digest }))?;
        return Ok(ExitStatus::Done);
    }
    for file in &files {
        output::line(&context.text("pki.written", &[("file", &file.display().to_string())]))?;
    }
    output::line(&context.text("audit.key", &[("key", &digest.to_string())]))?;
    Ok(ExitStatus::Done)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
