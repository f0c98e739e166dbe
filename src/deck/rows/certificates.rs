//! N01 to N08 and N10: the document signer, who issued its certificate, and what the verifier trusts.

use cancuoc_primitives::curve::{Curve, Point, SecretScalar};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::modular::Modulus;

use super::object::object_by;
use crate::apdu::tlv::encode;
use crate::deck::certificate::{
    AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, CertificateDraft, EXTENDED_KEY_USAGE, KEY_USAGE,
    authority_key_identifier, key_identifier, signed,
};
use crate::deck::entry::{failed, skipped};
use crate::deck::signed_object::SIGNING_TIME;
use crate::deck::trust::{self, foreign_csca};
use crate::deck::workshop::{CountrySigner, DocumentSigner, Workshop, validity};
use crate::deck::{Card, DeckError, Entry};
use crate::lds::{Element, ParameterForm, PublicKey, SignatureAlgorithm, tag, write};
use crate::pki::{CertificateKind, CertificateRequest, KeyKind, Signer, country_name, issue};

type Made = Result<Card, DeckError>;

const CHAIN: &str = "pa.chain";
const SIGNER: &str = "pa.ds_certificate";
const REVOCATION: &str = "pa.revocation";
const SIGNATURE: &str = "pa.sod_signature";
/// Name of the good card whose signer does not tell when it signed.
const NO_TIME: &str = "N06-no-time";
const REVOCATION_GOOD: &str = "N07-good";
const EXPLICIT: &str = "N08-explicit";

