//! What Terminal Authentication starts from: trust points, EF.CVCA, date and identifier of the chip.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::PrepareError;
use crate::apdu::tlv::{Tag, Tlv, encode};
use crate::document::mrz::check_digit;
use crate::issue::image::TerminalAuthentication;
use crate::issue::record::Record;

/// File identifier of EF.CVCA in the LDS1 application (BSI TR-03110-3 §A.3).
pub(super) const CVCA_FILE: u16 = 0x011C;
/// Bytes of EF.CVCA.
const CVCA_LENGTH: usize = 36;

/// The trust points of the record, or else those of its profile; the card has no Terminal
/// Authentication where neither has any.
pub(super) fn authentication(record: &Record, now: Timestamp) -> Option<TerminalAuthentication> {
    let own = &record.trust_points;
    let trust_points = if own.is_empty() { &record.profile.access.trust_points } else { own };
    if trust_points.is_empty() {
        return None;
    }
    let number = record.mrz.document_number().padded();
    let digit = check_digit(number.as_bytes()).map_or('<', char::from);
    Some(TerminalAuthentication {
        trust_points: trust_points.clone(),
        date: TimeZone::UTC.to_datetime(now).date(),
        chip_identifier: Zeroizing::new(format!("{}{digit}", *number)),
    })
}

/// EF.CVCA: the references of the trust points, the newer first, filled with zeros.
pub(super) fn cvca(start: &TerminalAuthentication) -> Result<Vec<u8>, PrepareError> {
    let mut file = Vec::new();
    for (index, certificate) in start.trust_points.iter().enumerate().rev() {
        let malformed = PrepareError::TrustPoint { number: index + 1 };
        let reference = holder_reference(certificate).ok_or(malformed)?;
        file.extend(encode(Tag(0x42), reference));
    }
    if file.len() > CVCA_LENGTH {
        return Err(PrepareError::TrustPoint { number: start.trust_points.len() });
    }
    file.resize(CVCA_LENGTH, 0);
    Ok(file)
}

/// The certificate holder reference (BSI TR-03110-3 §C.1): country code, mnemonic of up to nine
/// characters, sequence number; at most 16 characters.
pub(crate) fn holder_reference(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = Tlv::parse_exact(certificate).ok()?.expect(Tag(0x7F21)).ok()?;
    let mut fields = certificate.children().read_tag(Tag(0x7F4E)).ok()?.children();
    let reference = loop {
        let field = fields.read_optional().ok()??;
        if field.tag == Tag(0x5F20) {
            break field.value;
        }
    };
    let fits = (8..=16).contains(&reference.len());
    fits.then_some(reference)
}
