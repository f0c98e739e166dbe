//! The chip's static keys for Chip Authentication and for Chip Authentication Mapping.

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv;
use cancuoc_card_runtime::{NonVolatileMemory, StatusWord, Write};
use cancuoc_primitives::curve::SecretScalar;
use cancuoc_primitives::group::{DomainParameters, GroupSecret};
use zeroize::Zeroizing;

use crate::store;

/// Use for Chip Authentication.
const CHIP_AUTHENTICATION: u8 = 0x01;
/// Use for PACE with Chip Authentication Mapping.
const MAPPING: u8 = 0x02;

/// A key as personalised: `80` identifier of the domain parameters, `82` key identifier, `83` private
/// key, `87` uses.
struct Record(Zeroizing<Vec<u8>>);

impl Record {
    fn parameters(&self) -> Option<DomainParameters> {
        let [id] = *tlv::find(&self.0, 0x80)? else { return None };
        DomainParameters::standardised(id)
    }

    fn secret(&self) -> Option<GroupSecret> {
        GroupSecret::from_bytes(&self.parameters()?, tlv::find(&self.0, 0x83)?).ok()
    }

    fn identifier(&self) -> Option<&[u8]> {
        tlv::find(&self.0, 0x82)
    }

    fn uses(&self) -> u8 {
        match tlv::find(&self.0, 0x87) {
            Some([uses]) => *uses,
            _ => CHIP_AUTHENTICATION | MAPPING,
        }
    }

    /// Whether the card could not tell this key from another: then one replaces the other.
    fn conflicts(&self, other: &Self) -> bool {
        let both = self.uses() & other.uses();
        let same_group = tlv::find(&self.0, 0x80) == tlv::find(&other.0, 0x80);
        self.identifier() == other.identifier()
            && (both & CHIP_AUTHENTICATION != 0 || both & MAPPING != 0 && same_group)
    }
}

fn records(memory: &dyn NonVolatileMemory) -> impl Iterator<Item = (u32, Record)> {
    let slots = (0..store::MAX_CHIP_AUTHENTICATION).map(|n| store::CHIP_AUTHENTICATION + n);
    slots.filter_map(|slot| Some((slot, Record(store::secret(memory, slot)?))))
}

/// The key for Chip Authentication with the identifier; without one, the only key there is over
/// groups that `fits` takes.
pub fn find(
    memory: &dyn NonVolatileMemory,
    identifier: Option<&[u8]>,
    fits: impl Fn(&DomainParameters) -> bool,
) -> Option<GroupSecret> {
    let mut keys = records(memory).map(|(_, key)| key).filter(|key| {
        key.uses() & CHIP_AUTHENTICATION != 0
            && key.parameters().is_some_and(|parameters| fits(&parameters))
            && identifier.is_none_or(|identifier| key.identifier() == Some(identifier))
    });
    keys.next().filter(|_| keys.next().is_none())?.secret()
}

/// Whether there is a key for Chip Authentication on a curve, or else in a prime field.
pub fn exists(memory: &dyn NonVolatileMemory, elliptic: bool) -> bool {
    records(memory).any(|(_, key)| {
        key.uses() & CHIP_AUTHENTICATION != 0
            && key.parameters().is_some_and(|parameters| parameters.is_ec() == elliptic)
    })
}

/// The key for Chip Authentication Mapping over the domain parameters.
pub fn for_mapping(
    memory: &dyn NonVolatileMemory,
    parameters: &DomainParameters,
) -> Option<SecretScalar> {
    let mut keys = records(memory).map(|(_, key)| key);
    let key = keys
        .find(|key| key.uses() & MAPPING != 0 && key.parameters().as_ref() == Some(parameters))?;
    match key.secret()? {
        GroupSecret::Ec(scalar) => Some(scalar),
        GroupSecret::Dh(_) => None,
    }
}

/// Data grouping 0301. A key that the card could not tell from the new one is replaced, so that
/// personalisation can be repeated.
pub fn personalize(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let key = Record(Zeroizing::new(data.to_vec()));
    let parameters = key.parameters().ok_or(StatusWord::WRONG_DATA)?;
    key.secret().ok_or(StatusWord::WRONG_DATA)?;
    let identifier_fits = key.identifier().is_none_or(|id| (1..=8).contains(&id.len()));
    let uses = match tlv::find(data, 0x87) {
        None | Some([1..=3]) => key.uses(),
        Some(_) => return Err(StatusWord::WRONG_DATA),
    };
    // Chip Authentication Mapping is on curves only (ICAO 9303-11 §4.4.3).
    if !identifier_fits || (uses == MAPPING && !parameters.is_ec()) {
        return Err(StatusWord::WRONG_DATA);
    }
    let taken: Vec<(u32, bool)> =
        records(memory).map(|(slot, stored)| (slot, stored.conflicts(&key))).collect();
    let mut slots = (0..store::MAX_CHIP_AUTHENTICATION).map(|n| store::CHIP_AUTHENTICATION + n);
    let free = |slot: &u32| taken.iter().all(|(other, replaced)| other != slot || *replaced);
    let slot = slots.find(free).ok_or(StatusWord::NO_MEMORY)?;
    let replaced = taken.iter().filter(|(other, replaced)| *replaced && *other != slot);
    let mut writes: Vec<Write<'_>> =
        replaced.map(|(other, _)| Write::Delete { key: *other }).collect();
    writes.push(Write::Put { key: slot, value: data });
    memory.apply(&writes).map_err(store::status)
}