/// Key usage of a document signer, as BIT STRING.
const DIGITAL_SIGNATURE: [u8; 4] = [3, 2, 7, 0x80];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::unknown("N01-no-anchor", &[skipped(CHAIN, "csca_unknown")], |w| Ok(w.card()))
        .trusting(trust::NOBODY),
    Entry::unknown("N01-self-signed", &[skipped(CHAIN, "csca_unknown")], |w| {
        let key = w.ec_key()?;
        let name = country_name("VN", "Forgery deck, for tests only", "Own document signer");
        let mut draft = CertificateDraft::of(&w.signer.certificate)?;
        draft = draft.with(
            AUTHORITY_KEY_IDENTIFIER,
            false,
            &authority_key_identifier(&key_identifier(&key.public_key())),
        );
        (draft.issuer, draft.subject) = (name.clone(), name);
        draft.key = key.public_key().to_spki_der(ParameterForm::Named);
        let certificate = w.with_random(|random| draft.sign(&key, random))?;
        object_by(w, &DocumentSigner { key, certificate }, |_, _| Ok(()))
    }),
    Entry::forged("N02-same-name", &[failed(CHAIN, "csca_signature_invalid")], |w| {
        // A CA of the same name and key identifier, which comes along in the security object.
        let fake = namesake(w)?;
        let certificate = CertificateDraft::of(&fake.certificate)?.with(
            crate::deck::certificate::SUBJECT_KEY_IDENTIFIER,
            false,
            &write::octets(&key_identifier(&w.csca.key.public_key())),
        );
        let ca = w.with_random(|random| certificate.sign(&fake.key, random))?;
        let signer = w.with_random(|random| issue_under(&fake, &w.csca.name, random, w))?;
        object_by(w, &signer, |_, object| {
            object.certificates.push(ca);
            Ok(())
        })
    }),
    Entry::forged("N02-same-key-identifier", &[failed(CHAIN, "csca_signature_invalid")], |w| {
        let fake = namesake(w)?;
        let name = country_name("VN", "Forgery deck, for tests only", "Another CSCA");
        let signer = w.with_random(|random| issue_under(&fake, &name, random, w))?;
        object_by(w, &signer, |_, _| Ok(()))
    }),
    Entry::forged("N03-other-country", &[failed(CHAIN, "issuing_state_mismatch")], |w| {
        let foreign = foreign_csca()?;
        let key = w.ec_key()?;
        let signer = w.with_random(|random| foreign.document_signer(key, random, |_| {}))?;
        object_by(w, &signer, |_, _| Ok(()))
    })
    .trusting(trust::TWO_COUNTRIES)
    .twin("N03-good"),
    Entry::good("N03-good", |w| Ok(w.card())).trusting(trust::TWO_COUNTRIES),
    Entry::forged(
        "N03-signer-abroad",
        &[
            failed(SIGNER, "issuer_and_subject_country_differ"),
            failed(CHAIN, "csca_of_other_country"),
        ],
        |w| {
            let name = country_name("ZW", "Forgery deck, for tests only", "Document signer");
            changed(w, |mut draft| {
                draft.subject = name;
                draft
            })
        },
    ),
    Entry::forged("N04-signer-by-signer", &[failed(CHAIN, "key_usage_without_cert_sign")], |w| {
        under(w, w.signer.clone())
    }),
    Entry::forged("N04-no-ca", &[failed(CHAIN, "not_a_ca")], |w| {
        // May sign certificates by its key usage, but is no CA.
        let key = w.ec_key()?;
        let middle = by_draft(w, key, |draft| {
            draft.with(KEY_USAGE, true, &[3, 2, 1, 0x06]).with(
                BASIC_CONSTRAINTS,
                true,
                &write::sequence(&[]),
            )
        })?;
        under(w, middle)
    }),
    Entry::forged("N04-path-too-long", &[failed(CHAIN, "path_too_long")], |w| {
        let key = w.ec_key()?;
        let name = country_name("VN", "Forgery deck, for tests only", "CA in the middle");
        let ca = w.signer_with(key, |request| request.kind = CertificateKind::CscaLink)?;
        let mut draft = CertificateDraft::of(&ca.certificate)?;
        draft.subject = name;
        let certificate = w.with_random(|random| draft.sign(&w.csca.key, random))?;
        let middle = DocumentSigner { key: ca.key, certificate };
        under(w, middle)
    }),
    Entry::forged("N04-csca-may-not-sign", &[failed(CHAIN, "key_usage_without_cert_sign")], |w| {
        Ok(w.card())
    })
    .trusting(trust::MAY_NOT_SIGN),
    Entry::good("N05-unknown-extension", |w| {
        changed(w, |draft| draft.with("1.3.6.1.4.1.99999.1", false, &[5, 0]))
    }),
    Entry::forged("N05-unknown-critical", &[failed(SIGNER, "unknown_critical_extension")], |w| {
        changed(w, |draft| draft.with("1.3.6.1.4.1.99999.1", true, &[5, 0]))
    }),
    Entry::forged("N05-usage", &[failed(SIGNER, "key_usage_without_digital_signature")], |w| {
        changed(w, |draft| draft.with(KEY_USAGE, true, &[3, 2, 6, 0x40]))
    }),
    Entry::forged("N05-no-usage", &[failed(SIGNER, "key_usage_without_digital_signature")], |w| {
        changed(w, |draft| draft.without(KEY_USAGE))
    }),
    Entry::forged(
        "N05-signs-certificates",
        &[failed(SIGNER, "document_signer_may_sign_certificates")],
        |w| changed(w, |draft| draft.with(KEY_USAGE, true, &[3, 2, 2, 0x84])),
    ),
    Entry::forged("N05-ca", &[failed(SIGNER, "document_signer_is_a_ca")], |w| {
        changed(w, |draft| draft.with(BASIC_CONSTRAINTS, true, &write::sequence(&[&[1, 1, 0xFF]])))
    }),
    Entry::forged("N05-extended-usage", &[failed(SIGNER, "extended_key_usage_not_allowed")], |w| {
        extended_usage(w, false)
    }),
    Entry::forged("N05-critical-usage", &[failed(SIGNER, "extended_key_usage_not_allowed")], |w| {
        extended_usage(w, true)
    }),
    Entry::forged("N05-repeated", &[failed(SIGNER, "extension_repeated")], |w| {
        changed(w, |mut draft| {
            let usage = crate::deck::certificate::extension(KEY_USAGE, true, &DIGITAL_SIGNATURE);
            draft.extensions.push((KEY_USAGE.to_owned(), usage));
            draft
        })
    }),
    Entry::forged("N05-version-1", &[failed(SIGNER, "certificate_not_v3")], |w| {
        changed(w, |mut draft| {
            draft.version = write::constructed(crate::apdu::tlv::Tag(0xA0), &[&write::integer(0)]);
            draft
        })
    }),
    Entry::good("N06-expired-since", |w| {
        valid(w, "2024-01-01T00:00:00Z", "2025-06-01T00:00:00Z", "2024-12-31T00:00:00Z")
    }),
    Entry::good(NO_TIME, |w| without_time(w, &w.signer)),
    Entry::forged("N06-expired", &[failed(SIGNER, "ds_expired_at_signing")], |w| {
        valid(w, "2024-01-01T00:00:00Z", "2024-05-01T00:00:00Z", "2024-12-31T00:00:00Z")
    }),
    Entry::forged("N06-not-yet-valid", &[failed(SIGNER, "ds_not_yet_valid")], |w| {
        valid(w, "2024-07-01T00:00:00Z", "2034-01-01T00:00:00Z", "2024-12-31T00:00:00Z")
    }),
    Entry::forged("N06-key-period-over", &[failed(SIGNER, "outside_key_usage_period")], |w| {
        valid(w, "2024-01-01T00:00:00Z", "2034-01-01T00:00:00Z", "2024-03-31T00:00:00Z")
    }),
    Entry::forged("N06-expired-no-time", &[failed(SIGNER, "ds_expired")], |w| {
        let old = validity("2024-01-01T00:00:00Z", "2025-06-01T00:00:00Z", "2024-12-31T00:00:00Z");
        let signer = w.signer_with(w.signer.key.clone(), |request| request.validity = old)?;
        without_time(w, &signer)
    })
    .twin(NO_TIME),
    Entry::forged("N06-signed-in-the-future", &[failed(SIGNER, "signed_in_the_future")], |w| {
        let late = validity("2024-01-01T00:00:00Z", "2049-01-01T00:00:00Z", "2048-01-01T00:00:00Z");
        let signer = w.signer_with(w.signer.key.clone(), |request| request.validity = late)?;
        object_by(w, &signer, |w, object| {
            let time = encode(tag::UTC_TIME, b"470601000000Z");
            object.signers[0].set_attribute(SIGNING_TIME, time);
            w.with_random(|random| object.signers[0].sign(&signer.key, random))
        })
    }),
    Entry::forged("N06-before-csca", &[failed(CHAIN, "csca_not_valid_at_issue")], |w| {
        valid(w, "2023-01-01T00:00:00Z", "2034-01-01T00:00:00Z", "2024-12-31T00:00:00Z")
    }),
    Entry::good(REVOCATION_GOOD, |w| Ok(w.card())),
    Entry::forged("N07-revoked", &[failed(REVOCATION, "ds_revoked")], |w| Ok(w.card()))
        .trusting(trust::REVOKED),
    Entry::unknown("N07-csca-revoked", &[skipped(CHAIN, "csca_unknown")], |w| Ok(w.card()))
        .trusting(trust::CSCA_REVOKED),
    Entry::unknown("N07-list-expired", &[skipped(REVOCATION, "crl_expired")], |w| Ok(w.card()))
        .trusting(trust::LIST_EXPIRED)
        .twin(REVOCATION_GOOD),
    Entry::unknown("N07-list-of-another", &[skipped(REVOCATION, "crl_signature_invalid")], |w| {
        Ok(w.card())
    })
    .trusting(trust::LIST_OF_ANOTHER)
    .twin(REVOCATION_GOOD),
    Entry::unknown("N07-no-list", &[skipped(REVOCATION, "crl_missing")], |w| Ok(w.card()))
        .trusting(trust::NO_LIST)
        .twin(REVOCATION_GOOD),
    Entry::good("N07-list-expired-tolerated", |w| Ok(w.card()))
        .under("standard")
        .trusting(trust::LIST_EXPIRED)
        .noting(&[skipped(REVOCATION, "crl_expired")]),
    Entry::good("N08-csca-explicit-p512", |w| {
        let csca = trust::explicit_csca()?;
        let key = w.ec_key()?;
        let signer = w.with_random(|random| csca.document_signer(key, random, |_| {}))?;
        object_by(w, &signer, |_, _| Ok(()))
    })
    .trusting(trust::EXPLICIT_P512),
    Entry::good(EXPLICIT, |w| explicit(w, |_| {})),
    Entry::good("N08-explicit-no-cofactor", |w| explicit(w, |fields| fields.cofactor.clear())),
    Entry::forged("N08-curveball", &[failed(CHAIN, "csca_signature_invalid")], curveball),
    Entry::forged("N08-generator", &[failed(SIGNATURE, "explicit_parameters_unknown")], |w| {
        // The generator is the signer's own public key: its private key is then one.
        let own = crate::deck::workshop::point(&w.signer.key);
        explicit(w, |fields| fields.generator = write::octets(&own))
    })
    .twin(EXPLICIT),
    Entry::forged("N08-prime", &[failed(SIGNATURE, "explicit_parameters_unknown")], |w| {
        explicit(w, |fields| flip_end(&mut fields.field))
    })
    .twin(EXPLICIT),
    Entry::forged("N08-a", &[failed(SIGNATURE, "explicit_parameters_unknown")], |w| {
        explicit(w, |fields| flip_end(&mut fields.a))
    })
    .twin(EXPLICIT),
    Entry::forged("N08-b", &[failed(SIGNATURE, "explicit_parameters_unknown")], |w| {
        explicit(w, |fields| flip_end(&mut fields.b))
    })
    .twin(EXPLICIT),
    Entry::forged("N08-order", &[failed(SIGNATURE, "explicit_parameters_unknown")], |w| {
        explicit(w, |fields| flip_end(&mut fields.order))
    })
    .twin(EXPLICIT),
    Entry::forged("N08-cofactor", &[failed(SIGNATURE, "explicit_parameters_unknown")], |w| {
        explicit(w, |fields| fields.cofactor = write::integer(2))
    })
    .twin(EXPLICIT),
    Entry::good("N10-no-authority-key-identifier", |w| {
        changed(w, |draft| draft.without(AUTHORITY_KEY_IDENTIFIER))
    }),
    Entry::good("N10-other-authority-key-identifier", |w| {
        changed(w, |draft| {
            let other = authority_key_identifier(&[0x5A; 20]);
            draft.with(AUTHORITY_KEY_IDENTIFIER, false, &other)
        })
    }),
    Entry::good("N10-two-of-one-key-identifier", |w| Ok(w.card()))
        .trusting(trust::SAME_KEY_IDENTIFIER),
    Entry::good("N10-two-of-one-name", |w| Ok(w.card())).trusting(trust::SAME_NAME),
    Entry::forged("N10-by-neither", &[failed(CHAIN, "csca_signature_invalid")], |w| {
        let fake = namesake(w)?;
        let signer = w.with_random(|random| issue_under(&fake, &w.csca.name, random, w))?;
        object_by(w, &signer, |_, _| Ok(()))
    })
    .trusting(trust::SAME_KEY_IDENTIFIER)
    .twin("N10-two-of-one-key-identifier"),
];

