//! N30 to N33: what the chip answers when it shall prove that it is no copy.

use cancuoc_primitives::ecdsa::sign_prehashed;
use cancuoc_primitives::group::DomainParameters;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;

use super::binding::set_chip_key;
use crate::apdu::tlv::{Tag, encode};
use crate::deck::entry::failed;
use crate::deck::workshop::Workshop;
use crate::deck::{Card, DeckError, Entry};
use crate::issue::ActiveAuthenticationKey;
use crate::lds::{
    ChipAuthenticationPublicKeyInfo, Element, KeyAgreement, ParameterForm, PublicKey,
    SecurityInfoKind, SecurityInfos, encode_dg14, encode_dg15, encode_domain_parameters,
    security_infos_of_dg14, write,
};
use crate::softcard::misbehaviour::{Act, Recoverable, When, WrongContent, WrongKeys};

type Made = Result<Card, DeckError>;

const AA: &str = "chip.aa";
const CA: &str = "chip.ca";
/// Name of the good card that signs with RSA.
const RSA: &str = "N31-rsa";
const SHA256: HashAlgorithm = HashAlgorithm::Sha256;
/// INTERNAL AUTHENTICATE.
const SIGN: When = When::ins(0x88);

pub(super) const ENTRIES: &[Entry] = &[
    Entry::forged("N30-replayed", &[failed(AA, "aa_signature_invalid")], |w| {
        // A signature that the genuine chip made once, over another terminal's challenge.
        let signature = signature(w, &[0x5A; 8])?;
        Ok(w.card().misbehaving(SIGN, answer(signature)))
    }),
    Entry::forged("N30-cut", &[failed(AA, "aa_signature_length")], |w| {
        let mut signature = signature(w, &[0x5A; 8])?;
        signature.pop();
        Ok(w.card().misbehaving(SIGN, answer(signature)))
    }),
    Entry::forged("N30-refused", &[failed(AA, "active_authentication_failed")], |w| {
        let refusal = WrongContent::Answer { data: Vec::new(), status: 0x6A88 };
        Ok(w.card().misbehaving(SIGN, Act::Respond(refusal)))
    }),
    Entry::good(RSA, rsa),
    Entry::good("N31-rsa-1024-allowed", rsa_1024).under("standard"),
    Entry::forged("N31-trailer", &[failed(AA, "aa_recovered_trailer")], |w| {
        recoverable(w, 0x6A, SHA256, &[0x99, 0xCC])
    })
    .twin(RSA),
    Entry::forged("N31-trailer-of-another-hash", &[failed(AA, "aa_signature_invalid")], |w| {
        recoverable(w, 0x6A, SHA256, &[0xBC])
    })
    .twin(RSA),
    Entry::forged("N31-header", &[failed(AA, "aa_recovered_header")], |w| {
        recoverable(w, 0x4A, SHA256, &[0x34, 0xCC])
    })
    .twin(RSA),
    Entry::forged("N31-sha1", &[failed(AA, "policy_aa_hash")], |w| {
        with_rsa(w, w.rsa_secret()?, HashAlgorithm::Sha1)
    })
    .twin(RSA),
    Entry::forged("N31-rsa-1024", &[failed(AA, "policy_aa_key")], rsa_1024).twin(RSA),
    Entry::forged("N31-rsa-768", &[failed(AA, "rsa_key_invalid")], |w| {
        let mut card = w.card();
        let numbers = write::sequence(&[
            &write::positive_integer(super::rsa::RSA_768.0),
            &write::integer(65_537),
        ]);
        let oid = const_oid::ObjectIdentifier::new_unwrap(super::rsa::RSA_ENCRYPTION);
        let algorithm = write::sequence(&[&write::oid(&oid), &[5, 0]]);
        let spki = write::sequence(&[&algorithm, &write::bits(&numbers)]);
        *card.group(15)? = encode(Tag(0x6F), &spki);
        w.sign(&mut card)?;
        Ok(card)
    })
    .twin(RSA),
    Entry::forged("N31-other-hash", &[failed(AA, "aa_signature_invalid")], |w| {
        // DG14 says SHA-256, the chip takes SHA-384.
        let mut card = w.card();
        if let Some(ActiveAuthenticationKey::Ecdsa { hash, .. }) =
            &mut card.image.active_authentication
        {
            *hash = HashAlgorithm::Sha384;
        }
        Ok(card)
    }),
    Entry::forged("N32-old-keys", &[failed(CA, "chip_authentication_failed")], |w| {
        Ok(w.card().misbehaving(When::ins(0x86), Act::NextKeys(WrongKeys::Former)))
    }),
    Entry::forged("N32-foreign-keys", &[failed(CA, "chip_authentication_failed")], |w| {
        Ok(w.card().misbehaving(When::ins(0x86), Act::NextKeys(WrongKeys::Foreign)))
    }),
    Entry::forged("N32-refused", &[failed(CA, "chip_authentication_failed")], |w| {
        let refusal = WrongContent::Answer { data: Vec::new(), status: 0x6A80 };
        let choose = When::ins(0x22).p1(0x41);
        Ok(w.card().misbehaving(choose, Act::Respond(refusal)))
    }),
    Entry::forged("N33-off-curve", &[failed(CA, "public_key_point_invalid")], |w| {
        with_chip_point(w, |point| {
            if let Some(last) = point.last_mut() {
                *last ^= 1;
            }
        })
    }),
    Entry::forged("N33-infinity", &[failed(CA, "public_key_point_invalid")], |w| {
        with_chip_point(w, |point| *point = vec![0])
    }),
    Entry::forged("N33-other-curve", &[failed(CA, "public_key_point_invalid")], |w| {
        // A point of another curve than the parameters beside it, on which it would be a key.
        let other = crate::deck::workshop::point(&w.signer.key);
        with_chip_point(w, |point| *point = other)
    }),
    Entry::forged("N33-generator", &[failed(CA, "chip_authentication_failed")], |w| {
        // The private key is one: everybody has it.
        let parameters = w.card().image.chip_authentication[0].key.domain_parameters();
        let generator = parameters.generator().to_bytes();
        with_chip_point(w, |point| *point = generator)
    }),
    Entry::forged("N33-small-order", &[failed(CA, "public_key_number_invalid")], small_order),
];

