//! Finding a security domain and opening a session with it.

use rand_core::CryptoRng;

use super::card_data::{CardRecognitionData, Cplc, KeyInformation};
use super::command::{self, CardLifeCycle, DataObject, Registry};
use super::diagnosis::{self, InitializeAnswer};
use super::link::Link;
use super::status::RegistryEntry;
use super::{GlobalPlatformError, ISSUER_SECURITY_DOMAIN, KeySet, SecureChannel, SecurityLevel};
use super::{scp02, scp03};
use crate::apdu::{ResponseApdu, StatusWord};

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

/// The issuer's number and the card's, where the card has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardNumbers {
    /// Issuer identification number.
    pub issuer: Option<Vec<u8>>,
    /// Card image number.
    pub card: Option<Vec<u8>>,
}

impl CardIdentity {
    /// The options of SCP03 that the card announces.
    #[must_use]
    pub fn scp03_options(&self) -> Option<u8> {
        self.options(3)
    }

    /// The options of a secure channel protocol that the card announces.
    #[must_use]
    pub fn options(&self, protocol: u8) -> Option<u8> {
        self.recognition.as_ref()?.options(protocol)
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

/// Reads the numbers that keys may be derived from.
///
/// # Errors
/// [`GlobalPlatformError`] when no answer came.
pub fn card_numbers(link: &mut Link<'_>) -> Result<CardNumbers, GlobalPlatformError> {
    let mut get = |object: DataObject| -> Result<Option<Vec<u8>>, GlobalPlatformError> {
        let answer = link.plain(&command::get_data(object))?;
        // Some cards leave tag and length out.
        let bare = |data: &[u8]| match data {
            [tag, length, value @ ..]
                if u16::from(*tag) == object.tag() && usize::from(*length) == value.len() =>
            {
                value.to_vec()
            }
            value => value.to_vec(),
        };
        Ok(answer.status.is_ok().then(|| bare(&answer.data)))
    };
    Ok(CardNumbers { issuer: get(DataObject::IssuerNumber)?, card: get(DataObject::CardNumber)? })
}

/// Opens a session with the selected security domain: SCP03 with AES keys, SCP02 with triple DES
/// keys. One try: after an error the same keys must not be used on this card again.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn authenticate(
    link: &mut Link<'_>,
    keys: &KeySet,
    level: Option<SecurityLevel>,
    random: &mut dyn CryptoRng,
) -> Result<(), GlobalPlatformError> {
    let options = scp02_options(link, &[keys])?;
    let begun = begin(link, keys.version, random)?;
    finish(link, &begun, keys, level, options)
}

/// Opens a session with the first of several key sets that the card proves to hold, and gives its
/// index: what a card has whose keys were being changed when it was torn out. Which it is comes
/// out of the card's cryptogram, so that no wrong key is ever shown to the card.
///
/// # Errors
/// [`GlobalPlatformError::CardCryptogram`] when the card holds none of them.
pub fn authenticate_with_any(
    link: &mut Link<'_>,
    candidates: &[&KeySet],
    level: Option<SecurityLevel>,
    random: &mut dyn CryptoRng,
) -> Result<usize, GlobalPlatformError> {
    let options = scp02_options(link, candidates)?;
    // The key set that the card itself prefers, then each version that may be there.
    let mut versions = vec![0];
    for keys in candidates {
        if !versions.contains(&keys.version) {
            versions.push(keys.version);
        }
    }
    for version in versions {
        let begun = begin(link, version, random)?;
        if !begun.answer.status.is_ok() {
            continue;
        }
        let answer = InitializeAnswer::parse(&begun.answer.data)?;
        if let Some(index) = diagnosis::which(&answer, &begun.challenge, candidates)? {
            let keys = KeySet { version: answer.key_version(), ..candidates[index].clone() };
            finish(link, &begun, &keys, level, options)?;
            return Ok(index);
        }
    }
    Err(GlobalPlatformError::CardCryptogram)
}

/// INITIALIZE UPDATE and what came back.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The host's challenge.
    pub challenge: Vec<u8>,
    /// The card's answer.
    pub answer: ResponseApdu,
}