/// A CA that calls itself as the issuer does.
pub(super) fn namesake(workshop: &Workshop) -> Result<CountrySigner, DeckError> {
    let key = workshop.ec_key()?;
    let named = ParameterForm::Named;
    workshop.with_random(|r| CountrySigner::with_key("VN", "Specimen CSCA", key, named, r))
}

/// A document signer of a false CA, whose certificate names the key of the real one.
fn issue_under(
    fake: &CountrySigner,
    issuer: &[u8],
    random: &mut dyn cancuoc_primitives::CryptoRng,
    workshop: &Workshop,
) -> Result<DocumentSigner, DeckError> {
    let key = crate::pki::SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, random)?;
    let mut draft = CertificateDraft::of(&workshop.signer.certificate)?;
    draft.issuer = issuer.to_vec();
    draft.key = key.public_key().to_spki_der(ParameterForm::Named);
    let certificate = draft.sign(&fake.key, random)?;
    Ok(DocumentSigner { key, certificate })
}

/// A document signer whose certificate is requested otherwise.
fn by_request(workshop: &Workshop, change: impl FnOnce(&mut CertificateRequest<'_>)) -> Made {
    let signer = workshop.signer_with(workshop.signer.key.clone(), change)?;
    object_by(workshop, &signer, |_, _| Ok(()))
}

/// A document signer's certificate that the issuer made otherwise.
fn by_draft(
    workshop: &Workshop,
    key: crate::pki::SoftwareKey,
    change: impl FnOnce(CertificateDraft) -> CertificateDraft,
) -> Result<DocumentSigner, DeckError> {
    let usual = workshop.signer_with(key, |_| {})?;
    let draft = change(CertificateDraft::of(&usual.certificate)?);
    let certificate = workshop.with_random(|random| draft.sign(&workshop.csca.key, random))?;
    Ok(DocumentSigner { key: usual.key, certificate })
}

/// A card of such a document signer, with the usual key.
fn changed(workshop: &Workshop, change: impl FnOnce(CertificateDraft) -> CertificateDraft) -> Made {
    let signer = by_draft(workshop, workshop.signer.key.clone(), change)?;
    object_by(workshop, &signer, |_, _| Ok(()))
}

/// For TLS servers: anybody can have such a certificate.
fn extended_usage(workshop: &Workshop, critical: bool) -> Made {
    let server = const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
    let usage = write::sequence(&[&write::oid(&server)]);
    changed(workshop, |draft| draft.with(EXTENDED_KEY_USAGE, critical, &usage))
}

/// A document signer of a validity.
fn valid(workshop: &Workshop, from: &str, until: &str, key_until: &str) -> Made {
    by_request(workshop, |request| request.validity = validity(from, until, key_until))
}

/// A security object that does not tell when it was signed.
fn without_time(workshop: &Workshop, signer: &DocumentSigner) -> Made {
    object_by(workshop, signer, |w, object| {
        object.signers[0].attributes.retain(|(name, _)| *name != SIGNING_TIME);
        w.with_random(|random| object.signers[0].sign(&signer.key, random))
    })
}

/// A document signer below another certificate, which comes along.
fn under(workshop: &Workshop, middle: DocumentSigner) -> Made {
    let draft = CertificateDraft::of(&middle.certificate)?;
    let key = workshop.ec_key()?;
    let (public_key, issuer_key) = (key.public_key(), middle.key.public_key());
    let subject = country_name("VN", "Forgery deck, for tests only", "Signer below");
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[0x5D, 0x02],
        issuer: &draft.subject,
        subject: &subject,
        country: "VN",
        public_key: &public_key,
        parameters: ParameterForm::Named,
        issuer_key: &issuer_key,
        validity: crate::deck::workshop::usual_validity(),
    };
    let certificate = workshop.with_random(|random| issue(&request, &middle.key, random))?;
    object_by(workshop, &DocumentSigner { key, certificate }, |_, object| {
        object.certificates.push(middle.certificate);
        Ok(())
    })
}

