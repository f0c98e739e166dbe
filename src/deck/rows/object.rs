//! N11 to N19: the security object, its signature, and the algorithms of it.

use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::modular::Modulus;
use const_oid::ObjectIdentifier;

use super::rsa;
use crate::apdu::tlv::{Tag, encode};
use crate::deck::certificate::{CertificateDraft, key_identifier};
use crate::deck::entry::failed;
use crate::deck::signed_object::{
    CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, SignedObject, SignerDraft, issuer_and_serial,
};
use crate::deck::workshop::{DocumentSigner, SIGNED_AT, Workshop, point};
use crate::deck::{Card, DeckError, Entry};
use crate::lds::sod::LDS_SECURITY_OBJECT_LEGACY;
use crate::lds::{Element, SignatureAlgorithm, tag, write};
use crate::pki::Signer;

type Made = Result<Card, DeckError>;

pub(super) const SIGNATURE: &str = "pa.sod_signature";
const STRUCTURE: &str = "pa.sod_structure";

/// id-data.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

pub(super) const ENTRIES: &[Entry] = &[
    Entry::forged("N11-signature", &[failed(SIGNATURE, "signature_invalid")], |w| {
        object(w, |_, object| {
            flip_last(&mut object.signers[0].signature);
            Ok(())
        })
    }),
    Entry::forged("N11-attributes", &[failed(SIGNATURE, "signature_invalid")], |w| {
        object(w, |_, object| {
            let time = encode(tag::UTC_TIME, b"240601000001Z");
            object.signers[0].set_attribute(SIGNING_TIME, time);
            Ok(())
        })
    }),
    Entry::forged("N11-content", &[failed(SIGNATURE, "message_digest_mismatch")], |w| {
        // The hash of DG3, which no terminal here can read: nothing else tells.
        let mut card = w.card();
        let hashes = card.security_object(HashAlgorithm::Sha256);
        let mut object = w.sign_object(&hashes, &w.signer)?;
        let mut changed = hashes;
        changed.hashes.iter_mut().filter(|(n, _)| *n == 3).for_each(|(_, hash)| flip_last(hash));
        object.content = changed.encode();
        card.put_sod(&object)?;
        Ok(card)
    }),
    Entry::forged("N12-message-digest", &[failed(SIGNATURE, "message_digest_mismatch")], |w| {
        attribute(w, MESSAGE_DIGEST, write::octets(&HashAlgorithm::Sha256.digest(b"")))
    }),
    Entry::good("N13-legacy-type", |w| of_type(w, LDS_SECURITY_OBJECT_LEGACY)),
    Entry::forged("N13-attribute", &[failed(SIGNATURE, "content_type_mismatch")], |w| {
        attribute(w, CONTENT_TYPE, write::oid(&DATA))
    }),
    Entry::forged("N13-foreign-type", &[failed(STRUCTURE, "sod_content_type")], |w| {
        of_type(w, DATA)
    }),
    Entry::forged("N13-no-attributes", &[failed(SIGNATURE, "signed_attributes_missing")], |w| {
        object(w, |w, object| {
            let content = object.content.clone();
            let signer = &mut object.signers[0];
            signer.attributes.clear();
            signer.signature = w.with_random(|random| w.signer.key.sign(&content, random))?;
            Ok(())
        })
    }),
    Entry::good("N14-key-identifier", |w| {
        object(w, |w, object| {
            let identifier = key_identifier(&w.signer.key.public_key());
            object.signers[0].identifier = encode(Tag(0x80), &identifier);
            Ok(())
        })
    }),
    Entry::forged("N14-no-signer", &[failed(STRUCTURE, "sod_no_signer")], |w| {
        object(w, |_, object| {
            object.signers.clear();
            Ok(())
        })
    }),
    Entry::forged("N14-two-signers", &[failed(STRUCTURE, "sod_several_signers")], |w| {
        object(w, |_, object| {
            let mut second = object.signers[0].clone();
            flip_last(&mut second.signature);
            object.signers.push(second);
            Ok(())
        })
    }),
    Entry::forged("N14-no-certificate", &[failed(SIGNATURE, "ds_certificate_not_found")], |w| {
        object(w, |_, object| {
            object.certificates.clear();
            Ok(())
        })
    }),
    Entry::forged("N14-other-serial", &[failed(SIGNATURE, "ds_certificate_not_found")], |w| {
        object(w, |w, object| {
            let other = w.signer_with(w.signer.key.clone(), |request| request.serial = &[0x63])?;
            object.signers[0].identifier = issuer_and_serial(&other.certificate)?;
            Ok(())
        })
    }),
    Entry::forged("N14-two-certificates", &[failed(SIGNATURE, "ds_certificate_ambiguous")], |w| {
        object(w, |w, object| {
            // Of the same name and serial number, for another key.
            let other = w.signer_with(w.ec_key()?, |_| {})?;
            object.certificates.push(other.certificate);
            Ok(())
        })
    }),
    Entry::good("N15-other-half", |w| {
        // n - s signs what s signs: unusual, and right.
        ecdsa(w, |n, _, s| *s = subtract(n, s))
    }),
    Entry::forged("N15-both-zero", &[failed(SIGNATURE, "signature_out_of_range")], |w| {
        ecdsa(w, |_, r, s| (*r, *s) = (vec![0], vec![0]))
    }),
    Entry::forged("N15-r-zero", &[failed(SIGNATURE, "signature_out_of_range")], |w| {
        ecdsa(w, |_, r, _| *r = vec![0])
    }),
    Entry::forged("N15-s-zero", &[failed(SIGNATURE, "signature_out_of_range")], |w| {
        ecdsa(w, |_, _, s| *s = vec![0])
    }),
    Entry::forged("N15-r-is-order", &[failed(SIGNATURE, "signature_out_of_range")], |w| {
        ecdsa(w, |n, r, _| *r = n.to_vec())
    }),
    Entry::forged("N15-s-above-order", &[failed(SIGNATURE, "signature_out_of_range")], |w| {
        // s + n is s again for whoever reduces it.
        ecdsa(w, |n, _, s| *s = add(n, s))
    }),
    Entry::forged("N15-negative", &[failed(SIGNATURE, "signature_malformed")], |w| {
        ecdsa_der(w, |r, s| {
            // Without the zero in front, r is a negative number: retried until it would be.
            sequence(&[&encode(tag::INTEGER, r), &write::positive_integer(s)])
        })
    }),
    Entry::forged("N15-not-minimal", &[failed(SIGNATURE, "signature_malformed")], |w| {
        ecdsa_der(w, |r, s| {
            let padded = encode(tag::INTEGER, &[&[0, 0], r].concat());
            sequence(&[&padded, &write::positive_integer(s)])
        })
    }),
    Entry::forged("N15-trailing", &[failed(SIGNATURE, "signature_malformed")], |w| {
        ecdsa_der(w, |r, s| {
            let good = sequence(&[&write::positive_integer(r), &write::positive_integer(s)]);
            [good, vec![0, 0]].concat()
        })
    }),
    Entry::forged("N15-third-number", &[failed(SIGNATURE, "signature_malformed")], |w| {
        ecdsa_der(w, |r, s| {
            let (r, s) = (write::positive_integer(r), write::positive_integer(s));
            sequence(&[&r, &s, &write::integer(1)])
        })
    }),
    Entry::forged("N17-digest", &[failed(SIGNATURE, "digest_algorithm_mismatch")], |w| {
        // Everything is as SHA-1 wants it but the algorithm of the signature.
        object(w, |w, object| {
            let digest = HashAlgorithm::Sha1.digest(&object.content);
            let signer = &mut object.signers[0];
            signer.digest = HashAlgorithm::Sha1.oid();
            signer.set_attribute(MESSAGE_DIGEST, write::octets(&digest));
            w.with_random(|random| signer.sign(&w.signer.key, random))
        })
    }),
    Entry::forged("N17-rsa-key", &[failed(SIGNATURE, "signature_key_mismatch")], |w| {
        let signer = w.signer_with(w.rsa_key()?, |_| {})?;
        object_by(w, &signer, |_, object| {
            let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);
            object.signers[0].algorithm = algorithm.to_der();
            Ok(())
        })
    })
    .twin(rsa::GOOD),
    Entry::forged("N17-curve-key", &[failed(SIGNATURE, "signature_key_mismatch")], |w| {
        object(w, |_, object| {
            let algorithm = SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256);
            object.signers[0].algorithm = algorithm.to_der();
            Ok(())
        })
    }),
    Entry::forged("N18-sha1-hashes", &[failed("pa.hashes", "policy_data_group_hash")], sha1_hashes),
    Entry::good("N18-sha1-hashes-allowed", sha1_hashes).under(LEGACY),
    Entry::forged(
        "N18-sha1-signature",
        &[failed(SIGNATURE, "policy_signature_hash")],
        sha1_signature,
    ),
    Entry::good("N18-sha1-signature-allowed", sha1_signature).under(LEGACY),
    Entry::forged(
        "N18-sha1-certificate",
        &[failed("pa.chain", "policy_certificate_hash")],
        sha1_certificate,
    ),
    Entry::good("N18-sha1-certificate-allowed", sha1_certificate).under(LEGACY),
    Entry::forged("N18-md5-hashes", &[failed(STRUCTURE, "algorithm_broken")], |w| {
        use md5::Digest;
        let mut card = w.card();
        let mut hashes = card.security_object(HashAlgorithm::Sha256);
        hashes.hash_algorithm = ObjectIdentifier::new_unwrap(rsa::MD5);
        for (number, hash) in &mut hashes.hashes {
            let number = u8::try_from(*number).unwrap_or_default();
            *hash = md5::Md5::digest(card.group(number)?).to_vec();
        }
        let object = w.sign_object(&hashes, &w.signer)?;
        card.put_sod(&object)?;
        Ok(card)
    }),
    Entry::good("N19-brainpool-explicit", |w| {
        let key = w.key(crate::pki::KeyKind::Ec(Curve::BrainpoolP256r1))?;
        let explicit = crate::lds::ParameterForm::Explicit;
        let signer = w.signer_with(key, |request| request.parameters = explicit)?;
        object_by(w, &signer, |_, _| Ok(()))
    }),
    Entry::forged("N19-off-curve", &[failed(SIGNATURE, "public_key_point_invalid")], |w| {
        with_point(w, |point| flip_last(point))
    }),
    Entry::forged("N19-infinity", &[failed(SIGNATURE, "public_key_point_invalid")], |w| {
        with_point(w, |point| *point = vec![0])
    }),
    Entry::forged("N19-compressed", &[failed(SIGNATURE, "public_key_point_invalid")], |w| {
        with_point(w, |point| {
            let odd = point.last().is_some_and(|last| last & 1 == 1);
            point.truncate(33);
            point[0] = 2 + u8::from(odd);
        })
    }),
];

