//! What the card trusts to let terminals in: the CVCA's public keys, and the date as far as the card
//! knows it (BSI TR-03110-3 §2.5, §A.6.2; ICAO 9303-11 §7.1.4.3).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Malformed, Objects};
use cancuoc_card_runtime::{NonVolatileMemory, StatusWord, Write};

use crate::cv_certificate::{
    AUTHORITY_REFERENCE, Authorization, CvCertificate, Date, PublicKey, Reference, Rights, Role,
};
use crate::store::{self, FileHeader, Location};

/// Most trust points that the card keeps.
const MAX_TRUST_POINTS: usize = 2;
/// File identifier of EF.CVCA (BSI TR-03110-3 §A.6.2.4).
const EF_CVCA: u16 = 0x011C;
/// Bytes of EF.CVCA: two references of up to 18 bytes each.
const EF_CVCA_SIZE: usize = 36;
/// A trust point in the card's own memory.
const STORED: u16 = 0x7F4E;

/// A CVCA's public key and what its certificate says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPoint {
    /// Name of the key.
    pub holder: Reference,
    /// Rights that can come from it at most.
    pub rights: Rights,
    /// First day.
    pub effective: Date,
    /// Last day on which it verifies certificates of document verifiers; for link certificates it
    /// is good for ever.
    pub expiration: Date,
    /// The key.
    pub key: PublicKey,
}

impl TrustPoint {
    /// The key of a CVCA certificate, whose signature is somebody else's to check. A curve that it
    /// does not give is inherited from the key that signed it.
    pub fn new(
        certificate: &CvCertificate<'_>,
        issuer: Option<&PublicKey>,
    ) -> Result<Self, Malformed> {
        let Authorization::InspectionSystems(Role::Cvca, rights) = certificate.authorization else {
            return Err(Malformed);
        };
        Ok(Self {
            holder: certificate.holder.clone(),
            rights,
            effective: certificate.effective,
            expiration: certificate.expiration,
            key: certificate.public_key.resolve(issuer.and_then(PublicKey::curve))?,
        })
    }

    fn store(&self) -> Vec<u8> {
        let mut record = Vec::new();
        tlv::put(&mut record, 0x83, self.holder.as_bytes());
        tlv::put(&mut record, 0x53, &[self.rights.bits()]);
        tlv::put(&mut record, 0x5F25, self.effective.digits());
        tlv::put(&mut record, 0x5F24, self.expiration.digits());
        self.key.store(&mut record);
        tlv::object(STORED, &record)
    }

    fn load(record: &[u8]) -> Option<Self> {
        let [rights] = *tlv::find(record, 0x53)? else { return None };
        Some(Self {
            holder: Reference::new(tlv::find(record, 0x83)?).ok()?,
            rights: Rights::new(rights),
            effective: Date::new(tlv::find(record, 0x5F25)?).ok()?,
            expiration: Date::new(tlv::find(record, 0x5F24)?).ok()?,
            key: PublicKey::load(record)?,
        })
    }
}

/// The trust points, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustPoints(Vec<TrustPoint>);

impl TrustPoints {
    /// Those in the card's memory.
    pub fn load(memory: &dyn NonVolatileMemory) -> Self {
        let mut objects = Objects::new(memory.read(store::TRUST_POINTS).unwrap_or_default());
        let mut points = Vec::new();
        while let Ok(object) = objects.take() {
            points.extend(TrustPoint::load(object.value));
        }
        Self(points)
    }

    /// The trust point of a name.
    pub fn find(&self, holder: &Reference) -> Option<&TrustPoint> {
        self.0.iter().find(|point| point.holder == *holder)
    }

    /// The newest trust point.
    pub fn newest(&self) -> Option<&TrustPoint> {
        self.0.first()
    }

    /// Their names, the newest first.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().map(|point| &point.holder)
    }

    /// With a newer trust point; of more than two the oldest goes.
    #[must_use]
    pub fn with(mut self, newer: TrustPoint) -> Self {
        self.0.insert(0, newer);
        self.0.truncate(MAX_TRUST_POINTS);
        self
    }

    fn file_content(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(EF_CVCA_SIZE);
        for point in &self.0 {
            tlv::put(&mut content, AUTHORITY_REFERENCE, point.holder.as_bytes());
        }
        content.resize(EF_CVCA_SIZE, 0);
        content
    }
}

/// The date as far as the card knows it.
pub fn card_date(memory: &dyn NonVolatileMemory) -> Option<Date> {
    Date::new(memory.read(store::CARD_DATE)?).ok()
}

/// What the card trusts, for looking at a card and not for commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSummary {
    /// Certificate Holder References of the trust points in ISO/IEC 8859-1, the newest first.
    pub references: Vec<Vec<u8>>,
    /// The date as far as the card knows it: YYMMDD, one digit in a byte.
    pub date: [u8; 6],
}

