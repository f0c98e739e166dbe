//! N43: pictures that attack whoever decodes them. Who the document belongs to stays as it is.

use super::fields::dg2;
use crate::biometrics::FaceRecord;
use crate::deck::entry::unsupported;
use crate::deck::portrait::FIRST;
use crate::deck::workshop::Workshop;
use crate::deck::{Card, DeckError, Entry};
use crate::lds::{BiometricTemplate, Dg2};

type Made = Result<Card, DeckError>;

const FORMAT: &str = "biometrics.format";
const JPEG2000: &[u8] = include_bytes!("../../../testvectors/specimen/portrait.jp2");
const ISO_39794: &[u8] =
    include_bytes!("../../../testvectors/iso39794/dg2-icao-profile-all-fields.bin");
/// The most that two bytes can say.
const HUGE: [u8; 2] = [0xFF, 0xFF];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::good("N43-png", |w| portrait(w, FIRST.png())),
    Entry::good("N43-jpeg2000", |w| portrait(w, JPEG2000.to_vec())),
    Entry::good("N43-polyglot", |w| {
        // A picture that is a web page too: whoever takes it for a picture is right.
        let page = b"<html><script>alert(1)</script></html>PK\x05\x06";
        portrait(w, [FIRST.jpeg(), page.to_vec()].concat())
    }),
    Entry::degraded("N43-iso-39794", &[unsupported(FORMAT, "biometric_format_unknown")], |w| {
        signed(w, ISO_39794.to_vec())
    }),
    Entry::degraded("N43-255-pictures", &[unsupported(FORMAT, "face_record_malformed")], |w| {
        record(w, |record| record[12..14].copy_from_slice(&[0, 0xFF]))
    }),
    Entry::degraded("N43-no-picture", &[unsupported(FORMAT, "portrait_missing")], |w| {
        let none = FaceRecord { images: Vec::new() };
        template(w, none.encode())
    }),
    Entry::degraded("N43-past-end", &[unsupported(FORMAT, "face_record_malformed")], |w| {
        record(w, |record| record[14..18].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]))
    }),
    Entry::degraded("N43-feature-points", &[unsupported(FORMAT, "face_record_malformed")], |w| {
        record(w, |record| record[18..20].copy_from_slice(&HUGE))
    }),
    Entry::degraded("N43-jpeg-bomb", &[unsupported(FORMAT, "portrait_not_decodable")], |w| {
        let mut picture = FIRST.jpeg();
        // Height and width in the frame header.
        let frame = picture.windows(2).position(|marker| marker == [0xFF, 0xC0]);
        let frame = frame.ok_or(DeckError::Defect("a JPEG"))?;
        picture[frame + 5..frame + 9].copy_from_slice(&[HUGE, HUGE].concat());
        portrait(w, picture)
    }),
    Entry::degraded("N43-jpeg2000-bomb", &[unsupported(FORMAT, "portrait_not_decodable")], |w| {
        let mut picture = JPEG2000.to_vec();
        let find = |name: &[u8]| picture.windows(name.len()).position(|window| window == name);
        let header = find(b"ihdr").ok_or(DeckError::Defect("a JP2"))?;
        let size = find(&[0xFF, 0x4F, 0xFF, 0x51]).ok_or(DeckError::Defect("a JP2"))?;
        let huge = [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF];
        picture[header + 4..header + 12].copy_from_slice(&huge);
        picture[size + 8..size + 16].copy_from_slice(&huge);
        portrait(w, picture)
    }),
    Entry::degraded("N43-png-bomb", &[unsupported(FORMAT, "portrait_not_decodable")], |w| {
        let mut picture = FIRST.png();
        picture[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
        let sum = crc32(&picture[12..29]);
        picture[29..33].copy_from_slice(&sum.to_be_bytes());
        portrait(w, picture)
    }),
    Entry::degraded("N43-cut-off", &[unsupported(FORMAT, "portrait_not_decodable")], |w| {
        let mut picture = FIRST.png();
        picture.truncate(picture.len() / 2);
        portrait(w, picture)
    }),
    Entry::degraded("N43-unknown-format", &[unsupported(FORMAT, "portrait_not_decodable")], |w| {
        portrait(w, b"GIF89a\x01\x00\x01\x00\x80\x00\x00".to_vec())
    }),
    Entry::degraded("N43-empty", &[unsupported(FORMAT, "portrait_not_decodable")], |w| {
        portrait(w, Vec::new())
    }),
];

fn signed(workshop: &Workshop, dg2: Vec<u8>) -> Made {
    let mut card = workshop.card();
    *card.group(2)? = dg2;
    workshop.sign(&mut card)?;
    Ok(card)
}

/// A picture as portrait.
fn portrait(workshop: &Workshop, picture: Vec<u8>) -> Made {
    signed(workshop, dg2(picture))
}

/// A face record as biometric data.
fn template(workshop: &Workshop, record: Vec<u8>) -> Made {
    signed(workshop, Dg2 { templates: vec![BiometricTemplate::face(record)] }.encode())
}

/// The face record of the first holder, changed.
fn record(workshop: &Workshop, change: impl FnOnce(&mut Vec<u8>)) -> Made {
    let mut card = workshop.card();
    let mut dg2 = Dg2::decode(card.group(2)?)?;
    let data = dg2.templates.first_mut().map(|template| &mut template.data);
    change(data.ok_or(DeckError::Defect("a portrait"))?);
    signed(workshop, dg2.encode())
}

/// CRC of a PNG chunk (ISO/IEC 15948 annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}
