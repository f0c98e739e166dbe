//! N44 to N46: what the document says, signed by its issuer all the same.

use crate::apdu::tlv::{Tag, encode};
use crate::biometrics::{FaceRecord, ImageFormat};
use crate::deck::entry::{Given, failed, skipped, unsupported, warned};
use crate::deck::portrait::SIZE;
use crate::deck::workshop::Workshop;
use crate::deck::{Card, DeckError, Entry};
use crate::document::Mrz;
use crate::document::mrz::check_digit;
use crate::lds::{BiometricTemplate, Dg2, Element, encode_dg1, tag, write};

use super::binding::replaced;

type Made = Result<Card, DeckError>;

const DG1_DG13: &str = "consistency.dg1_dg13";
const VALIDITY: &str = "document.validity";

/// The MRZ of the first holder.
pub(super) const MRZ: &str = "IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0\
                   NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
/// The same with another name.
const OTHER_MRZ: &str = "IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0\
                         NGUYEN<<THI<MOI<<<<<<<<<<<<<<<";
const QR: &str = "001200000018|000000000|Nguyễn Thị Mẫu|01012000|Nữ|\
                  Số 1, Phường Mẫu, Hà Nội|01072021";
/// The same with another date of birth.
const OTHER_QR: &str = "001200000018|000000000|Nguyễn Thị Mẫu|01011990|Nữ|\
                        Số 1, Phường Mẫu, Hà Nội|01072021";

