//! Readers of the PC/SC system (pcsc-lite, winscard).
//!
//! A card is connected exclusively: no other program can slip a command into its session.

mod watch;

use std::ffi::{CStr, CString};
use std::time::Duration;

use ::pcsc::{
    Attribute, Card, Context, Disposition, Error, MAX_BUFFER_SIZE_EXTENDED, Protocols, ReaderState,
    Scope, ShareMode, State,
};

use super::{CardTransport, TransportError};

pub use watch::{ReaderChange, ReaderWatch};

/// A reader and what lies on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderInfo {
    /// Index in the list, from 0.
    pub index: usize,
    /// Name as PC/SC gives it.
    pub name: String,
    /// Answer to reset of the card in it; `None` without a card.
    pub atr: Option<Vec<u8>>,
    /// Another program uses the card.
    pub in_use: bool,
}

/// Lists the readers; empty when there are none.
///
/// # Errors
/// [`TransportError::NoService`], [`TransportError::Failed`].
pub fn readers() -> Result<Vec<ReaderInfo>, TransportError> {
    let context = establish().map_err(|e| map_error(e, ""))?;
    list(&context).map(|found| found.into_iter().map(|(info, _)| info).collect())
}

fn establish() -> Result<Context, Error> {
    Context::establish(Scope::User)
}

fn list(context: &Context) -> Result<Vec<(ReaderInfo, CString)>, TransportError> {
    let names = match context.list_readers_owned() {
        Ok(names) => names,
        Err(Error::NoReadersAvailable) => return Ok(Vec::new()),
        Err(error) => return Err(map_error(error, "")),
    };
    let mut states: Vec<ReaderState> =
        names.iter().map(|name| ReaderState::new(name.clone(), State::UNAWARE)).collect();
    if !states.is_empty() {
        context.get_status_change(Duration::ZERO, &mut states).map_err(|e| map_error(e, ""))?;
    }
    let infos = states.iter().enumerate().map(|(index, state)| ReaderInfo {
        index,
        name: state.name().to_string_lossy().into_owned(),
        atr: state.event_state().contains(State::PRESENT).then(|| state.atr().to_vec()),
        in_use: state.event_state().intersects(State::INUSE | State::EXCLUSIVE),
    });
    Ok(infos.zip(names).collect())
}

/// Picks the reader that a selector means: an index, the whole name, or a part of it that only
/// one reader has. Without selector the only reader that holds a card.
///
/// # Errors
/// [`TransportError::NoReader`], [`TransportError::AmbiguousReader`]; both list the readers.
pub fn select<'a>(
    readers: &'a [ReaderInfo],
    selector: Option<&str>,
) -> Result<&'a ReaderInfo, TransportError> {
    let names = |of: &[&ReaderInfo]| of.iter().map(|r| r.name.clone()).collect::<Vec<_>>();
    let all: Vec<&ReaderInfo> = readers.iter().collect();
    let wanted = selector.unwrap_or_default();
    let exact = readers.iter().find(|r| !wanted.is_empty() && r.name == wanted);
    let by_index = wanted.parse().ok().and_then(|index: usize| readers.get(index));
    if let Some(found) = exact.or(by_index) {
        return Ok(found);
    }
    let matching: Vec<&ReaderInfo> = match selector {
        Some(part) => {
            let part = part.to_lowercase();
            all.iter().copied().filter(|r| r.name.to_lowercase().contains(&part)).collect()
        }
        None => all.iter().copied().filter(|r| r.atr.is_some()).collect(),
    };
    match matching[..] {
        [one] => Ok(one),
        [] if selector.is_none() && all.len() == 1 => {
            Err(TransportError::NoCard { reader: all[0].name.clone() })
        }
        [] => Err(TransportError::NoReader { selector: wanted.to_owned(), available: names(&all) }),
        _ => Err(TransportError::AmbiguousReader {
            selector: wanted.to_owned(),
            available: names(&matching),
        }),
    }
}

