//! Chip Authentication version 1, the card's end (ICAO 9303-11 §6.2, BSI TR-03110-1 §3.4).
//!
//! The new keys take over after the response to the last command; when anything fails, the session
//! goes on under the old ones (ICAO 9303-11 §6.2.2).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, NonVolatileMemory, StatusWord};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};

use crate::key_derivation::cipher_of_arc;
use crate::pace::only;
use crate::secure_messaging::SecureMessaging;
use crate::store::{self, protocol};
use crate::{Session, chip_keys, ephemeral_key};

/// id-CA, after which come an arc for the key agreement and one for the cipher (ICAO 9303-11 §9.2.7).
const ID_CA: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03];

/// A protocol of Chip Authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// On a curve, or else in a prime field.
    pub elliptic: bool,
    cipher: BlockCipher,
}

impl Protocol {
    /// From an object identifier without tag and length.
    pub fn from_oid(oid: &[u8]) -> Option<Self> {
        let (elliptic, cipher) = match *oid.strip_prefix(&ID_CA)? {
            [1, cipher] => (false, cipher),
            [2, cipher] => (true, cipher),
            _ => return None,
        };
        Some(Self { elliptic, cipher: cipher_of_arc(cipher)? })
    }

    fn fits(self, parameters: &DomainParameters) -> bool {
        parameters.is_ec() == self.elliptic
    }
}

/// What MSE:Set AT chose: the protocol and the key's identifier.
pub struct Selected {
    protocol: Protocol,
    key_id: Option<Vec<u8>>,
}

impl Selected {
    fn key(&self, memory: &dyn NonVolatileMemory) -> Result<GroupSecret, StatusWord> {
        chip_keys::find(memory, self.key_id.as_deref(), |group| self.protocol.fits(group))
            .ok_or(StatusWord::REFERENCE_NOT_FOUND)
    }
}

/// The protocols that the card offers.
pub fn offered(memory: &dyn NonVolatileMemory) -> impl Iterator<Item = Protocol> {
    let mut objects = Objects::new(memory.read(store::PROTOCOLS).unwrap_or_default());
    core::iter::from_fn(move || objects.take().ok())
        .filter(|object| object.tag == 0x82)
        .filter_map(|object| Protocol::from_oid(object.value))
}

fn check_open(session: &Session, memory: &dyn NonVolatileMemory) -> Result<(), StatusWord> {
    if session.is_open() && store::has_protocol(memory, protocol::CHIP_AUTHENTICATION) {
        Ok(())
    } else {
        Err(StatusWord::CONDITIONS)
    }
}

/// MSE:Set KAT: 3DES, the terminal's key in the same command (ICAO 9303-11 §6.2.4.1).
pub fn set_key_agreement(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    session.chip_authentication = None;
    check_open(session, memory)?;
    // The command names no protocol, so the key decides which of those with 3DES it is.
    let offers = |group: &DomainParameters| {
        offered(memory).any(|one| one.cipher == BlockCipher::Tdes && one.fits(group))
    };
    if !offered(memory).any(|one| one.cipher == BlockCipher::Tdes) {
        return Err(StatusWord::CONDITIONS);
    }
    let public = tlv::find(command.data, 0x91).ok_or(StatusWord::WRONG_DATA)?;
    let key = chip_keys::find(memory, tlv::find(command.data, 0x84), offers)
        .ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    agree(session, BlockCipher::Tdes, &key, public)?;
    Ok(Vec::new())
}

/// MSE:Set AT: chooses protocol and key (ICAO 9303-11 §6.2.4.2).
pub fn set_authentication(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    session.chip_authentication = None;
    check_open(session, memory)?;
    let protocol = tlv::find(command.data, 0x80).and_then(Protocol::from_oid);
    let protocol = protocol.filter(|chosen| offered(memory).any(|one| one == *chosen));
    let protocol = protocol.ok_or(StatusWord::WRONG_DATA)?;
    let key_id = tlv::find(command.data, 0x84).map(Vec::from);
    let selected = Selected { protocol, key_id };
    selected.key(memory)?;
    session.chip_authentication = Some(selected);
    Ok(Vec::new())
}

/// GENERAL AUTHENTICATE with the terminal's key.
pub fn general_authenticate(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let selected = session.chip_authentication.take().ok_or(StatusWord::CONDITIONS)?;
    check_open(session, memory)?;
    let data = only(command.data, 0x7C).ok_or(StatusWord::WRONG_DATA)?;
    let public = only(data, 0x80).ok_or(StatusWord::WRONG_DATA)?;
    agree(session, selected.protocol.cipher, &selected.key(memory)?, public)?;
    Ok(tlv::object(0x7C, &[]))
}

/// Agrees on new session keys, which take over after this command's response.
fn agree(
    session: &mut Session,
    cipher: BlockCipher,
    key: &GroupSecret,
    public: &[u8],
) -> Result<(), StatusWord> {
    let invalid = |_| StatusWord::WRONG_DATA;
    let public = PublicElement::decode(&key.domain_parameters(), public).map_err(invalid)?;
    // Whoever sends the chip's own key back has no key of its own.
    if public == key.public_element() {
        return Err(StatusWord::WRONG_DATA);
    }
    let secret = public.shared_secret(key).map_err(invalid)?;
    session.next_secure_messaging = Some(SecureMessaging::new(cipher, &secret));
    session.chip_authentication_key = Some(ephemeral_key::compress(&public));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::value;

    const ECDH: &str =
        include_str!("../../../testvectors/bsi-tr03110/eac-chip-authentication-ecdh.txt");
    const DH: &str =
        include_str!("../../../testvectors/bsi-tr03110/eac-chip-authentication-dh.txt");

    /// Of the example on a curve the chip's secret is not known here: both sides compute the same, so
    /// the terminal's stands in for it.
    #[test]
    fn agrees_on_the_secrets_of_the_worked_examples() {
        let cipher = BlockCipher::Aes128;
        for (example, secret, public) in
            [(ECDH, "terminal_secret", "chip_public"), (DH, "chip_secret", "terminal_public")]
        {
            let [id] = value(example, "domain_parameter_id")[..] else { panic!() };
            let parameters = DomainParameters::standardised(id).unwrap();
            let key = GroupSecret::from_bytes(&parameters, &value(example, secret)).unwrap();
            let mut session = Session::default();
            agree(&mut session, cipher, &key, &value(example, public)).unwrap();
            let agreed = session.next_secure_messaging.unwrap();
            let published = SecureMessaging::new(cipher, &value(example, "shared_secret"));
            assert_eq!(agreed.mac(b"MAC"), published.mac(b"MAC"));
            assert_eq!(agreed.encrypt(&[7; 16]), published.encrypt(&[7; 16]));
        }
    }
}