pub(super) const ENTRIES: &[Entry] = &[
    Entry::good("N44-mrz-typed", |w| Ok(w.card())).given(Given::Mrz(MRZ)),
    Entry::good("N44-qr-scanned", |w| Ok(w.card())).given(Given::Qr(QR)),
    Entry::forged("N44-check-digit", &[failed(VALIDITY, "mrz_check_digit")], |w| {
        with_dg1(w, |mrz| mrz[59] = if mrz[59] == b'0' { b'1' } else { b'0' })
    }),
    Entry::forged(
        "N44-length",
        &[failed(VALIDITY, "mrz_malformed"), skipped(DG1_DG13, "mrz_not_decoded")],
        |w| {
            with_dg1(w, |mrz| {
                mrz.pop();
            })
        },
    ),
    Entry::forged(
        "N44-characters",
        &[failed(VALIDITY, "mrz_malformed"), skipped(DG1_DG13, "mrz_not_decoded")],
        |w| with_dg1(w, |mrz| mrz[60..].make_ascii_lowercase()),
    ),
    Entry::forged("N44-passport", &[failed(DG1_DG13, "dg1_dg13_differ")], |w| {
        // The two lines of a passport, whose digits are all right, of somebody else.
        with_dg1(w, |mrz| {
            *mrz = b"P<VNMNGUYEN<<THI<MOI<<<<<<<<<<<<<<<<<<<<<<<<\
                     C200000018VNM0001018F4001016<<<<<<<<<<<<<<00"
                .to_vec();
            passport_digits(mrz);
        })
    }),
    Entry::forged("N44-mrz-of-another", &[failed("consistency.mrz", "mrz_differs")], |w| {
        Ok(w.card())
    })
    .given(Given::Mrz(OTHER_MRZ))
    .twin("N44-mrz-typed"),
    Entry::forged("N44-qr-of-another", &[failed("consistency.qr", "qr_differs")], |w| Ok(w.card()))
        .given(Given::Qr(OTHER_QR))
        .twin("N44-qr-scanned"),
    Entry::forged("N44-number", &[failed(DG1_DG13, "dg1_dg13_differ")], |w| {
        with_dg13(w, |dg13| dg13.replace("001200000018", "001200000026"))
    }),
    Entry::forged("N44-name", &[failed(DG1_DG13, "dg1_dg13_differ")], |w| {
        with_dg13(w, |dg13| dg13.replace("Nguyễn Thị Mẫu", "Nguyễn Thị Mới"))
    }),
    Entry::forged("N44-birth", &[failed(DG1_DG13, "dg1_dg13_differ")], |w| {
        with_dg13(w, |dg13| dg13.replace("01/01/2000", "01/01/1990"))
    }),
    Entry::degraded("N45-repeated", &[warned(DG1_DG13, "dg13_irregular")], |w| {
        with_dg13(w, |dg13| {
            let other = field(2, &encode(Tag(0x0C), "Nguyễn Thị Mới".as_bytes()));
            dg13.fields.insert(2, other);
        })
    }),
    Entry::degraded("N45-order", &[warned(DG1_DG13, "dg13_irregular")], |w| {
        with_dg13(w, |dg13| dg13.fields.reverse())
    }),
    Entry::degraded("N45-utf8", &[warned(DG1_DG13, "dg13_irregular")], |w| {
        with_dg13(w, |dg13| {
            dg13.set(9, &encode(Tag(0x0C), b"S\xE1\xBB 1, Ph\xC6\xC6ng M\xFF"));
        })
    }),
    Entry::good("N45-decomposed", |w| {
        // The same name with its marks as characters of their own.
        with_dg13(w, |dg13| {
            use unicode_normalization::UnicodeNormalization;
            let name: String = "Nguyễn Thị Mẫu".nfd().collect();
            dg13.set(2, &encode(Tag(0x0C), name.as_bytes()));
        })
    }),
    Entry::degraded("N45-number-of-11", &[unsupported(DG1_DG13, "not_comparable")], |w| {
        with_dg13(w, |dg13| dg13.set(1, &encode(Tag(0x13), b"00120000001")))
    }),
    Entry::degraded("N45-31-february", &[warned(DG1_DG13, "dg13_irregular")], |w| {
        with_dg13(w, |dg13| dg13.set(11, &encode(Tag(0x13), b"31/02/2021")))
    }),
    Entry::degraded("N45-parents-nested", &[warned(DG1_DG13, "dg13_irregular")], |w| {
        // Each in the place of the other, and deeper than they belong.
        with_dg13(w, |dg13| {
            let nested = |name: &str| {
                let text = encode(Tag(0x0C), name.as_bytes());
                write::sequence(&[&write::sequence(&[&write::sequence(&[&text])])])
            };
            dg13.set(13, &[nested("Trần Thị Mẹ"), nested("Nguyễn Văn Cha")].concat());
        })
    }),
    Entry::good("N45-parents-in-one", |w| {
        with_dg13(w, |dg13| {
            let text = |name: &str| encode(Tag(0x0C), name.as_bytes());
            let both = [text("Nguyễn Văn Cha"), text("Trần Thị Mẹ")];
            dg13.set(13, &write::sequence(&[&both[0], &both[1]]));
        })
    }),
    Entry::good("N45-unknown-field", |w| {
        with_dg13(w, |dg13| dg13.fields.push(field(31, &encode(Tag(0x0C), b"x"))))
    }),
    Entry::good("N46-no-expiry", |w| Ok(w.second_card())).given(Given::Can("000011")),
    Entry::good("N46-hundred-years-old", |w| {
        with_dates(w, "250101", "01/01/1925", "400101", "01/01/2040")
    }),
    Entry::good("N46-expired-tolerated", expired)
        .under("standard")
        .noting(&[warned(VALIDITY, "document_expired")]),
    Entry::forged("N46-expired", &[failed(VALIDITY, "document_expired")], expired),
    Entry::forged("N46-birth-in-the-future", &[failed(VALIDITY, "birth_in_future")], |w| {
        with_dates(w, "990101", "01/01/2099", "400101", "01/01/2040")
    }),
];

fn expired(workshop: &Workshop) -> Made {
    with_dates(workshop, "000101", "01/01/2000", "200101", "01/01/2020")
}

/// DG2 with a portrait.
pub(super) fn dg2(portrait: Vec<u8>) -> Vec<u8> {
    let format = ImageFormat::sniff(&portrait).unwrap_or(ImageFormat::Jpeg);
    let record = FaceRecord::of_portrait(portrait, format, SIZE.0, SIZE.1);
    Dg2 { templates: vec![BiometricTemplate::face(record.encode())] }.encode()
}

/// A card whose MRZ was signed with other characters.
fn with_dg1(workshop: &Workshop, change: impl FnOnce(&mut Vec<u8>)) -> Made {
    let mut card = workshop.card();
    let mut mrz = MRZ.as_bytes().to_vec();
    change(&mut mrz);
    set_mrz(&mut card, &mrz)?;
    workshop.sign(&mut card)?;
    Ok(card)
}

/// The MRZ in DG1, and the key that comes of it where it can be read.
fn set_mrz(card: &mut Card, mrz: &[u8]) -> Result<(), DeckError> {
    *card.group(1)? = encode_dg1(mrz);
    if let Ok(mrz) = Mrz::parse(mrz) {
        card.image.mrz_key = Some(zeroize::Zeroizing::new(*mrz.key().as_bytes()));
    }
    Ok(())
}