/// A card in a PC/SC reader, connected exclusively.
pub struct PcscCard {
    card: Card,
    reader: String,
    atr: Vec<u8>,
    max_command_length: usize,
    buffer: Vec<u8>,
}

impl PcscCard {
    /// Connects to the card in the reader that the selector means (see [`select`]).
    ///
    /// # Errors
    /// [`TransportError`] when there is no such reader, no card, no service, or another program
    /// holds the card.
    pub fn connect(selector: Option<&str>) -> Result<Self, TransportError> {
        let context = establish().map_err(|e| map_error(e, ""))?;
        let found = list(&context)?;
        let infos: Vec<ReaderInfo> = found.iter().map(|(info, _)| info.clone()).collect();
        let chosen = select(&infos, selector)?;
        let name = found.iter().find(|(info, _)| info == chosen).map(|(_, name)| name);
        let name = name.ok_or_else(|| TransportError::NoReader {
            selector: selector.unwrap_or_default().to_owned(),
            available: infos.iter().map(|r| r.name.clone()).collect(),
        })?;
        Self::connect_to(&context, name)
    }

    fn connect_to(context: &Context, name: &CStr) -> Result<Self, TransportError> {
        let reader = name.to_string_lossy().into_owned();
        let card = context
            .connect(name, ShareMode::Exclusive, Protocols::ANY)
            .map_err(|e| connect_error(e, &reader))?;
        let atr = card.get_attribute_owned(Attribute::AtrString).or_else(|_| {
            card.status2_owned().map(|status| status.atr().to_vec()) // not every driver has it
        });
        let atr = atr.unwrap_or_default();
        let max_command_length = max_apdu_length(&card).unwrap_or(UNLIMITED);
        let buffer = vec![0; MAX_BUFFER_SIZE_EXTENDED];
        Ok(Self { card, reader, atr, max_command_length, buffer })
    }

    /// The reader's name.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.reader
    }
}

/// Longest command APDU: header, Lc, 65 535 bytes of data, Le, in the extended form.
const UNLIMITED: usize = 65_544;

impl CardTransport for PcscCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        match self.card.transmit(command, &mut self.buffer) {
            // Drivers give nothing, and no error, where the card left while it was asked.
            Ok([]) => Err(TransportError::CardRemoved),
            Ok(response) => Ok(response.to_vec()),
            Err(error) => Err(map_error(error, &self.reader)),
        }
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn max_command_length(&self) -> usize {
        self.max_command_length
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card
            .reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)
            .map_err(|e| map_error(e, &self.reader))
    }
}

/// `CM_IOCTL_GET_FEATURE_REQUEST` (PC/SC part 10, §2.2).
const GET_FEATURE_REQUEST: u32 = 3400;
/// `FEATURE_GET_TLV_PROPERTIES` (PC/SC part 10, §2.3).
const FEATURE_GET_TLV_PROPERTIES: u8 = 0x12;
/// `PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize` (PC/SC part 10, §2.6.14).
const MAX_APDU_DATA_SIZE: u8 = 0x0A;

/// The longest command that the reader says it takes; `None` when it does not say.
fn max_apdu_length(card: &Card) -> Option<usize> {
    let mut buffer = [0; 264];
    let request = ::pcsc::ctl_code(GET_FEATURE_REQUEST.into());
    let features = card.control(request, &[], &mut buffer).ok()?;
    let code = simple_tlv(features, FEATURE_GET_TLV_PROPERTIES)?;
    let code = u32::from_be_bytes(code.try_into().ok()?);
    let mut buffer = [0; 264];
    let properties = card.control(code.into(), &[], &mut buffer).ok()?;
    let size = simple_tlv(properties, MAX_APDU_DATA_SIZE)?;
    Some(command_length_of(u32::from_le_bytes(size.try_into().ok()?)))
}

