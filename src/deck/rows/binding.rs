//! N20 to N29: what binds the data to the document, and the chip to the data.

use cancuoc_primitives::group::{GroupSecret, PublicElement};
use cancuoc_primitives::hash::HashAlgorithm;

use super::fields::Dg13Draft;
use crate::apdu::tlv::{Tag, encode};
use crate::deck::entry::{failed, skipped, warned};
use crate::deck::portrait::{FIRST, Face};
use crate::deck::workshop::{CountrySigner, Workshop};
use crate::deck::{Card, DeckError, Entry};
use crate::issue::{AccessRule, ActiveAuthenticationKey, Location};
use crate::lds::sod::{LDS_SECURITY_OBJECT, LdsSecurityObject};
use crate::lds::{
    ChipAuthenticationPublicKeyInfo, Com, DgNumber, FileId, ParameterForm, PublicKey,
    SecurityInfoKind, SecurityInfos, encode_dg14, encode_dg15, security_infos_of_dg14,
};
use crate::pki::KeyKind;

type Made = Result<Card, DeckError>;

const HASHES: &str = "pa.hashes";
const STRUCTURE: &str = "pa.sod_structure";
const COM_SOD: &str = "consistency.com_sod";

pub(super) const ENTRIES: &[Entry] = &[
    Entry::forged("N20-dg1", &[failed(HASHES, "dg_hash_mismatch")], |w| {
        changed(w, 1, |dg1| {
            // The document code, which no check digit covers and nothing repeats.
            *dg1 = replaced(dg1, b"IDVNM", b"I<VNM");
            Ok(())
        })
    }),
    Entry::forged("N20-dg2", &[failed(HASHES, "dg_hash_mismatch")], |w| {
        let mut card = w.card();
        let face = Face { clothes: [0x6B, 0x27, 0x30], ..FIRST };
        *card.group(2)? = super::fields::dg2(face.jpeg());
        Ok(card)
    }),
    Entry::forged("N20-dg13", &[failed(HASHES, "dg_hash_mismatch")], |w| {
        changed(w, 13, |dg13| {
            *dg13 = replaced(dg13, "Số 1, ".as_bytes(), "Số 7, ".as_bytes());
            Ok(())
        })
    }),
    Entry::forged("N20-name", &[failed(HASHES, "dg_hash_mismatch")], |w| {
        // Another name in both places where it stands, so that they still agree.
        let mut card = w.card();
        let dg1 = card.group(1)?;
        *dg1 = replaced(dg1, b"THI<MAU", b"THI<MOI");
        let dg13 = card.group(13)?;
        *dg13 = replaced(dg13, "Nguyễn Thị Mẫu".as_bytes(), "Nguyễn Thị Mới".as_bytes());
        Ok(card)
    }),
    Entry::forged(
        "N20-dg14",
        &[failed(HASHES, "dg_hash_mismatch"), skipped("chip.ca", "key_not_bound")],
        |w| {
            let mut card = w.card();
            own_chip_authentication(w, &mut card)?;
            Ok(card)
        },
    ),
    Entry::forged(
        "N20-dg15",
        &[failed(HASHES, "dg_hash_mismatch"), skipped("chip.aa", "key_not_bound")],
        |w| {
            let mut card = w.card();
            own_active_authentication(w, &mut card)?;
            Ok(card)
        },
    ),
    Entry::forged("N21-portrait", &[failed(HASHES, "dg_hash_mismatch")], |w| {
        let mut card = w.card();
        let other = w.second_card().group(2)?.clone();
        *card.group(2)? = other;
        Ok(card)
    }),
    Entry::forged("N22-dg11", &[failed(HASHES, "dg_not_in_sod")], |w| {
        let mut card = w.card();
        card.add_group(11, encode(Tag(0x6B), &encode(Tag(0x5C), &[0x5F, 0x0E])))?;
        Ok(card)
    }),
    Entry::forged(
        "N22-dg16-listed",
        &[failed(HASHES, "dg_not_in_sod"), failed(COM_SOD, "com_lists_unsigned")],
        |w| {
            let mut card = w.card();
            card.add_group(16, encode(Tag(0x70), &encode(Tag(0x02), &[0])))?;
            com(&mut card, |com| com.tags.push(0x70))?;
            Ok(card)
        },
    ),
    Entry::forged("N23-dg13-missing", &[failed(HASHES, "dg_missing")], |w| without(w, 13)),
    Entry::forged(
        "N23-dg14-missing",
        &[
            failed(HASHES, "dg_missing"),
            skipped("chip.ca", "not_offered"),
            // The algorithm of the key in DG15 stood there too.
            failed("chip.aa", "aa_hash_not_announced"),
        ],
        |w| without(w, 14),
    ),
    Entry::forged("N23-dg1-denied", &[failed(HASHES, "dg_denied")], |w| denied(w, 1)),
    Entry::forged("N23-dg2-denied", &[failed(HASHES, "dg_denied")], |w| denied(w, 2)),
    Entry::forged("N24-com-hides", &[failed(COM_SOD, "com_hides_data_group")], |w| {
        let mut card = w.card();
        com(&mut card, |com| com.tags.retain(|tag| !matches!(tag, 0x6E | 0x6F)))?;
        Ok(card)
    }),
    Entry::forged(
        "N24-hidden-and-gone",
        &[
            failed(HASHES, "dg_missing"),
            failed(COM_SOD, "com_hides_data_group"),
            skipped("chip.ca", "not_offered"),
            skipped("chip.aa", "not_offered"),
        ],
        |w| {
            let mut card = w.card();
            com(&mut card, |com| com.tags.retain(|tag| !matches!(tag, 0x6E | 0x6F)))?;
            for number in [14, 15] {
                card.remove(Location::Lds1, file(number));
            }
            clone_keys(w, &mut card)?;
            Ok(card)
        },
    ),
    Entry::forged("N24-com-lists-more", &[failed(COM_SOD, "com_lists_unsigned")], |w| {
        let mut card = w.card();
        com(&mut card, |com| com.tags.push(0x6B))?;
        Ok(card)
    }),
    Entry::forged("N24-com-malformed", &[failed(COM_SOD, "com_malformed")], |w| {
        let mut card = w.card();
        *card.file(Location::Lds1, FileId::COM)? = encode(Tag(0x60), &encode(Tag(0x5C), &[0x61]));
        Ok(card)
    }),
    Entry::good("N25-good", |w| with_versions(w, "0107", "040000")),
    Entry::forged("N25-lds-version", &[failed(COM_SOD, "lds_version_mismatch")], |w| {
        with_versions(w, "0108", "040000")
    })
    .twin("N25-good"),
    Entry::forged("N25-unicode-version", &[failed(COM_SOD, "lds_version_mismatch")], |w| {
        with_versions(w, "0107", "040100")
    })
    .twin("N25-good"),
    Entry::forged("N26-twice", &[failed(STRUCTURE, "dg_number_repeated")], |w| {
        listing(w, |object| object.hashes.extend_from_within(..1))
    }),
    Entry::forged("N26-dg0", &[failed(STRUCTURE, "dg_number_invalid")], |w| {
        listing(w, |object| object.hashes.insert(0, (0, vec![0x5A; 32])))
    }),
    Entry::forged("N26-dg17", &[failed(STRUCTURE, "dg_number_invalid")], |w| {
        listing(w, |object| object.hashes.push((17, vec![0x5A; 32])))
    }),
    Entry::forged("N26-short-hash", &[failed(STRUCTURE, "dg_hash_length")], |w| {
        listing(w, |object| object.hashes[0].1.truncate(20))
    }),
    Entry::forged("N26-version", &[failed(STRUCTURE, "lds_object_version")], |w| {
        listing(w, |object| object.version = 7)
    }),
    Entry::good("N27-dg14-order", |w| {
        resigned(w, 14, |dg14| {
            let mut infos = security_infos_of_dg14(dg14)?;
            infos.infos.reverse();
            *dg14 = encode_dg14(&infos);
            Ok(())
        })
    }),
    Entry::good("N27-dg13-long-lengths", |w| {
        resigned(w, 13, |dg13| {
            // A length in four bytes where two are enough.
            let value = crate::apdu::tlv::Tlv::parse_exact(dg13).map(|tlv| tlv.value.to_vec());
            let value = value.map_err(|_| DeckError::Defect("DG13"))?;
            let length = (value.len() as u32).to_be_bytes();
            *dg13 = [&[0x6D, 0x84], &length[..], &value].concat();
            Ok(())
        })
    }),
    Entry::good("N27-trailing", |w| {
        // The file is longer than its data object, as files of a fixed size are.
        let mut card = w.card();
        card.group(1)?.extend([0; 32]);
        Ok(card)
    })
    .noting(&[warned(HASHES, "trailing_bytes")]),
    Entry::forged("N27-hash-of-sorted", &[failed(HASHES, "dg_hash_mismatch")], |w| {
        let mut card = w.card();
        let mut sorted = Dg13Draft::of(card.group(13)?)?;
        sorted.fields.sort();
        let mut object = card.security_object(HashAlgorithm::Sha256);
        let hash = HashAlgorithm::Sha256.digest(&sorted.encode());
        object.hashes.iter_mut().filter(|(n, _)| *n == 13).for_each(|(_, own)| *own = hash.clone());
        let signed = w.sign_object(&object, &w.signer)?;
        card.put_sod(&signed)?;
        Ok(card)
    }),
    Entry::forged(
        "N28-clone",
        &[
            failed("chip.ca", "chip_authentication_failed"),
            failed("chip.aa", "aa_signature_invalid"),
        ],
        |w| {
            let mut card = w.card();
            clone_keys(w, &mut card)?;
            Ok(card)
        },
    ),
    Entry::forged(
        "N28-clone-silent",
        &[
            failed("chip.ca", "chip_authentication_failed"),
            failed("chip.aa", "active_authentication_failed"),
        ],
        |w| {
            // A chip that has neither protocol, with the data of one that does.
            let mut card = w.card();
            card.image.chip_authentication.clear();
            card.image.active_authentication = None;
            Ok(card)
        },
    ),
    Entry::unknown(
        "N29-own-keys",
        &[
            skipped("pa.chain", "csca_unknown"),
            skipped("chip.ca", "key_not_bound"),
            skipped("chip.aa", "key_not_bound"),
        ],
        |w| {
            let mut card = w.card();
            own_chip_authentication(w, &mut card)?;
            own_active_authentication(w, &mut card)?;
            let named = ParameterForm::Named;
            let kind = KeyKind::Ec(cancuoc_primitives::curve::Curve::P256);
            let own = w.with_random(|r| CountrySigner::new("VN", "Own CSCA", kind, named, r))?;
            let key = w.ec_key()?;
            let signer = w.with_random(|r| own.document_signer(key, r, |_| {}))?;
            w.sign_by(&mut card, &signer)?;
            Ok(card)
        },
    ),
];