fn answer(data: Vec<u8>) -> Act {
    Act::Respond(WrongContent::Answer { data, status: 0x9000 })
}

/// What the chip of the first holder signs.
fn signature(workshop: &Workshop, challenge: &[u8]) -> Result<Vec<u8>, DeckError> {
    let Some(ActiveAuthenticationKey::Ecdsa { key, hash }) =
        workshop.card().image.active_authentication
    else {
        return Err(DeckError::Defect("no AA key"));
    };
    let digest = hash.digest(challenge);
    let signature = workshop.with_random(|random| sign_prehashed(&key, &digest, random))?;
    Ok(signature.to_plain(key.curve())?)
}

fn rsa(workshop: &Workshop) -> Made {
    with_rsa(workshop, workshop.rsa_secret()?, SHA256)
}

fn rsa_1024(workshop: &Workshop) -> Made {
    with_rsa(workshop, workshop.weak_rsa_secret()?, SHA256)
}

/// A card that authenticates itself with RSA.
fn with_rsa(workshop: &Workshop, key: RsaPrivateKey, hash: HashAlgorithm) -> Made {
    let mut card = workshop.card();
    *card.group(15)? = encode_dg15(&PublicKey::Rsa(key.public_key()));
    card.image.active_authentication = Some(ActiveAuthenticationKey::Rsa { key, hash });
    workshop.sign(&mut card)?;
    Ok(card)
}

/// The same, whose signatures are made otherwise.
fn recoverable(workshop: &Workshop, header: u8, hash: HashAlgorithm, trailer: &[u8]) -> Made {
    let key = workshop.rsa_secret()?;
    let numbers = key.components()?;
    let recipe = Recoverable {
        modulus: numbers.n.to_vec(),
        exponent: numbers.e.to_vec(),
        private_exponent: numbers.d.to_vec(),
        primes: [numbers.p.to_vec(), numbers.q.to_vec()],
        header,
        hash: hash.name().to_owned(),
        trailer: trailer.to_vec(),
    };
    let act = Act::Respond(WrongContent::Recoverable(Box::new(recipe)));
    Ok(rsa(workshop)?.misbehaving(SIGN, act))
}

/// Another point in the key of Chip Authentication, signed so.
fn with_chip_point(workshop: &Workshop, change: impl FnOnce(&mut Vec<u8>)) -> Made {
    let mut card = workshop.card();
    let infos = security_infos_of_dg14(card.group(14)?)?;
    let own = infos.chip_authentication_keys().next().ok_or(DeckError::Defect("no CA key"))?;
    let mut spki = Element::parse("key", &own.spki)?.children();
    let algorithm = spki.any()?.raw().to_vec();
    let mut point = spki.any()?.bits()?.to_vec();
    change(&mut point);
    set_chip_key(&mut card, &write::sequence(&[&algorithm, &write::bits(&point)]))?;
    workshop.sign(&mut card)?;
    Ok(card)
}

/// A key over a prime field that has only two powers: p - 1.
fn small_order(workshop: &Workshop) -> Made {
    let parameters = DomainParameters::standardised(2).ok_or(DeckError::Defect("a prime field"))?;
    let DomainParameters::Dh(group) = &parameters else {
        return Err(DeckError::Defect("a prime field"));
    };
    let mut number = group.p().to_vec();
    if let Some(last) = number.last_mut() {
        *last -= 1;
    }
    let algorithm = encode_domain_parameters(&parameters, ParameterForm::Explicit);
    let number = write::bits(&write::positive_integer(&number));
    let spki = write::sequence(&[&algorithm, &number]);
    let mut card = workshop.card();
    let dg14 = card.group(14)?;
    let key = SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: KeyAgreement::Dh,
        spki,
        key_id: None,
    });
    let infos = security_infos_of_dg14(dg14)?.infos.into_iter().map(|info| match info.kind {
        SecurityInfoKind::ChipAuthenticationPublicKey(_) => key.clone(),
        kind => kind,
    });
    *dg14 = encode_dg14(&SecurityInfos::from_kinds(infos));
    workshop.sign(&mut card)?;
    Ok(card)
}
