//! The commands that write one image by one profile.

use zeroize::{Zeroize, Zeroizing};

use super::template::{Part, Template, Value};
use super::{Command, Commands, PersoError};
use crate::apdu::CommandApdu;
use crate::document::Mrz;
use crate::issue::{ActiveAuthenticationKey, CardImage, ImageFile, Location};
use crate::lds::decode_dg1;

/// File identifier of DG1.
const DG1: u16 = 0x0101;

/// All that goes to an applet, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Keys and files, and what makes them readable.
    pub write: Vec<PlannedCommand>,
    /// What ends personalisation for ever.
    pub lock: Vec<PlannedCommand>,
}

/// A command of a plan. Wiped when dropped: it may carry a key.
#[derive(Clone, PartialEq, Eq)]
pub struct PlannedCommand(CommandApdu);

impl PlannedCommand {
    /// The command to send.
    #[must_use]
    pub const fn apdu(&self) -> &CommandApdu {
        &self.0
    }
}

impl core::fmt::Debug for PlannedCommand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let header = hex::encode_upper(self.0.header());
        write!(f, "PlannedCommand({header}, {} bytes, ***)", self.0.data.len())
    }
}

impl Drop for PlannedCommand {
    fn drop(&mut self) {
        self.0.data.zeroize();
    }
}

/// The values of an image, with what of them a profile has to write.
struct Values<'a> {
    image: &'a CardImage,
    mrz: Option<Mrz>,
}

pub(super) fn plan(commands: &Commands, image: &CardImage) -> Result<Plan, PersoError> {
    let values = Values::new(image)?;
    values.check(commands)?;
    let mut write = Vec::new();
    for command in &commands.before {
        write.extend(values.once(command)?);
    }
    for file in &image.files {
        values.file(commands, file, &mut write)?;
    }
    for command in &commands.after {
        write.extend(values.once(command)?);
    }
    let mut lock = Vec::new();
    for command in &commands.lock {
        lock.extend(values.once(command)?);
    }
    Ok(Plan { write, lock })
}

impl<'a> Values<'a> {
    fn new(image: &'a CardImage) -> Result<Self, PersoError> {
        let dg1 = image.file(Location::Lds1, DG1);
        let mrz = dg1
            .and_then(|file| decode_dg1(&file.content).ok())
            .and_then(|mrz| Mrz::parse(mrz).ok());
        Ok(Self { image, mrz })
    }