/// A data group changed after it was signed.
fn changed(
    workshop: &Workshop,
    number: u8,
    change: impl FnOnce(&mut Vec<u8>) -> Result<(), DeckError>,
) -> Made {
    let mut card = workshop.card();
    change(card.group(number)?)?;
    Ok(card)
}

/// A data group that was signed as it is.
fn resigned(
    workshop: &Workshop,
    number: u8,
    change: impl FnOnce(&mut Vec<u8>) -> Result<(), DeckError>,
) -> Made {
    let mut card = changed(workshop, number, change)?;
    workshop.sign(&mut card)?;
    Ok(card)
}

/// The bytes with the first occurrence of a text replaced by one of the same length.
pub(super) fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at = out.windows(old.len()).position(|window| window == old);
    if let Some(part) = at.and_then(|at| out.get_mut(at..at + new.len())) {
        part.copy_from_slice(new);
    }
    out
}

fn file(number: u8) -> FileId {
    DgNumber::new(number).map_or(FileId(0), DgNumber::file)
}

fn without(workshop: &Workshop, number: u8) -> Made {
    let mut card = workshop.card();
    card.remove(Location::Lds1, file(number));
    if number == 14 {
        card.image.chip_authentication.clear();
    }
    Ok(card)
}

/// The chip answers that this terminal may not read the group.
fn denied(workshop: &Workshop, number: u8) -> Made {
    let mut card = workshop.card();
    let fid = file(number).0;
    for file in card.image.files.iter_mut().filter(|f| f.fid == fid) {
        file.access = AccessRule::Dg3Right;
    }
    Ok(card)
}