/// `ECParameters` field by field in DER.
struct Fields {
    field: Vec<u8>,
    a: Vec<u8>,
    b: Vec<u8>,
    generator: Vec<u8>,
    order: Vec<u8>,
    cofactor: Vec<u8>,
}

/// SubjectPublicKeyInfo of a key on a curve with its parameters, changed.
fn explicit_key(key: &PublicKey, change: impl FnOnce(&mut Fields)) -> Result<Vec<u8>, DeckError> {
    let spki = key.to_spki_der(ParameterForm::Explicit);
    let mut outer = Element::parse("key", &spki)?.children();
    let (algorithm, bits) = (outer.any()?, outer.any()?);
    let mut algorithm = algorithm.children();
    let (oid, parameters) = (algorithm.any()?, algorithm.any()?);
    let mut parts = parameters.children();
    let (version, field, curve) = (parts.any()?, parts.any()?, parts.any()?);
    let mut curve = curve.children();
    let mut fields = Fields {
        field: field.raw().to_vec(),
        a: curve.any()?.raw().to_vec(),
        b: curve.any()?.raw().to_vec(),
        generator: parts.any()?.raw().to_vec(),
        order: parts.any()?.raw().to_vec(),
        cofactor: parts.any()?.raw().to_vec(),
    };
    change(&mut fields);
    let parameters = write::sequence(&[
        version.raw(),
        &fields.field,
        &write::sequence(&[&fields.a, &fields.b]),
        &fields.generator,
        &fields.order,
        &fields.cofactor,
    ]);
    Ok(write::sequence(&[&write::sequence(&[oid.raw(), &parameters]), bits.raw()]))
}