    fn get(&self, value: Value) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let mrz = self.mrz.as_ref().filter(|_| self.image.mrz_key.is_some());
        let components = || match &self.image.active_authentication {
            Some(ActiveAuthenticationKey::Rsa { key, .. }) => key.components().ok(),
            _ => None,
        };
        match value {
            Value::MrzNumber => mrz.map(|mrz| bytes(&mrz.document_number().padded())),
            Value::MrzBirth => mrz.map(|mrz| bytes(mrz.birth().as_str())),
            Value::MrzExpiry => mrz.map(|mrz| bytes(mrz.expiry().as_str())),
            Value::MrzKey => self.image.mrz_key.as_ref().map(|key| Zeroizing::new(key.to_vec())),
            Value::Can => {
                self.image.can.as_ref().map(|can| Zeroizing::new(can.as_bytes().to_vec()))
            }
            Value::Modulus => components().map(|numbers| Zeroizing::new(numbers.n.clone())),
            Value::Exponent => components().map(|numbers| numbers.d.clone()),
            Value::ActiveScalar => match &self.image.active_authentication {
                Some(ActiveAuthenticationKey::Ecdsa { key, .. }) => {
                    Some(Zeroizing::new(key.to_bytes().to_vec()))
                }
                _ => None,
            },
            Value::ChipScalar => match self.image.chip_authentication.as_slice() {
                [only] => Some(Zeroizing::new(only.key.to_bytes().to_vec())),
                _ => None,
            },
        }
    }

    /// Refuses a profile that leaves out something of the image, and one that writes an MRZ which
    /// is not the one of the image's key.
    fn check(&self, commands: &Commands) -> Result<(), PersoError> {
        let lists = [&commands.before, &commands.file, &commands.after];
        let written: Vec<Value> = lists
            .into_iter()
            .flatten()
            .filter(|command| self.applies(command))
            .flat_map(|command| command.data.values())
            .collect();
        let writes = |values: &[Value]| values.iter().all(|value| written.contains(value));
        let mrz = [Value::MrzNumber, Value::MrzBirth, Value::MrzExpiry];
        let (image, rsa) = (self.image, [Value::Modulus, Value::Exponent]);
        let active = &image.active_authentication;
        let has_rsa = matches!(active, Some(ActiveAuthenticationKey::Rsa { .. }));
        let has_ecdsa = matches!(active, Some(ActiveAuthenticationKey::Ecdsa { .. }));
        let of_mrz = writes(&mrz) || writes(&[Value::MrzKey]);
        for (has, written, what) in [
            (image.mrz_key.is_some(), of_mrz, "the key of the MRZ"),
            (image.can.is_some(), writes(&[Value::Can]), "the CAN"),
            (image.pin.is_some() || image.puk.is_some(), false, "PIN and PUK"),
            (has_rsa, writes(&rsa), "the RSA key of Active Authentication"),
            (has_ecdsa, writes(&[Value::ActiveScalar]), "the ECDSA key of Active Authentication"),
            (
                !image.chip_authentication.is_empty(),
                writes(&[Value::ChipScalar]),
                "the key of Chip Authentication",
            ),
            (image.terminal_authentication.is_some(), false, "Terminal Authentication"),
        ] {
            if has && !written {
                return Err(PersoError::NotWritten { what });
            }
        }
        let elsewhere = image.files.iter().any(|file| file.location != Location::Lds1);
        if elsewhere {
            return Err(PersoError::NotWritten { what: "files in the master file" });
        }
        let writes_files = commands.file.iter().any(|command| command.data.has_content());
        if !writes_files {
            return Err(PersoError::NotWritten { what: "the content of files" });
        }
        self.check_mrz(writes(&mrz))
    }

    /// The applet makes its key of what DG1 says: that must be the key of the image.
    fn check_mrz(&self, written: bool) -> Result<(), PersoError> {
        let what = "an MRZ that gives the key of the card";
        match (&self.image.mrz_key, &self.mrz) {
            (Some(key), Some(mrz)) if written && mrz.key().as_bytes() != &**key => {
                Err(PersoError::Absent { what })
            }
            _ => Ok(()),
        }
    }

    fn applies(&self, command: &Command) -> bool {
        command.when.is_none_or(|value| self.get(value).is_some())
    }

    fn once(&self, command: &Command) -> Result<Option<PlannedCommand>, PersoError> {
        if !self.applies(command) {
            return Ok(None);
        }
        self.fill(command, None).map(Some)
    }

    /// The commands of one file; one with content as often as its parts need it.
    fn file(
        &self,
        commands: &Commands,
        file: &ImageFile,
        out: &mut Vec<PlannedCommand>,
    ) -> Result<(), PersoError> {
        let whole = Part {
            fid: file.fid,
            sfi: file.sfi.unwrap_or(0),
            size: file.content.len(),
            offset: 0,
            content: &[],
        };
        for command in commands.file.iter().filter(|command| self.applies(command)) {
            if !command.data.has_content() {
                out.push(self.fill(command, Some(whole))?);
                continue;
            }
            for (number, content) in file.content.chunks(commands.chunk).enumerate() {
                let part = Part { offset: number * commands.chunk, content, ..whole };
                out.push(self.fill(command, Some(part))?);
            }
        }
        Ok(())
    }

    fn fill(
        &self,
        command: &Command,
        part: Option<Part<'_>>,
    ) -> Result<PlannedCommand, PersoError> {
        let fill = |template: &Template| template.fill(&|value| self.get(value), part);
        let header = fill(&command.header)?;
        let mut data = fill(&command.data)?;
        let what = "the data of a command";
        let [cla, ins, p1, p2] = header[..] else { return Err(PersoError::DoesNotFit { what }) };
        if data.len() > usize::from(u16::MAX) {
            return Err(PersoError::DoesNotFit { what });
        }
        let apdu = CommandApdu::new(cla, ins, p1, p2).with_data(core::mem::take(&mut *data));
        Ok(PlannedCommand(apdu))
    }
}