/// The policy that takes old algorithms.
pub(super) const LEGACY: &str = "policies/legacy.toml";

fn flip_last(bytes: &mut [u8]) {
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    write::sequence(parts)
}

/// A card whose security object is changed after it was signed.
fn object(
    workshop: &Workshop,
    change: impl FnOnce(&Workshop, &mut SignedObject) -> Result<(), DeckError>,
) -> Made {
    object_by(workshop, &workshop.signer, change)
}

/// The same by another document signer.
pub(super) fn object_by(
    workshop: &Workshop,
    signer: &DocumentSigner,
    change: impl FnOnce(&Workshop, &mut SignedObject) -> Result<(), DeckError>,
) -> Made {
    let mut card = workshop.card();
    let hashes = card.security_object(HashAlgorithm::Sha256);
    let mut object = workshop.sign_object(&hashes, signer)?;
    change(workshop, &mut object)?;
    card.put_sod(&object)?;
    Ok(card)
}

/// A signed attribute with another value, signed so.
fn attribute(workshop: &Workshop, name: &str, value: Vec<u8>) -> Made {
    object(workshop, |w, object| {
        let signer = &mut object.signers[0];
        signer.set_attribute(name, value);
        w.with_random(|random| signer.sign(&w.signer.key, random))
    })
}