/// What the card trusts, where it has a trust point and a date.
#[must_use]
pub fn trust_summary(memory: &dyn NonVolatileMemory) -> Option<TrustSummary> {
    let points = TrustPoints::load(memory).0;
    let date = *card_date(memory).filter(|_| !points.is_empty())?.digits();
    let references = points.iter().map(|point| point.holder.as_bytes().to_vec()).collect();
    Some(TrustSummary { references, date })
}

/// Takes over trust points and date in one step: after a loss of power either all is as before or
/// trust points, EF.CVCA and date are the new ones.
pub fn update(
    memory: &mut dyn NonVolatileMemory,
    points: Option<&TrustPoints>,
    date: Option<Date>,
) -> Result<(), StatusWord> {
    let record: Vec<u8> =
        points.iter().flat_map(|points| &points.0).flat_map(TrustPoint::store).collect();
    let content = points.map(TrustPoints::file_content);
    let mut writes = Vec::new();
    if let Some(content) = &content {
        writes.push(Write::Put { key: store::TRUST_POINTS, value: &record });
        if has_file(memory) {
            let key = store::content_key(Location::Lds1, EF_CVCA);
            writes.push(Write::Patch { key, offset: 0, data: content });
        }
    }
    if let Some(date) = &date {
        writes.push(Write::Put { key: store::CARD_DATE, value: date.digits() });
    }
    if writes.is_empty() {
        return Ok(());
    }
    memory.apply(&writes).map_err(store::status)
}

fn has_file(memory: &dyn NonVolatileMemory) -> bool {
    FileHeader::find(memory, Location::Lds1, EF_CVCA).is_some_and(|f| f.size == EF_CVCA_SIZE)
}

/// Data grouping 0501: a CVCA certificate as it stands. One of a known name replaces it, another is
/// the newest.
pub fn personalize_trust_point(
    memory: &mut dyn NonVolatileMemory,
    data: &[u8],
) -> Result<(), StatusWord> {
    let mut points = TrustPoints::load(memory);
    let point = initial_trust_point(&points, data).ok_or(StatusWord::WRONG_DATA)?;
    match points.0.iter_mut().find(|known| known.holder == point.holder) {
        Some(known) => *known = point,
        None => points = points.with(point),
    }
    update(memory, Some(&points), None)
}

/// Trust comes from the personalisation, but a signature that can be checked must be right.
fn initial_trust_point(points: &TrustPoints, data: &[u8]) -> Option<TrustPoint> {
    let certificate = CvCertificate::read_whole(data).ok()?;
    let issuer = points.find(&certificate.authority).filter(|_| !is_self_signed(&certificate));
    let point = TrustPoint::new(&certificate, issuer.map(|issuer| &issuer.key)).ok()?;
    let signer = match issuer {
        Some(issuer) => Some(&issuer.key),
        None => Some(&point.key).filter(|_| is_self_signed(&certificate)),
    };
    // There is none for a link certificate whose predecessor the card was never given.
    if let Some(key) = signer {
        key.verify(&[certificate.body], certificate.signature).ok()?;
    }
    Some(point)
}

fn is_self_signed(certificate: &CvCertificate<'_>) -> bool {
    certificate.authority == certificate.holder
}

/// Data grouping 0502: the date of personalisation.
pub fn personalize_date(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let date = Date::new(data).map_err(|_| StatusWord::WRONG_DATA)?;
    update(memory, None, Some(date))
}

/// Data grouping 0503: document number and check digit, ASCII, by which the chip is named in
/// Terminal Authentication after BAC.
pub fn personalize_chip_identifier(
    memory: &mut dyn NonVolatileMemory,
    data: &[u8],
) -> Result<(), StatusWord> {
    let of_mrz = |c: &u8| matches!(c, b'A'..=b'Z' | b'0'..=b'9' | b'<');
    let check_digit = data.last().is_some_and(u8::is_ascii_digit);
    if !(2..=32).contains(&data.len()) || !check_digit || !data.iter().all(of_mrz) {
        return Err(StatusWord::WRONG_DATA);
    }
    store::put(memory, store::CHIP_IDENTIFIER, data)
}

/// Checks at the end of personalisation that nothing that Terminal Authentication needs is missing,
/// and writes EF.CVCA again: its personalised content may have come after the trust points.
pub fn complete(memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
    let points = TrustPoints::load(memory);
    let bac = store::has_protocol(memory, store::protocol::BAC);
    let complete = points.newest().is_some()
        && card_date(memory).is_some()
        && has_file(memory)
        && memory.read(store::CHIP_AUTHENTICATION).is_some()
        && (!bac || memory.read(store::CHIP_IDENTIFIER).is_some());
    if !complete {
        return Err(StatusWord::CONDITIONS);
    }
    update(memory, Some(&points), None)
}