/// A card whose national data were signed with other contents.
fn with_dg13(workshop: &Workshop, change: impl FnOnce(&mut Dg13Draft)) -> Made {
    let mut card = workshop.card();
    set_dg13(&mut card, change)?;
    workshop.sign(&mut card)?;
    Ok(card)
}

fn set_dg13(card: &mut Card, change: impl FnOnce(&mut Dg13Draft)) -> Result<(), DeckError> {
    let dg13 = card.group(13)?;
    let mut draft = Dg13Draft::of(dg13)?;
    change(&mut draft);
    *dg13 = draft.encode();
    Ok(())
}

/// Birth and expiry in MRZ and national data.
fn with_dates(
    workshop: &Workshop,
    mrz_birth: &str,
    birth: &str,
    mrz_expiry: &str,
    expiry: &str,
) -> Made {
    let mut card = workshop.card();
    let mut mrz = MRZ.as_bytes().to_vec();
    mrz[30..36].copy_from_slice(mrz_birth.as_bytes());
    mrz[38..44].copy_from_slice(mrz_expiry.as_bytes());
    identity_card_digits(&mut mrz);
    set_mrz(&mut card, &mrz)?;
    set_dg13(&mut card, |dg13| {
        dg13.set(3, &encode(Tag(0x13), birth.as_bytes()));
        dg13.set(12, &encode(Tag(0x0C), expiry.as_bytes()));
    })?;
    workshop.sign(&mut card)?;
    Ok(card)
}

fn digit(mrz: &[u8], positions: impl IntoIterator<Item = usize>) -> u8 {
    let covered: Vec<u8> = positions.into_iter().map(|position| mrz[position]).collect();
    check_digit(&covered).unwrap_or(b'<')
}

/// Check digits of three lines (ICAO 9303-5 §4.2).
fn identity_card_digits(mrz: &mut [u8]) {
    mrz[36] = digit(mrz, 30..36);
    mrz[44] = digit(mrz, 38..44);
    mrz[59] = digit(mrz, (5..37).chain(38..45).chain(48..59));
}

/// Check digits of the two lines of a passport (ICAO 9303-4 §4.2).
fn passport_digits(mrz: &mut [u8]) {
    mrz[53] = digit(mrz, 44..53);
    mrz[63] = digit(mrz, 57..63);
    mrz[71] = digit(mrz, 65..71);
    mrz[86] = digit(mrz, 72..86);
    mrz[87] = digit(mrz, (44..54).chain(57..64).chain(65..87));
}

/// DG13 as a list of fields in DER, in any order and number.
pub(super) struct Dg13Draft {
    version: Vec<u8>,
    oid: Vec<u8>,
    /// The members of the SET.
    pub fields: Vec<Vec<u8>>,
}

/// A field: number and value in DER.
fn field(number: u32, value: &[u8]) -> Vec<u8> {
    write::sequence(&[&write::integer(number), value])
}

impl Dg13Draft {
    pub(super) fn of(dg13: &[u8]) -> Result<Self, DeckError> {
        let mut outer = Element::parse("EF.DG13", dg13)?.children();
        let mut parts = outer.tagged(tag::SEQUENCE)?.children();
        let (version, oid) = (parts.any()?.raw().to_vec(), parts.any()?.raw().to_vec());
        let fields = parts.tagged(tag::SET)?.children().all(64)?;
        Ok(Self { version, oid, fields: fields.iter().map(|f| f.raw().to_vec()).collect() })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let set = encode(tag::SET, &self.fields.concat());
        encode(Tag(0x6D), &write::sequence(&[&self.version, &self.oid, &set]))
    }

    /// Gives a field another value in DER.
    fn set(&mut self, number: u32, value: &[u8]) {
        let head = write::integer(number);
        let own = |bytes: &Vec<u8>| {
            let element = Element::parse("field", bytes);
            element.is_ok_and(|e| e.children().any().is_ok_and(|first| first.raw() == head))
        };
        if let Some(found) = self.fields.iter_mut().find(|bytes| own(bytes)) {
            *found = field(number, value);
        }
    }

    /// Replaces a text by one of the same length wherever it stands.
    fn replace(&mut self, old: &str, new: &str) {
        for field in &mut self.fields {
            *field = replaced(field, old.as_bytes(), new.as_bytes());
        }
    }
}
