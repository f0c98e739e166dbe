//! Finding a security domain and opening a session with it.

use rand_core::CryptoRng;

use super::card_data::{CardRecognitionData, Cplc, KeyInformation};
use super::command::{self, CardLifeCycle, DataObject, Registry};
use super::link::Link;
use super::scp03::{SecurityLevel, initialize};
use super::status::RegistryEntry;
use super::{GlobalPlatformError, ISSUER_SECURITY_DOMAIN, KeySet};
use crate::apdu::StatusWord;

/// The most answers that one listing may take.
const MAX_ANSWERS: usize = 64;

/// What a card says of itself without authentication.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardIdentity {
    /// Production data, where the card has them.
    pub production: Option<Cplc>,
    /// Recognition data, where the card has them.
    pub recognition: Option<CardRecognitionData>,
    /// Keys of the issuer security domain, where the card tells them.
    pub keys: Vec<KeyInformation>,
}

impl CardIdentity {
    /// The options of SCP03 that the card announces.
    #[must_use]
    pub fn scp03_options(&self) -> Option<u8> {
        let channels = &self.recognition.as_ref()?.secure_channels;
        channels.iter().find(|(protocol, _)| *protocol == 3).map(|(_, options)| *options)
    }
}

/// Selects the issuer security domain.
///
/// # Errors
/// [`GlobalPlatformError::NoSecurityDomain`].
pub fn select_issuer_domain(link: &mut Link<'_>) -> Result<(), GlobalPlatformError> {
    let answer = link.plain(&command::select(&ISSUER_SECURITY_DOMAIN))?;
    if answer.status.is_ok() {
        return Ok(());
    }
    let aid = ISSUER_SECURITY_DOMAIN.iter().map(|byte| format!("{byte:02X}")).collect();
    Err(GlobalPlatformError::NoSecurityDomain { aid, status: answer.status })
}

/// Reads what the selected security domain gives to anybody. Objects that the card lacks are left
/// out; malformed ones are an error.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn identify(link: &mut Link<'_>) -> Result<CardIdentity, GlobalPlatformError> {
    let mut get = |object| -> Result<Option<Vec<u8>>, GlobalPlatformError> {
        let answer = link.plain(&command::get_data(object))?;
        Ok(answer.status.is_ok().then_some(answer.data))
    };
    let production = get(DataObject::Cplc)?;
    let recognition = get(DataObject::CardData)?;
    let keys = get(DataObject::KeyInformation)?;
    Ok(CardIdentity {
        production: production.as_deref().map(Cplc::parse).transpose()?,
        recognition: recognition.as_deref().map(CardRecognitionData::parse).transpose()?,
        keys: keys.as_deref().map(KeyInformation::parse).transpose()?.unwrap_or_default(),
    })
}

/// Opens an SCP03 session with the selected security domain. One try: after an error the same keys
/// must not be used on this card again.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn authenticate(
    link: &mut Link<'_>,
    keys: &KeySet,
    level: Option<SecurityLevel>,
    random: &mut dyn CryptoRng,
) -> Result<(), GlobalPlatformError> {
    let mut challenge = [0; 8];
    random.fill_bytes(&mut challenge);
    let step = initialize(keys, level, challenge);
    let answer = link.plain(&step.command())?;
    let step = step.answer(&answer)?;
    let answer = link.plain(step.command())?;
    link.open(step.answer(&answer)?);
    Ok(())
}

/// Lists entries of the registry in the open session.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn list(
    link: &mut Link<'_>,
    registry: Registry,
) -> Result<Vec<RegistryEntry>, GlobalPlatformError> {
    const NOT_FOUND: StatusWord = StatusWord(0x6A88);
    const MORE: StatusWord = StatusWord(0x6310);
    let mut entries = Vec::new();
    for round in 0..MAX_ANSWERS {
        let answer = link.secure(&command::get_status(registry, round > 0))?;
        match answer.status {
            StatusWord::OK | MORE => entries.extend(RegistryEntry::parse_all(&answer.data)?),
            NOT_FOUND => break,
            status => return Err(GlobalPlatformError::Refused { command: "GET STATUS", status }),
        }
        if answer.status.is_ok() {
            break;
        }
    }
    Ok(entries)
}

/// The life cycle state of the card, in the open session.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn card_life_cycle(link: &mut Link<'_>) -> Result<CardLifeCycle, GlobalPlatformError> {
    let malformed = GlobalPlatformError::Malformed { what: "GET STATUS", offset: 0 };
    let entries = list(link, Registry::IssuerSecurityDomain)?;
    let state = entries.first().map(|entry| entry.life_cycle);
    state.and_then(CardLifeCycle::from_byte).ok_or(malformed)
}

/// Brings the card to SECURED, by way of INITIALIZED where it is new.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn secure_card(link: &mut Link<'_>) -> Result<CardLifeCycle, GlobalPlatformError> {
    let state = card_life_cycle(link)?;
    for next in [CardLifeCycle::Initialized, CardLifeCycle::Secured] {
        if next > state {
            link.secure_ok("SET STATUS", &command::set_card_status(next))?;
        }
    }
    card_life_cycle(link)
}
