//! `gp install` and `gp delete`: what is on the card.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::card_keys::CardKeys;
use super::super::{Context, ExitStatus, Failure, output, personalize, reader};
use super::{application, bytes, confirmed, open};
use crate::globalplatform::cap::{CapFile, MAX_FILE};
use crate::globalplatform::content::{self, Instance};
use crate::globalplatform::link::Link;
use crate::globalplatform::{GlobalPlatformError, ISSUER_SECURITY_DOMAIN};

/// Load a CAP file onto the card and make an applet of it selectable.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp install passport.cap --card-keys file:keys.txt\n  \
    cancuoc gp install passport.cap --instance A0000002471001 --parameters 8100 --card-keys test")]
pub(super) struct InstallArguments {
    /// The CAP file.
    #[arg(value_name = "CAP")]
    file: PathBuf,
    /// Which applet of the file, where it has several: its application identifier.
    #[arg(long, value_name = "AID", value_parser = application)]
    applet: Option<std::vec::Vec<u8>>,
    /// Application identifier of the instance; that of the applet where left out.
    #[arg(long, value_name = "AID", value_parser = application)]
    instance: Option<std::vec::Vec<u8>>,
    /// Privileges, one or three bytes in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = bytes, default_value = "00")]
    privileges: std::vec::Vec<u8>,
    /// Parameters of the applet in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = bytes, default_value = "")]
    parameters: std::vec::Vec<u8>,
    /// The package is on the card already: only make an instance.
    #[arg(long)]
    loaded: bool,
    #[command(flatten)]
    keys: CardKeys,
}

pub(super) fn install(
    context: &Context,
    arguments: &InstallArguments,
) -> Result<ExitStatus, Failure> {
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    let cap = read(&arguments.file)?;
    let module = applet(arguments, &cap)?;
    let instance = Instance {
        load_file: cap.package.clone(),
        instance: arguments.instance.clone().unwrap_or_else(|| module.clone()),
        module,
        privileges: arguments.privileges.clone(),
        parameters: arguments.parameters.clone(),
    };
    let command = content::install(&instance)
        .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))?;
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    open::authenticate(context, &arguments.keys, &mut link)?;
    if !arguments.loaded {
        let bar = context.progress.then(|| indicatif::ProgressBar::new(1));
        content::load_package(&mut link, &cap, &ISSUER_SECURITY_DOMAIN, &mut |done, all| {
            if let Some(bar) = &bar {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            }
        })
        .map_err(fail)?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }
    link.secure_ok("INSTALL [for install]", &command).map_err(fail)?;
    let (package, aid) = (hex::encode_upper(&cap.package), hex::encode_upper(&instance.instance));
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.gp-install/1",
            "load_file": package,
            "loaded_bytes": if arguments.loaded { 0 } else { cap.code.len() },
            "instance": aid,
        }))?;
    } else {
        let values = [("package", &package[..]), ("aid", &aid)];
        output::line(&context.text("gp.install.done", &values))?;
    }
    Ok(ExitStatus::Done)
}

fn read(path: &std::path::Path) -> Result<CapFile, Failure> {
    use std::io::Read;
    let mut file = Vec::new();
    // One byte more than allowed tells a file that is too large.
    let limit = MAX_FILE as u64 + 1;
    std::fs::File::open(path)
        .and_then(|source| source.take(limit).read_to_end(&mut file))
        .map_err(|error| Failure::file(path, &error))?;
    CapFile::parse(&file).map_err(|error| {
        Failure::from_error(ExitStatus::BadInput, &error).with("path", path.display())
    })
}

/// The applet asked for, or the only one.
fn applet(arguments: &InstallArguments, cap: &CapFile) -> Result<Vec<u8>, Failure> {
    let names = || cap.applets.iter().map(hex::encode_upper).collect::<Vec<_>>().join(", ");
    let unknown = || Failure::new(ExitStatus::BadInput, "cap_applet", names());
    match (&arguments.applet, cap.applets.as_slice()) {
        (Some(asked), applets) if applets.contains(asked) => Ok(asked.clone()),
        (None, [only]) => Ok(only.clone()),
        _ => Err(unknown()),
    }
}

/// Delete an application, or a load file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp delete A0000002471001 --card-keys file:keys.txt --yes\n  \
    cancuoc gp delete A00000024710 --related --card-keys file:keys.txt --yes")]
pub(super) struct DeleteArguments {
    /// Its application identifier.
    #[arg(value_name = "AID", value_parser = application)]
    aid: std::vec::Vec<u8>,
    /// With a load file, the applications made of it too.
    #[arg(long)]
    related: bool,
    #[command(flatten)]
    keys: CardKeys,
    /// Do it: what is deleted is lost with all its data.
    #[arg(long)]
    yes: bool,
}

pub(super) fn delete(
    context: &Context,
    arguments: &DeleteArguments,
) -> Result<ExitStatus, Failure> {
    let aid = hex::encode_upper(&arguments.aid);
    confirmed(arguments.yes, &aid)?;
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    open::authenticate(context, &arguments.keys, &mut link)?;
    let command = content::delete(&arguments.aid, arguments.related);
    link.secure_ok("DELETE", &command).map_err(|error| personalize::card_failure(&error))?;
    if context.json {
        output::json(&json!({ "schema": "cancuoc.gp-delete/1", "aid": aid }))?;
    } else {
        output::line(&context.text("gp.delete.done", &[("aid", &aid)]))?;
    }
    Ok(ExitStatus::Done)
}