fn com(card: &mut Card, change: impl FnOnce(&mut Com)) -> Result<(), DeckError> {
    let file = card.file(Location::Lds1, FileId::COM)?;
    let mut com = Com::decode(file)?;
    change(&mut com);
    *file = com.encode();
    Ok(())
}

/// An LDS security object of version 1, which has the versions of EF.COM too: 0107 and 040000.
fn with_versions(workshop: &Workshop, lds: &str, unicode: &str) -> Made {
    let mut card = listing(workshop, |object| {
        object.version = 1;
        object.lds_version = Some(("0107".to_owned(), "040000".to_owned()));
    })?;
    com(&mut card, |com| {
        (com.lds_version, com.unicode_version) = (lds.to_owned(), unicode.to_owned());
    })?;
    Ok(card)
}

/// A security object that was signed with other contents.
fn listing(workshop: &Workshop, change: impl FnOnce(&mut LdsSecurityObject)) -> Made {
    let mut card = workshop.card();
    let mut object = card.security_object(HashAlgorithm::Sha256);
    change(&mut object);
    let mut signed = workshop.sign_object(&object, &workshop.signer)?;
    signed.content_type = LDS_SECURITY_OBJECT;
    card.put_sod(&signed)?;
    Ok(card)
}

/// Other private keys on the chip: what a copy has to make do with.
pub(super) fn clone_keys(workshop: &Workshop, card: &mut Card) -> Result<(), DeckError> {
    workshop.with_random(|random| crate::issue::forge::forget_keys(&mut card.image, random))?;
    Ok(())
}