/// A document signer with its curve's parameters, changed.
fn explicit(workshop: &Workshop, change: impl FnOnce(&mut Fields)) -> Made {
    let spki = explicit_key(&workshop.signer.key.public_key(), change)?;
    changed(workshop, |mut draft| {
        draft.key = spki;
        draft
    })
}

/// Another number of the same length: the last bit but one, so that an odd one stays odd.
fn flip_end(bytes: &mut [u8]) {
    if let Some(last) = bytes.last_mut() {
        *last ^= 2;
    }
}

/// CVE-2020-0601: a CA with the public key of the real one, on a curve whose generator was chosen so
/// that the private key is known.
fn curveball(workshop: &Workshop) -> Made {
    let curve = Curve::P256;
    let PublicKey::Ec(real) = workshop.csca.key.public_key() else {
        return Err(DeckError::Defect("the key of the CSCA"));
    };
    let defect = DeckError::Defect("arithmetic");
    let order = Modulus::new(curve.parameters().n).map_err(|_| defect)?;
    // Two times the generator is the real key.
    let half = order.small(2).invert().ok_or(DeckError::Defect("arithmetic"))?;
    let half = SecretScalar::from_bytes(curve, &half.to_bytes());
    let generator = half.and_then(|half| real.multiply(&half));
    let generator = generator.map_err(|_| DeckError::Defect("arithmetic"))?;
    let forge = |message: &[u8]| -> Result<Vec<u8>, DeckError> {
        workshop.with_random(|random| sign_with_two(&generator, &order, message, random))
    };
    let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256).to_der();
    let mut ca = CertificateDraft::of(&workshop.csca.certificate)?;
    let base = write::octets(&generator.to_uncompressed());
    ca.key = explicit_key(&workshop.csca.key.public_key(), |fields| fields.generator = base)?;
    let tbs = ca.to_be_signed(&algorithm);
    let ca = signed(&tbs, &algorithm, &forge(&tbs)?);
    let key = workshop.ec_key()?;
    let mut draft = CertificateDraft::of(&workshop.signer.certificate)?;
    draft.key = key.public_key().to_spki_der(ParameterForm::Named);
    let tbs = draft.to_be_signed(&algorithm);
    let certificate = signed(&tbs, &algorithm, &forge(&tbs)?);
    object_by(workshop, &DocumentSigner { key, certificate }, |_, object| {
        object.certificates.push(ca);
        Ok(())
    })
}

/// ECDSA with SHA-256 over a generator of one's own and the private key two.
fn sign_with_two(
    generator: &Point,
    order: &Modulus,
    message: &[u8],
    random: &mut dyn cancuoc_primitives::CryptoRng,
) -> Result<Vec<u8>, DeckError> {
    let defect = || DeckError::Defect("arithmetic");
    let nonce = SecretScalar::random(generator.curve(), random);
    let point = generator.multiply(&nonce).map_err(|_| defect())?;
    let r = order.reduce(&point.x_coordinate()).map_err(|_| defect())?;
    let digest = order.reduce(&HashAlgorithm::Sha256.digest(message)).map_err(|_| defect())?;
    let nonce = order.element(&nonce.to_bytes()).and_then(|k| k.invert()).ok_or_else(defect)?;
    let s = nonce.mul(&digest.add(&r.add(&r)));
    let number = |bytes: &[u8]| write::positive_integer(bytes);
    Ok(write::sequence(&[&number(&r.to_bytes()), &number(&s.to_bytes())]))
}
