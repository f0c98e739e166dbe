//! N09: master lists and link certificates, by which a verifier comes to trust the issuer.

use super::certificates::namesake;
use crate::apdu::tlv::encode;
use crate::deck::certificate::CertificateDraft;
use crate::deck::entry::{Noted, failed, skipped};
use crate::deck::signed_object::SignedObject;
use crate::deck::trust::{CURRENT, Files, foreign_csca, named, revocation_list};
use crate::deck::workshop::{
    CSCA_SERIAL, CountrySigner, DocumentSigner, SIGNED_AT, Workshop, validity,
};
use crate::deck::{DeckError, Entry, Trust};
use crate::lds::sod::LDS_SECURITY_OBJECT;
use crate::lds::{MASTER_LIST, ParameterForm, encode_master_list, tag, write};
use crate::pki::{CertificateKind, CertificateRequest, Signer, issue};

const UNKNOWN: &[Noted] = &[skipped("pa.chain", "csca_unknown")];
const LIST: &str = "N09-list";
const LINK: &str = "N09-link";
const TWO_LINKS: &str = "N09-two-links";
const OTHER_STATE: &str = "N09-link-by-other-state";
const NEWER: &str = "N09-list-newer";
/// When a list is signed that is newer than the usual ones.
const LATER: &str = "240701000000Z";

type Folder = Result<Files, DeckError>;

/// A good card before a verifier who comes to know its issuer in a usual or unusual way.
const fn known(name: &'static str, make: fn(&Workshop) -> Folder) -> Entry {
    let trust = Trust { name: folder_name(name), make };
    Entry::good(name, |w| Ok(w.card())).trusting(trust)
}

/// A good card before a verifier who must not take what tells it of the issuer.
const fn refused(name: &'static str, make: fn(&Workshop) -> Folder) -> Entry {
    let trust = Trust { name: folder_name(name), make };
    Entry::unknown(name, UNKNOWN, |w| Ok(w.card())).trusting(trust)
}