/// A key of one's own for Chip Authentication, on the chip and in DG14.
pub(super) fn own_chip_authentication(
    workshop: &Workshop,
    card: &mut Card,
) -> Result<(), DeckError> {
    let key = card.image.chip_authentication.first_mut().ok_or(DeckError::Defect("no CA key"))?;
    let parameters = key.key.domain_parameters();
    key.key = workshop.with_random(|random| GroupSecret::random(&parameters, random));
    let public = match key.key.public_element() {
        PublicElement::Ec(point) => PublicKey::Ec(point),
        PublicElement::Dh(number) => PublicKey::Dh(number),
    };
    set_chip_key(card, &public.to_spki_der(ParameterForm::Explicit))
}

/// Puts a SubjectPublicKeyInfo in the place of the one in DG14.
pub(super) fn set_chip_key(card: &mut Card, spki: &[u8]) -> Result<(), DeckError> {
    let dg14 = card.group(14)?;
    let infos = security_infos_of_dg14(dg14)?.infos.into_iter().map(|info| match info.kind {
        SecurityInfoKind::ChipAuthenticationPublicKey(own) => {
            SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
                spki: spki.to_vec(),
                ..own
            })
        }
        kind => kind,
    });
    *dg14 = encode_dg14(&SecurityInfos::from_kinds(infos));
    Ok(())
}

/// A key of one's own for Active Authentication, on the chip and in DG15.
fn own_active_authentication(workshop: &Workshop, card: &mut Card) -> Result<(), DeckError> {
    clone_active_authentication(workshop, card)?;
    let public = match &card.image.active_authentication {
        Some(ActiveAuthenticationKey::Ecdsa { key, .. }) => PublicKey::Ec(key.public_point()),
        Some(ActiveAuthenticationKey::Rsa { key, .. }) => PublicKey::Rsa(key.public_key()),
        None => return Err(DeckError::Defect("no AA key")),
    };
    *card.group(15)? = encode_dg15(&public);
    Ok(())
}

fn clone_active_authentication(workshop: &Workshop, card: &mut Card) -> Result<(), DeckError> {
    let chip = card.image.chip_authentication.clone();
    clone_keys(workshop, card)?;
    card.image.chip_authentication = chip;
    Ok(())
}
