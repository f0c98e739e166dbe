//! What Terminal Authentication starts from: trust points, EF.CVCA, date and identifier of the chip.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::PrepareError;
use crate::apdu::tlv::{Tag, encode};
use crate::cvc::{CvCertificate, CvDate, HolderReference, Role};
use crate::document::mrz::check_digit;
use crate::issue::image::TerminalAuthentication;
use crate::issue::record::Record;

/// File identifier of EF.CVCA in the LDS1 application (BSI TR-03110-3 §A.3).
pub(super) const CVCA_FILE: u16 = 0x011C;
/// Bytes of EF.CVCA.
const CVCA_LENGTH: usize = 36;

/// The trust points of the record, or else those of its profile; the card has no Terminal
/// Authentication where neither has any.
pub(super) fn authentication(
    record: &Record,
    now: Timestamp,
) -> Result<Option<TerminalAuthentication>, PrepareError> {
    let own = &record.trust_points;
    let trust_points = if own.is_empty() { &record.profile.access.trust_points } else { own };
    if trust_points.is_empty() {
        return Ok(None);
    }
    let date = CvDate::new(TimeZone::UTC.to_datetime(now).date());
    let date = date.map_err(|_| PrepareError::Profile {
        what: "Terminal Authentication knows the years 2000 to 2099",
    })?;
    let number = record.mrz.document_number().padded();
    let digit = check_digit(number.as_bytes()).map_or('<', char::from);
    Ok(Some(TerminalAuthentication {
        trust_points: trust_points.clone(),
        date,
        chip_identifier: Zeroizing::new(format!("{}{digit}", *number)),
    }))
}

/// EF.CVCA: the references of the trust points, the newer first, filled with zeros.
pub(super) fn cvca(start: &TerminalAuthentication) -> Result<Vec<u8>, PrepareError> {
    let mut file = Vec::new();
    for (index, certificate) in start.trust_points.iter().enumerate().rev() {
        let malformed = PrepareError::TrustPoint { number: index + 1 };
        let reference = trust_point_reference(certificate).ok_or(malformed)?;
        file.extend(encode(Tag(0x42), reference.as_bytes()));
    }
    if file.len() > CVCA_LENGTH {
        return Err(PrepareError::TrustPoint { number: start.trust_points.len() });
    }
    file.resize(CVCA_LENGTH, 0);
    Ok(file)
}

/// The holder reference of a certificate that may be a trust point: one of a country verifying CA.
pub(crate) fn trust_point_reference(certificate: &[u8]) -> Option<HolderReference> {
    let certificate = CvCertificate::decode(certificate).ok()?;
    let body = certificate.body();
    (body.authorization.role() == Role::Cvca).then(|| body.holder.clone())
}