/// Content of another type, said so in the attribute too.
fn of_type(workshop: &Workshop, content_type: ObjectIdentifier) -> Made {
    object(workshop, |w, object| {
        object.content_type = content_type;
        let mut signer = SignerDraft::new(content_type, &object.content, &w.signer, SIGNED_AT)?;
        w.with_random(|random| signer.sign(&w.signer.key, random))?;
        object.signers = vec![signer];
        Ok(())
    })
}

/// The signature with other numbers in strict DER.
fn ecdsa(workshop: &Workshop, change: impl FnOnce(&[u8], &mut Vec<u8>, &mut Vec<u8>)) -> Made {
    let order = Curve::P256.parameters().n;
    object(workshop, |_, object| {
        let (mut r, mut s) = numbers(&object.signers[0].signature)?;
        change(order, &mut r, &mut s);
        let (r, s) = (write::positive_integer(&r), write::positive_integer(&s));
        object.signers[0].signature = sequence(&[&r, &s]);
        Ok(())
    })
}

/// The signature in an encoding of its own, of an r whose first bit is set.
fn ecdsa_der(workshop: &Workshop, encoding: impl FnOnce(&[u8], &[u8]) -> Vec<u8>) -> Made {
    object(workshop, |w, object| {
        let signer = &mut object.signers[0];
        loop {
            w.with_random(|random| signer.sign(&w.signer.key, random))?;
            let (r, s) = numbers(&signer.signature)?;
            if r.len() == 32 && r[0] & 0x80 != 0 {
                signer.signature = encoding(&r, &s);
                return Ok(());
            }
        }
    })
}