/// 0 means short APDUs only; otherwise the data field's longest length.
const fn command_length_of(max_apdu_data_size: u32) -> usize {
    match max_apdu_data_size {
        0..=256 => 261,
        size @ 257..=65_535 => size as usize + 9,
        _ => UNLIMITED,
    }
}

/// The value of a tag in a list of `tag length value` with one byte of tag and length each.
fn simple_tlv(mut list: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [tag, length, rest @ ..] = list {
        let value = rest.get(..usize::from(*length))?;
        if *tag == wanted {
            return Some(value);
        }
        list = rest.get(usize::from(*length)..)?;
    }
    None
}

fn connect_error(error: Error, reader: &str) -> TransportError {
    match error {
        Error::NoSmartcard | Error::RemovedCard => {
            TransportError::NoCard { reader: reader.to_owned() }
        }
        other => map_error(other, reader),
    }
}

fn map_error(error: Error, reader: &str) -> TransportError {
    match error {
        Error::NoService | Error::ServiceStopped => TransportError::NoService,
        Error::RemovedCard | Error::NoSmartcard => TransportError::CardRemoved,
        Error::SharingViolation => TransportError::Busy { reader: reader.to_owned() },
        Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable => {
            TransportError::NoReader { selector: reader.to_owned(), available: Vec::new() }
        }
        other => TransportError::Failed { detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reader(index: usize, name: &str, card: bool) -> ReaderInfo {
        let atr = card.then(|| vec![0x3B]);
        ReaderInfo { index, name: name.to_owned(), atr, in_use: false }
    }

    fn three() -> Vec<ReaderInfo> {
        vec![
            reader(0, "Acme One 00 00", false),
            reader(1, "Acme Two 01 00", true),
            reader(2, "Virtual PCD 00 00", false),
        ]
    }

    #[test]
    fn takes_the_only_reader_with_a_card_by_default() {
        assert_eq!(select(&three(), None).unwrap().index, 1);
    }

    #[test]
    fn takes_a_reader_by_index_and_by_unique_part_of_its_name() {
        assert_eq!(select(&three(), Some("2")).unwrap().index, 2);
        assert_eq!(select(&three(), Some("virtual")).unwrap().index, 2);
    }

    #[test]
    fn prefers_a_whole_name_to_parts() {
        let readers = [reader(0, "Acme", true), reader(1, "Acme Two", true)];
        assert_eq!(select(&readers, Some("Acme")).unwrap().index, 0);
    }

    #[test]
    fn lists_the_readers_when_several_match() {
        let error = select(&three(), Some("Acme")).unwrap_err();
        let TransportError::AmbiguousReader { available, .. } = error else { panic!("{error}") };
        assert_eq!(available.len(), 2);
    }

    #[test]
    fn lists_the_readers_when_none_matches() {
        let error = select(&three(), Some("7")).unwrap_err();
        let TransportError::NoReader { available, .. } = error else { panic!("{error}") };
        assert_eq!(available.len(), 3);
    }

    #[test]
    fn says_that_the_only_reader_has_no_card() {
        let readers = [reader(0, "Acme", false)];
        assert_eq!(select(&readers, None), Err(TransportError::NoCard { reader: "Acme".into() }));
    }

    #[test]
    fn reads_the_longest_apdu_from_the_properties_of_the_reader() {
        let properties = [0x01, 2, 0, 0, 0x0A, 4, 0, 0, 1, 0];
        assert_eq!(simple_tlv(&properties, MAX_APDU_DATA_SIZE), Some(&[0, 0, 1, 0][..]));
        assert_eq!(command_length_of(0x10000), UNLIMITED);
        assert_eq!(command_length_of(0), 261);
    }

    proptest! {
        #[test]
        fn never_panics_on_features_of_any_driver(bytes in prop::collection::vec(any::<u8>(), 0..40), tag in any::<u8>()) {
            let _ = simple_tlv(&bytes, tag);
        }
    }
}
