//! `gp info`: what the card says of itself.

use clap::Args;
use serde_json::{Value, json};

use super::super::card_keys::CardKeys;
use super::super::{Context, ExitStatus, Failure, output, personalize, reader};
use super::open;
use crate::globalplatform::command::{CardLifeCycle, Registry};
use crate::globalplatform::link::Link;
use crate::globalplatform::session::{self, CardIdentity};
use crate::globalplatform::status::RegistryEntry;
use crate::globalplatform::{GlobalPlatformError, limits};

/// Show what the card says of itself: chip, secure channel, keys; with its keys also life cycle
/// and applications.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp info                                       read-only, no keys tried\n  \
    cancuoc gp info --card-keys file:keys.txt --json      life cycle and applications too")]
pub(super) struct Arguments {
    #[command(flatten)]
    keys: CardKeys,
}

/// What there is to tell.
struct Info {
    atr: Vec<u8>,
    extended_length: bool,
    identity: CardIdentity,
    registry: Option<RegistryInfo>,
}

struct RegistryInfo {
    life_cycle: CardLifeCycle,
    applications: Vec<RegistryEntry>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let with_keys = arguments.keys.read(context)?.is_some();
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    let (identity, registry) = match with_keys {
        false => (open::identify(&mut link)?, None),
        true => {
            let identity = open::authenticate(context, &arguments.keys, &mut link)?;
            let life_cycle = session::card_life_cycle(&mut link).map_err(fail)?;
            let applications = session::list(&mut link, Registry::Applications).map_err(fail)?;
            (identity, Some(RegistryInfo { life_cycle, applications }))
        }
    };
    let atr = link.atr().to_vec();
    let extended_length = limits::announces_extended_length(&atr);
    let info = Info { atr, extended_length, identity, registry };
    if context.json {
        output::json(&info.to_json())?
    } else {
        info.print(context)?
    }
    Ok(ExitStatus::Done)
}

impl Info {
    fn to_json(&self) -> Value {
        let production = self.identity.production.as_ref();
        json!({
            "schema": "cancuoc.gp-info/1",
            "atr": hex::encode_upper(&self.atr),
            "extended_length": self.extended_length,
            "chip_serial": production.map(|cplc| cplc.chip_serial()),
            "cplc": production.map(|cplc| json!({
                "fabricator": format!("{:04X}", cplc.fabricator),
                "type": format!("{:04X}", cplc.ic_type),
                "operating_system": format!("{:04X}", cplc.operating_system),
                "fabrication_date": format!("{:04X}", cplc.fabrication_date),
                "serial_number": format!("{:08X}", cplc.serial_number),
                "batch": format!("{:04X}", cplc.batch),
            })),
            "secure_channels": self.identity.recognition.as_ref().map(|found| {
                let channels = found.secure_channels.iter();
                channels
                    .map(|(protocol, options)| json!({
                        "protocol": format!("{protocol:02X}"),
                        "options": format!("{options:02X}"),
                    }))
                    .collect::<Vec<_>>()
            }),
            "keys": self.identity.keys.iter().map(|key| json!({
                "version": format!("{:02X}", key.version),
                "identifier": format!("{:02X}", key.identifier),
                "type": format!("{:02X}", key.key_type),
                "length": key.length,
            })).collect::<Vec<_>>(),
            "life_cycle": self.registry.as_ref().map(|r| r.life_cycle.name()),
            "applications": self.registry.as_ref().map(|registry| {
                let entries = registry.applications.iter();
                entries
                    .map(|entry| json!({
                        "aid": hex::encode_upper(&entry.aid),
                        "life_cycle": entry.application_state(),
                    }))
                    .collect::<Vec<_>>()
            }),
        })
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        let line = |key: &str, value: &str| output::line(&context.text(key, &[("value", value)]));
        line("gp.info.atr", &hex::encode_upper(&self.atr))?;
        let yes_no = if self.extended_length { "gp.info.yes" } else { "gp.info.no" };
        line("gp.info.extended", &context.text(yes_no, &[]))?;
        if let Some(cplc) = &self.identity.production {
            line("gp.info.serial", &cplc.chip_serial())?;
            let chip = format!("{:04X}/{:04X}", cplc.fabricator, cplc.ic_type);
            line("gp.info.chip", &chip)?;
        }
        if let Some(found) = &self.identity.recognition {
            for (protocol, options) in &found.secure_channels {
                line("gp.info.channel", &format!("SCP{protocol:02X} i={options:02X}"))?;
            }
        }
        for key in &self.identity.keys {
            let (version, id) = (format!("{:02X}", key.version), format!("{:02X}", key.identifier));
            let length = key.length.to_string();
            let values =
                [("version", version.as_str()), ("id", id.as_str()), ("length", length.as_str())];
            output::line(&context.text("gp.info.key", &values))?;
        }
        let Some(registry) = &self.registry else {
            return output::line(&context.text("gp.info.no_keys", &[]));
        };
        line("gp.info.life_cycle", registry.life_cycle.name())?;
        for entry in &registry.applications {
            let (aid, state) = (hex::encode_upper(&entry.aid), entry.application_state());
            let values = [("aid", aid.as_str()), ("state", state.as_str())];
            output::line(&context.text("gp.info.application", &values))?;
        }
        Ok(())
    }
}