/// Sends INITIALIZE UPDATE for a version of keys. No key is tried by it.
///
/// # Errors
/// [`GlobalPlatformError`] when no answer came.
pub fn begin(
    link: &mut Link<'_>,
    version: u8,
    random: &mut dyn CryptoRng,
) -> Result<Begun, GlobalPlatformError> {
    const WRONG_DATA: StatusWord = StatusWord(0x6A80);
    let mut send = |length| -> Result<Begun, GlobalPlatformError> {
        let mut challenge = vec![0; length];
        random.fill_bytes(&mut challenge);
        let answer = link.plain(&command::initialize_update(version, &challenge))?;
        Ok(Begun { challenge, answer })
    };
    let begun = send(scp03::S8)?;
    match begun.answer.status {
        // A card in S16 mode.
        StatusWord::WRONG_LENGTH | WRONG_DATA => send(scp03::S16),
        _ => Ok(begun),
    }
}

fn finish(
    link: &mut Link<'_>,
    begun: &Begun,
    keys: &KeySet,
    level: Option<SecurityLevel>,
    options: scp02::Options,
) -> Result<(), GlobalPlatformError> {
    let channel = if keys.is_triple_des() {
        let step = scp02::initialize(keys, level, options, &begun.challenge);
        let step = step.answer(&begun.answer)?;
        let answer = link.plain(step.command())?;
        SecureChannel::Scp02(step.answer(&answer)?)
    } else {
        let step = scp03::initialize(keys, level, &begun.challenge).answer(&begun.answer)?;
        let answer = link.plain(step.command())?;
        SecureChannel::Scp03(step.answer(&answer)?)
    };
    link.open(channel);
    Ok(())
}

/// The options of SCP02 that the card announces, where one of these key sets is for it: its answer
/// to INITIALIZE UPDATE does not tell them.
fn scp02_options(
    link: &mut Link<'_>,
    candidates: &[&KeySet],
) -> Result<scp02::Options, GlobalPlatformError> {
    if !candidates.iter().any(|keys| keys.is_triple_des()) {
        return Ok(scp02::Options::I15);
    }
    let answer = link.plain(&command::get_data(DataObject::CardData))?;
    let recognition =
        answer.status.is_ok().then(|| CardRecognitionData::parse(&answer.data)).transpose()?;
    let announced = recognition.and_then(|found| found.options(2));
    announced.map_or(Ok(scp02::Options::I15), scp02::Options::new)
}

/// Lists the load files, with their modules where the card tells them.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn list_load_files(link: &mut Link<'_>) -> Result<Vec<RegistryEntry>, GlobalPlatformError> {
    match list(link, Registry::LoadFilesAndModules) {
        // Listing modules is an option of the specification.
        Err(GlobalPlatformError::Refused { .. }) => list(link, Registry::LoadFiles),
        found => found,
    }
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

/// Puts a key set in the place of the one that the open session was opened with. Whether the card
/// has it now is certain: it confirms the check values of all three keys.
///
/// # Errors
/// [`GlobalPlatformError`]; [`GlobalPlatformError::KeyCheckValue`] when the card confirms others.
pub fn change_keys(link: &mut Link<'_>, new: &KeySet) -> Result<(), GlobalPlatformError> {
    let channel = link.channel().ok_or(GlobalPlatformError::ChannelClosed)?;
    let (replaces, current) = (channel.key_version(), channel.data_encryption());
    let (command, confirmation) = command::put_key_set(replaces, new, current)?;
    let answer = link.secure_ok("PUT KEY", &command)?;
    if answer.data != confirmation {
        return Err(GlobalPlatformError::KeyCheckValue);
    }
    Ok(())
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