/// r and s without leading zeros.
fn numbers(signature: &[u8]) -> Result<(Vec<u8>, Vec<u8>), DeckError> {
    let mut children = Element::parse("signature", signature)?.children();
    let mut next = || Ok::<_, DeckError>(children.any()?.positive_integer()?.to_vec());
    Ok((next()?, next()?))
}

/// n - s.
fn subtract(n: &[u8], s: &[u8]) -> Vec<u8> {
    let negated = Modulus::new(n).ok().and_then(|modulus| Some(modulus.element(s)?.neg()));
    negated.map(|residue| residue.to_bytes().to_vec()).unwrap_or_default()
}

/// n + s, one byte longer.
fn add(n: &[u8], s: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let padding = vec![0; n.len() - s.len()];
    let s = [&padding, s].concat();
    let mut sum: Vec<u8> = n
        .iter()
        .zip(&s)
        .rev()
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            sum as u8
        })
        .collect();
    sum.push(carry as u8);
    sum.reverse();
    sum
}

fn sha1_hashes(workshop: &Workshop) -> Made {
    let mut card = workshop.card();
    let hashes = card.security_object(HashAlgorithm::Sha1);
    let object = workshop.sign_object(&hashes, &workshop.signer)?;
    card.put_sod(&object)?;
    Ok(card)
}

fn sha1_signature(workshop: &Workshop) -> Made {
    let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha1);
    let key = workshop.signer.key.clone().with_algorithm(algorithm)?;
    let signer = DocumentSigner { key, certificate: workshop.signer.certificate.clone() };
    object_by(workshop, &signer, |_, _| Ok(()))
}

fn sha1_certificate(workshop: &Workshop) -> Made {
    let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha1);
    let csca = workshop.csca.key.clone().with_algorithm(algorithm)?;
    let draft = CertificateDraft::of(&workshop.signer.certificate)?;
    let certificate = workshop.with_random(|random| draft.sign(&csca, random))?;
    let signer = DocumentSigner { key: workshop.signer.key.clone(), certificate };
    object_by(workshop, &signer, |_, _| Ok(()))
}

/// A document signer whose certificate has the point of its key in another form.
fn with_point(workshop: &Workshop, change: impl FnOnce(&mut Vec<u8>)) -> Made {
    let mut public = point(&workshop.signer.key);
    change(&mut public);
    let mut draft = CertificateDraft::of(&workshop.signer.certificate)?;
    let algorithm = Element::parse("key", &draft.key)?.children().any()?.raw().to_vec();
    draft.key = sequence(&[&algorithm, &write::bits(&public)]);
    let certificate = workshop.with_random(|random| draft.sign(&workshop.csca.key, random))?;
    let signer = DocumentSigner { key: workshop.signer.key.clone(), certificate };
    object_by(workshop, &signer, |_, _| Ok(()))
}