/// The name without the row.
const fn folder_name(name: &'static str) -> &'static str {
    name.split_at(4).1
}

pub(super) const ENTRIES: &[Entry] = &[
    known(LIST, |w| with_list(w, |_| {})),
    known("N09-list-by-csca", |w| {
        // Before there were signers of lists, country signing CAs signed them themselves.
        let other = foreign_csca()?;
        let signer =
            DocumentSigner { key: other.key.clone(), certificate: other.certificate.clone() };
        with_lists(w, &other, &[list(w, &other, &signer, &[&w.csca.certificate], SIGNED_AT)?])
    }),
    known("N09-list-by-linked", |w| {
        // Between the CA that is trusted and the signer of the list: a link that comes along with it.
        let (old, new) = (foreign_csca()?, another(w, "ZW", "Specimen CSCA")?);
        let signer = list_signer(w, &new, |_| {})?;
        let mut object = list(w, &new, &signer, &[&w.csca.certificate], SIGNED_AT)?;
        object.certificates.push(link(w, &old, &new)?);
        with_lists(w, &old, &[object])
    }),
    known(NEWER, |w| {
        let other = foreign_csca()?;
        let signer = list_signer(w, &other, |_| {})?;
        let older = list(w, &other, &signer, &[], SIGNED_AT)?;
        let newer = list(w, &other, &signer, &[&w.csca.certificate], LATER)?;
        with_lists(w, &other, &[older, newer])
    }),
    known(LINK, |w| {
        let old = namesake(w)?;
        with_links(w, &old, &[link(w, &old, &w.csca)?])
    }),
    known(TWO_LINKS, |w| {
        let (old, middle) = (namesake(w)?, namesake(w)?);
        with_links(w, &old, &[link(w, &old, &middle)?, link(w, &middle, &w.csca)?])
    }),
    refused("N09-list-signature", |w| {
        with_list(w, |object| {
            for signer in &mut object.signers {
                signer.signature.last_mut().into_iter().for_each(|end| *end ^= 1);
            }
        })
    })
    .twin(LIST),
    refused("N09-list-content", |w| {
        // The issuer was put into a list that was signed without it.
        let other = foreign_csca()?;
        let signer = list_signer(w, &other, |_| {})?;
        let mut object = list(w, &other, &signer, &[], SIGNED_AT)?;
        object.content = encode_master_list(&[&other.certificate, &w.csca.certificate]);
        with_lists(w, &other, &[object])
    })
    .twin(LIST),
    refused("N09-list-content-type", |w| {
        // What was signed as the content of a document's security object.
        let other = foreign_csca()?;
        let signer = list_signer(w, &other, |_| {})?;
        let content = encode_master_list(&[&w.csca.certificate]);
        let object = |r: &mut dyn cancuoc_primitives::CryptoRng| {
            SignedObject::new(LDS_SECURITY_OBJECT, content, &signer, SIGNED_AT, r)
        };
        let mut object = w.with_random(object)?;
        object.content_type = MASTER_LIST;
        with_lists(w, &other, &[object])
    })
    .twin(LIST),
    refused("N09-list-no-signer", |w| with_list(w, |object| object.signers.clear())).twin(LIST),
    refused("N09-list-no-certificate", |w| with_list(w, |object| object.certificates.clear()))
        .twin(LIST),
    refused("N09-list-cut-off", |w| {
        let mut files = with_list(w, |_| {})?;
        let ends = files.iter_mut().filter(|(name, _)| name.ends_with(".ml"));
        ends.for_each(|(_, content)| content.truncate(content.len() / 2));
        Ok(files)
    })
    .twin(LIST),
    refused("N09-list-signer-unknown", |w| {
        // The list holds the CA of its own signer: it vouches for itself.
        let (trusted, stranger) = (foreign_csca()?, another(w, "YY", "Specimen CSCA")?);
        let signer = list_signer(w, &stranger, |_| {})?;
        let object = list(w, &stranger, &signer, &[&w.csca.certificate], SIGNED_AT)?;
        with_lists(w, &trusted, &[object])
    })
    .twin(LIST),
    refused("N09-list-signer-of-list", |w| {
        // The CA of the signer is known from another list only, which must not bring in further ones.
        let (trusted, second) = (foreign_csca()?, another(w, "YY", "Specimen CSCA")?);
        let signers = [list_signer(w, &trusted, |_| {})?, list_signer(w, &second, |_| {})?];
        let first = list(w, &trusted, &signers[0], &[&second.certificate], SIGNED_AT)?;
        let second = list(w, &second, &signers[1], &[&w.csca.certificate], SIGNED_AT)?;
        with_lists(w, &trusted, &[first, second])
    })
    .twin(LIST),
    refused("N09-list-signer-forged", |w| {
        let (other, key) = (foreign_csca()?, w.ec_key()?);
        let genuine = list_signer(w, &other, |_| {})?;
        let draft = CertificateDraft::of(&genuine.certificate)?;
        let certificate = w.with_random(|random| draft.sign(&key, random))?;
        let signer = DocumentSigner { certificate, ..genuine };
        let object = list(w, &other, &signer, &[&w.csca.certificate], SIGNED_AT)?;
        with_lists(w, &other, &[object])
    })
    .twin(LIST),
    refused("N09-list-signer-usage", |w| {
        by_signer(w, |request| request.kind = CertificateKind::DocumentSigner)
    })
    .twin(LIST),
    refused("N09-list-signer-expired", |w| {
        by_signer(w, |request| {
            let end = "2024-05-01T00:00:00Z";
            request.validity = validity("2024-01-01T00:00:00Z", end, end);
        })
    })
    .twin(LIST),
    refused("N09-list-signer-revoked", |w| {
        let (other, mut files) = (foreign_csca()?, with_list(w, |_| {})?);
        let list = w.with_random(|r| other.revocation_list(&[&SERIAL], CURRENT, &other.key, r))?;
        files.push(named("zw-csca.crl", list));
        Ok(files)
    })
    .twin(LIST),
    refused("N09-list-superseded", |w| {
        let other = foreign_csca()?;
        let signer = list_signer(w, &other, |_| {})?;
        let older = list(w, &other, &signer, &[&w.csca.certificate], SIGNED_AT)?;
        let newer = list(w, &other, &signer, &[], LATER)?;
        with_lists(w, &other, &[older, newer])
    })
    .twin(NEWER),
    refused("N09-link-signature", |w| {
        // The old key is named, another one signed.
        let (old, false_old) = (namesake(w)?, namesake(w)?);
        let draft = CertificateDraft::of(&link(w, &old, &w.csca)?)?;
        with_links(w, &old, &[w.with_random(|random| draft.sign(&false_old.key, random))?])
    })
    .twin(LINK),
    refused("N09-link-missing", |w| {
        let (old, middle) = (namesake(w)?, namesake(w)?);
        with_links(w, &old, &[link(w, &middle, &w.csca)?])
    })
    .twin(TWO_LINKS),
    refused("N09-link-by-signer", |w| {
        // A document signer of the trusted key calls itself a CA.
        let (old, key) = (namesake(w)?, w.ec_key()?);
        let signer = w.with_random(|r| old.document_signer(key.clone(), r, |_| {}))?;
        let mut middle = namesake(w)?;
        middle.key = key;
        with_links(w, &old, &[signer.certificate, link(w, &middle, &w.csca)?])
    })
    .twin(TWO_LINKS),
    refused("N09-link-too-late", |w| {
        // Signed after the certificate of the old key had ended.
        let mut old = namesake(w)?;
        let mut draft = CertificateDraft::of(&old.certificate)?;
        let time = |text: &str| encode(tag::UTC_TIME, text.as_bytes());
        draft.validity = write::sequence(&[&time("200101000000Z"), &time("231231000000Z")]);
        old.certificate = w.with_random(|random| draft.sign(&old.key, random))?;
        with_links(w, &old, &[link(w, &old, &w.csca)?])
    })
    .twin(LINK),
    Entry::forged(OTHER_STATE, &[failed("pa.chain", "issuer_and_subject_country_differ")], |w| {
        Ok(w.card())
    })
    .trusting(Trust {
        name: folder_name(OTHER_STATE),
        make: |w| {
            let other = foreign_csca()?;
            with_links(w, &other, &[link(w, &other, &w.csca)?])
        },
    })
    .twin(LINK),
    refused("N09-link-by-other-state-hidden", |w| {
        // It says to be of the issuer's own old key; the identifier of the key leads to the other's.
        let mut other = foreign_csca()?;
        other.name.clone_from(&w.csca.name);
        with_links(w, &other, &[link(w, &other, &w.csca)?])
    })
    .twin(LINK),
    refused("N09-link-revoked", |w| link_and_list(w, &LINK_SERIAL)).twin(LINK),
    refused("N09-link-from-revoked", |w| link_and_list(w, &CSCA_SERIAL)).twin(LINK),
];

/// A link from a key that is trusted, and a list of that key on which a certificate stands.
fn link_and_list(w: &Workshop, revoked: &[u8]) -> Folder {
    let old = namesake(w)?;
    let mut files = with_links(w, &old, &[link(w, &old, &w.csca)?])?;
    let list = w.with_random(|r| old.revocation_list(&[revoked], CURRENT, &old.key, r))?;
    files.push(named("vn-old.crl", list));
    Ok(files)
}

/// Serial number of signers of lists.
const SERIAL: [u8; 2] = [0x5D, 0x09];
/// Serial number of links.
const LINK_SERIAL: [u8; 1] = [0x02];

/// A CA with a new key.
fn another(w: &Workshop, country: &'static str, name: &str) -> Result<CountrySigner, DeckError> {
    let (key, form) = (w.ec_key()?, ParameterForm::Named);
    w.with_random(|random| CountrySigner::with_key(country, name, key, form, random))
}

/// A signer of master lists.
fn list_signer(
    w: &Workshop,
    csca: &CountrySigner,
    change: impl FnOnce(&mut CertificateRequest<'_>),
) -> Result<DocumentSigner, DeckError> {
    let key = w.ec_key()?;
    w.with_random(|random| {
        csca.document_signer(key, random, |request| {
            (request.kind, request.serial) = (CertificateKind::MasterListSigner, &SERIAL);
            change(request);
        })
    })
}

/// A master list of a State with its own CA and others.
fn list(
    w: &Workshop,
    csca: &CountrySigner,
    signer: &DocumentSigner,
    others: &[&[u8]],
    time: &str,
) -> Result<SignedObject, DeckError> {
    let own: &[u8] = &csca.certificate;
    let content = encode_master_list(&[&[own], others].concat());
    let mut object = w.with_random(|r| SignedObject::new(MASTER_LIST, content, signer, time, r))?;
    if signer.certificate != csca.certificate {
        object.certificates.push(csca.certificate.clone());
    }
    Ok(object)
}

/// Another State, whose CA is trusted, and its lists; the issuer's revocation list, which says
/// nothing of whom to trust.
fn with_lists(w: &Workshop, trusted: &CountrySigner, lists: &[SignedObject]) -> Folder {
    let mut files =
        vec![named("zw-csca.cer", trusted.certificate.clone()), revocation_list(w, &w.csca)?];
    for (number, object) in (1..).zip(lists) {
        files.push(named(&format!("list-{number}.ml"), object.encode()));
    }
    Ok(files)
}

/// The usual list, changed.
fn with_list(w: &Workshop, change: impl FnOnce(&mut SignedObject)) -> Folder {
    let other = foreign_csca()?;
    let signer = list_signer(w, &other, |_| {})?;
    let mut object = list(w, &other, &signer, &[&w.csca.certificate], SIGNED_AT)?;
    change(&mut object);
    with_lists(w, &other, &[object])
}

/// The usual list by an unusual signer.
fn by_signer(w: &Workshop, change: impl FnOnce(&mut CertificateRequest<'_>)) -> Folder {
    let other = foreign_csca()?;
    let signer = list_signer(w, &other, change)?;
    let object = list(w, &other, &signer, &[&w.csca.certificate], SIGNED_AT)?;
    with_lists(w, &other, &[object])
}

/// The certificate by which one key of a CA vouches for the next.
fn link(w: &Workshop, old: &CountrySigner, new: &CountrySigner) -> Result<Vec<u8>, DeckError> {
    let (public_key, issuer_key) = (new.key.public_key(), old.key.public_key());
    let until = "2049-01-01T00:00:00Z";
    let request = CertificateRequest {
        kind: CertificateKind::CscaLink,
        serial: &LINK_SERIAL,
        issuer: &old.name,
        subject: &new.name,
        country: new.country,
        public_key: &public_key,
        parameters: ParameterForm::Named,
        issuer_key: &issuer_key,
        validity: validity("2024-01-01T00:00:00Z", until, until),
    };
    Ok(w.with_random(|random| issue(&request, &old.key, random))?)
}

/// The old certificate of the CA, which is trusted, what leads on from it, and its revocation list.
fn with_links(w: &Workshop, old: &CountrySigner, links: &[Vec<u8>]) -> Folder {
    let mut files =
        vec![named("vn-old.cer", old.certificate.clone()), revocation_list(w, &w.csca)?];
    for (number, link) in (1..).zip(links) {
        files.push(named(&format!("link-{number}.cer"), link.clone()));
    }
    Ok(files)
}
