//! The files of the master file that opening a card takes: EF.CardAccess before, EF.CardSecurity
//! after PACE (ICAO 9303-10 §3.11, ICAO 9303-11 §9.2.11).

use crate::apdu::StatusWord;
use crate::lds::{FileId, Mapping, SecurityInfos};
use crate::terminal::TerminalError;
use crate::terminal::commands;
use crate::terminal::reading::{FileRead, FileReader, ReadLimits};
use crate::terminal::session::Session;
use crate::transport::CardTransport;

/// Reads EF.CardAccess without protection; `None` where there is none.
///
/// By its short identifier first, which needs nothing selected; then after SELECT of the master
/// file, which some cards answer 6D00 although they stand in it.
///
/// # Errors
/// Those of the session and of reading.
pub fn read_card_access<T: CardTransport>(
    session: &mut Session<T>,
) -> Result<Option<Vec<u8>>, TerminalError> {
    let short_only = read_once(session, FileId::CARD_ACCESS)?;
    if let Some(start) = short_only {
        return finish_card_access(session, start).map(Some);
    }
    let _ = session.transmit(&commands::select_master_file())?.status;
    let mut reader =
        FileReader::new(ReadLimits { max_file: MAX_CARD_ACCESS, ..ReadLimits::default() });
    reader = reader.by_identifier();
    match reader.read(session, FileId::CARD_ACCESS) {
        Ok(FileRead::Content { bytes, .. }) => Ok(Some(bytes)),
        Ok(_) | Err(TerminalError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Longest EF.CardAccess that is read.
const MAX_CARD_ACCESS: usize = 4_096;

/// The rest of EF.CardAccess where one response did not hold it.
fn finish_card_access<T: CardTransport>(
    session: &mut Session<T>,
    mut bytes: Vec<u8>,
) -> Result<Vec<u8>, TerminalError> {
    let file = FileId::CARD_ACCESS;
    let limit = |detail| TerminalError::Limit { file: Some(file), detail };
    let total = crate::apdu::tlv::read_header(&bytes).map(|head| head.total_length());
    let total = total.map_err(|kind| TerminalError::File {
        file,
        error: crate::apdu::tlv::TlvError { kind, offset: 0 },
    })?;
    if total > MAX_CARD_ACCESS {
        return Err(limit("the file is longer than allowed"));
    }
    while bytes.len() < total {
        let offset = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        let ne = crate::apdu::Ne::new((total - bytes.len()).min(256));
        let response = session.transmit(&commands::read_binary(offset, ne))?;
        if response.data.is_empty() || response.data.len() > ne.get() {
            return Err(limit("the card does not send what was asked for"));
        }
        bytes.extend(response.data);
    }
    bytes.truncate(total);
    Ok(bytes)
}

/// The first 256 bytes of a file by its short identifier, where the card gives them.
pub(in crate::terminal) fn read_once<T: CardTransport>(
    session: &mut Session<T>,
    file: FileId,
) -> Result<Option<Vec<u8>>, TerminalError> {
    let Some(short) = file.short() else { return Ok(None) };
    let ne = crate::apdu::Ne::MAX_SHORT;
    let response = session.transmit(&commands::read_binary_short(short, ne))?;
    let good = response.status.is_ok() || response.status == StatusWord::END_OF_FILE;
    if response.data.len() > ne.get() {
        let detail = "the card sends more than asked for";
        return Err(TerminalError::Limit { file: Some(file), detail });
    }
    Ok((good && !response.data.is_empty()).then_some(response.data))
}

/// How EF.CardSecurity is read.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::terminal) struct CardSecurityReading {
    /// Ask for it even where nothing says that the card has one.
    pub(in crate::terminal) probe: bool,
    /// Longest response data field where extended length is allowed.
    pub(in crate::terminal) extended_limit: Option<usize>,
}

/// Whether the card must have an EF.CardSecurity: it offers Chip Authentication Mapping.
///
/// Other protocols in EF.CardAccess say nothing: many cards list there what the application has.
fn announces_card_security(infos: &SecurityInfos) -> bool {
    infos.pace().any(|info| info.protocol.mapping == Mapping::ChipAuthentication)
}

/// Longest EF.CardSecurity that is read.
const MAX_CARD_SECURITY: usize = 32_768;

/// Reads EF.CardSecurity after PACE, while the master file is selected; `None` where there is
/// none, or none that can be read.
///
/// # Errors
/// Those that end the session.
pub(super) fn read_card_security<T: CardTransport>(
    session: &mut Session<T>,
    infos: &SecurityInfos,
    reading: CardSecurityReading,
) -> Result<Option<Vec<u8>>, TerminalError> {
    if !announces_card_security(infos) {
        let Some(short) = FileId::CARD_SECURITY.short().filter(|_| reading.probe) else {
            return Ok(None);
        };
        let first = commands::read_binary_short(short, crate::apdu::Ne::new(1));
        let status = session.transmit(&first)?.status;
        if !status.is_ok() && status != StatusWord::END_OF_FILE {
            return Ok(None);
        }
    }
    let limits = ReadLimits { max_file: MAX_CARD_SECURITY, ..ReadLimits::default() };
    let mut reader = FileReader::new(limits).with_extended_length(reading.extended_limit);
    match reader.read(session, FileId::CARD_SECURITY) {
        Ok(FileRead::Content { bytes, .. }) => Ok(Some(bytes)),
        Ok(_) => Ok(None),
        Err(TerminalError::Refused { .. } | TerminalError::File { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use cancuoc_primitives::cipher::BlockCipher;

    use super::*;
    use crate::lds::{KeyAgreement, PaceInfo, PaceProtocol, SecurityInfoKind};
    use crate::terminal::secure_messaging::SecureMessaging;
    use crate::terminal::testing::FileCard;

    fn infos(mapping: Mapping) -> SecurityInfos {
        let cipher = BlockCipher::Aes128;
        let protocol = PaceProtocol { agreement: KeyAgreement::Ecdh, mapping, cipher };
        let info = PaceInfo { protocol, version: 2, parameter_id: Some(13) };
        SecurityInfos::from_kinds([SecurityInfoKind::Pace(info)])
    }

    fn session(files: &[(u16, Vec<u8>)]) -> Session<FileCard> {
        let keys = SecureMessaging::from_secret(BlockCipher::Aes128, b"secret");
        let mut card = FileCard::new(files.to_vec());
        card.session = Some(keys.clone());
        let mut session = Session::new(card);
        session.start_secure_messaging(keys);
        session
    }

    fn card_security() -> Vec<u8> {
        [&[0x30, 0x82, 0x02, 0x00][..], &[0x5A; 512]].concat()
    }

    const NO_PROBE: CardSecurityReading =
        CardSecurityReading { probe: false, extended_limit: None };
    const PROBE: CardSecurityReading = CardSecurityReading { probe: true, extended_limit: None };

    #[test]
    fn reads_card_security_where_chip_authentication_mapping_is_offered() {
        let mut session = session(&[(0x011D, card_security())]);
        let read = read_card_security(&mut session, &infos(Mapping::ChipAuthentication), NO_PROBE);
        assert_eq!(read.unwrap().unwrap(), card_security());
    }

    #[test]
    fn asks_for_card_security_elsewhere_only_when_told() {
        let mut session = session(&[(0x011D, card_security())]);
        let infos = infos(Mapping::Generic);
        assert_eq!(read_card_security(&mut session, &infos, NO_PROBE), Ok(None));
        assert_eq!(session.counters().apdus, 0);
        let read = read_card_security(&mut session, &infos, PROBE);
        assert_eq!(read.unwrap().unwrap(), card_security());
    }

    #[test]
    fn spends_one_command_on_a_card_without_card_security() {
        let mut session = session(&[]);
        let read = read_card_security(&mut session, &infos(Mapping::Generic), PROBE);
        assert_eq!((read, session.counters().apdus), (Ok(None), 1));
    }

    #[test]
    fn goes_on_without_a_card_security_that_cannot_be_read() {
        for content in [vec![0x30, 0x7F, 1, 2, 3], vec![0xFF; 40]] {
            let mut session = session(&[(0x011D, content)]);
            let cam = infos(Mapping::ChipAuthentication);
            assert_eq!(read_card_security(&mut session, &cam, NO_PROBE), Ok(None));
        }
    }
}
