//! Entries of the GlobalPlatform registry: the answers of GET STATUS (GPC §11.4.3.1).

use super::GlobalPlatformError;
use crate::apdu::tlv::{Reader, Tag, TlvError};

/// The most entries that are read from one answer.
const MAX_ENTRIES: usize = 256;

/// An application, security domain or load file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryEntry {
    /// Application identifier.
    pub aid: Vec<u8>,
    /// Life cycle state; for the issuer security domain the card's.
    pub life_cycle: u8,
    /// Privileges, none to three bytes.
    pub privileges: Vec<u8>,
    /// Application identifiers of a load file's modules.
    pub modules: Vec<Vec<u8>>,
}

impl RegistryEntry {
    /// Reads the entries of one answer in the TLV form.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`].
    pub fn parse_all(data: &[u8]) -> Result<Vec<Self>, GlobalPlatformError> {
        let mut reader = Reader::new(data);
        let mut entries = Vec::new();
        let fault = |error: TlvError| GlobalPlatformError::Malformed {
            what: "GET STATUS",
            offset: error.offset,
        };
        while !reader.is_empty() {
            let template = reader.read_tag(Tag(0xE3)).map_err(fault)?;
            let (mut aid, mut life_cycle) = (None, None);
            let (mut privileges, mut modules) = (Vec::new(), Vec::new());
            let mut children = template.children();
            while let Some(object) = children.read_optional().map_err(fault)? {
                match (object.tag.0, object.value) {
                    (0x4F, value) if value.len() <= 16 => aid = Some(value.to_vec()),
                    (0x9F70, [state, ..]) => life_cycle = Some(*state),
                    (0x84, value) if value.len() <= 16 && modules.len() < MAX_ENTRIES => {
                        modules.push(value.to_vec());
                    }
                    (0xC5, value) if value.len() <= 3 => privileges = value.to_vec(),
                    _ => {}
                }
            }
            let incomplete =
                GlobalPlatformError::Malformed { what: "GET STATUS", offset: template.offset };
            let (Some(aid), Some(life_cycle)) = (aid, life_cycle) else { return Err(incomplete) };
            if entries.len() == MAX_ENTRIES {
                return Err(incomplete);
            }
            entries.push(Self { aid, life_cycle, privileges, modules });
        }
        Ok(entries)
    }

    /// The name of an application's state (GPC tables 11-4 and 11-5): bits of its own that an
    /// application sets are shown beside.
    #[must_use]
    pub fn application_state(&self) -> String {
        let state = self.life_cycle;
        match state {
            0x03 => "INSTALLED".to_owned(),
            0x07 => "SELECTABLE".to_owned(),
            0x0F => "PERSONALIZED".to_owned(),
            _ if state & 0x83 == 0x83 => "LOCKED".to_owned(),
            _ => format!("{state:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    #[test]
    fn reads_entries_with_unknown_objects_between() {
        let data = hex!(
            "E3 13 4F 08 A000000151000000 9F70 01 0F C5 03 9EFE80"
            "E3 10 4F 07 A0000002471001 9F70 01 07 C4 01 00"
        );
        let mut data = data.to_vec();
        data[1] = 20 - 1;
        let first = 2 + usize::from(data[1]);
        data[first + 1] = (data.len() - first - 2) as u8;
        let entries = RegistryEntry::parse_all(&data).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].life_cycle, entries[0].privileges.len()), (0x0F, 3));
        assert_eq!(entries[1].application_state(), "SELECTABLE");
    }

    #[test]
    fn reads_the_modules_of_a_load_file() {
        let data = hex!("E3 19 4F 06 A00000024710 9F70 01 01 84 07 A0000002471001 84 01 A0");
        let mut data = data.to_vec();
        data[1] = (data.len() - 2) as u8;
        let entries = RegistryEntry::parse_all(&data).unwrap();
        assert_eq!(entries[0].modules, [hex!("A0000002471001").to_vec(), hex!("A0").to_vec()]);
    }

    #[test]
    fn refuses_an_entry_without_life_cycle() {
        assert!(RegistryEntry::parse_all(&hex!("E3 04 4F 02 A000")).is_err());
    }

    proptest! {
        #[test]
        fn reads_any_bytes_without_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = RegistryEntry::parse_all(&data);
        }
    }
}
