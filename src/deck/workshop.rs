//! What the cards of a deck share: an issuer, two holders, and the tools to change and sign again.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;
use jiff::Timestamp;
use jiff::civil::date;

use super::portrait::{FIRST, SECOND};
use super::random::Reproducible;
use super::signed_object::SignedObject;
use super::{Card, DeckError};
use crate::apdu::tlv::{Tag, encode};
use crate::document::CardProfile;
use crate::issue::prepare::{self, prepare};
use crate::issue::{CardImage, ImageFile, LoadError, Loader, Location, Terms, review_with};
use crate::lds::sod::{LDS_SECURITY_OBJECT, LdsSecurityObject};
use crate::lds::{DgNumber, FileId, ParameterForm, PublicKey};
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, RevokedCertificate, Signer, SoftwareKey,
    Validity, country_name, issue, issue_crl,
};
use crate::softcard::Misbehaviour;
use crate::softcard::misbehaviour::{Act, Rule, When};

/// When the cards were made: times of a deck do not depend on the day.
pub(super) const MADE: &str = "2024-06-01T00:00:00Z";
/// The same as signing time.
pub(super) const SIGNED_AT: &str = "240601000000Z";
/// Since when certificates are valid.
const FROM: &str = "2024-01-01T00:00:00Z";
/// Until when a document signer signs.
const KEY_UNTIL: &str = "2024-12-31T00:00:00Z";
/// Until when everything else is valid.
const UNTIL: &str = "2049-01-01T00:00:00Z";

/// Serial number of every CSCA's certificate of itself.
pub(super) const CSCA_SERIAL: [u8; 1] = [0x01];
/// Serial number of every document signer.
pub(super) const DOCUMENT_SIGNER_SERIAL: [u8; 2] = [0x5D, 0x01];

/// O of all names: nobody shall take these certificates for real ones.
const ORGANIZATION: &str = "Forgery deck, for tests only";

/// DG3: no fingerprints, but there and protected, as on every card.
const DG3: [u8; 5] = [0x63, 0x03, 0x02, 0x01, 0x00];

const RECORDS: [&[u8]; 2] = [
    include_bytes!("../../testvectors/specimen/record.json"),
    include_bytes!("../../testvectors/specimen/record-2024.json"),
];

/// A country signing CA.
pub(super) struct CountrySigner {
    /// Its key.
    pub key: SoftwareKey,
    /// Two letters.
    pub country: &'static str,
    /// Its name in DER.
    pub name: Vec<u8>,
    /// Its certificate in DER.
    pub certificate: Vec<u8>,
}

/// A document signer.
#[derive(Clone)]
pub(super) struct DocumentSigner {
    /// Its key.
    pub key: SoftwareKey,
    /// Its certificate in DER.
    pub certificate: Vec<u8>,
}

/// The place where the cards of a deck are made.
pub(super) struct Workshop {
    random: RefCell<Reproducible>,
    /// The issuer whose cards are genuine.
    pub csca: CountrySigner,
    /// Its document signer.
    pub signer: DocumentSigner,
    /// A card of the first holder, as it should be.
    first: CardImage,
    /// A card of the second holder, as it should be: another generation, without expiry.
    second: CardImage,
    rsa: OnceCell<RsaPrivateKey>,
    weak_rsa: OnceCell<RsaPrivateKey>,
}

/// A moment of the text, which is one of this module's.
pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Validity between two moments, of the key up to a third.
pub(super) fn validity(from: &str, until: &str, key_until: &str) -> Validity {
    Validity {
        not_before: moment(from),
        not_after: moment(until),
        key_not_after: moment(key_until),
    }
}

/// What every document signer is valid for.
pub(super) fn usual_validity() -> Validity {
    validity(FROM, UNTIL, KEY_UNTIL)
}

impl CountrySigner {
    /// Makes one that signs itself.
    pub(super) fn new(
        country: &'static str,
        name: &str,
        kind: KeyKind,
        parameters: ParameterForm,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, DeckError> {
        let key = SoftwareKey::generate(kind, false, random)?;
        Self::with_key(country, name, key, parameters, random)
    }

    /// The same with a key.
    pub(super) fn with_key(
        country: &'static str,
        name: &str,
        key: SoftwareKey,
        parameters: ParameterForm,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, DeckError> {
        let name = country_name(country, ORGANIZATION, name);
        let public_key = key.public_key();
        let request = CertificateRequest {
            kind: CertificateKind::CscaRoot,
            serial: &CSCA_SERIAL,
            issuer: &name,
            subject: &name,
            country,
            public_key: &public_key,
            parameters,
            issuer_key: &public_key,
            validity: validity(FROM, UNTIL, UNTIL),
        };
        let certificate = issue(&request, &key, random)?;
        Ok(Self { key, country, name, certificate })
    }

    /// Issues the certificate of a document signer's key; `change` is for what is not usual.
    pub(super) fn document_signer(
        &self,
        key: SoftwareKey,
        random: &mut dyn CryptoRng,
        change: impl FnOnce(&mut CertificateRequest<'_>),
    ) -> Result<DocumentSigner, DeckError> {
        let subject = country_name(self.country, ORGANIZATION, "Document signer");
        let (public_key, issuer_key) = (key.public_key(), self.key.public_key());
        let mut request = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &DOCUMENT_SIGNER_SERIAL,
            issuer: &self.name,
            subject: &subject,
            country: self.country,
            public_key: &public_key,
            parameters: ParameterForm::Named,
            issuer_key: &issuer_key,
            validity: usual_validity(),
        };
        change(&mut request);
        let certificate = issue(&request, &self.key, random)?;
        Ok(DocumentSigner { key, certificate })
    }

    /// A revocation list up to a moment, signed by a key.
    pub(super) fn revocation_list(
        &self,
        revoked: &[&[u8]],
        until: &str,
        key: &SoftwareKey,
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, DeckError> {
        let since = moment(MADE);
        let revoked: Vec<_> =
            revoked.iter().map(|s| RevokedCertificate { serial: s.to_vec(), since }).collect();
        Ok(issue_crl(&self.name, &revoked, 1, (since, moment(until)), key, random)?)
    }
}

/// The portraits of the two holders.
struct Portraits;

impl Loader for Portraits {
    fn load(&self, path: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        match path {
            "portrait.jpg" => Ok(FIRST.jpeg()),
            "portrait.jp2" => Ok(SECOND.jpeg()),
            _ => Err(LoadError::NotFound),
        }
    }
}

/// The record of a holder made into an image; with another profile where one is given.
fn image(
    record: &[u8],
    profile: Option<Cow<'static, CardProfile>>,
    signer: &DocumentSigner,
    random: &mut dyn CryptoRng,
) -> Result<CardImage, DeckError> {
    let terms = Terms { profile, data_groups: [(3, DG3.to_vec())].into(), ..Terms::default() };
    let review = review_with(record, &Portraits, date(2024, 6, 1), &terms);
    let record = review.record.ok_or(DeckError::Defect("the record of a holder"))?;
    let signer = prepare::DocumentSigner { signer: &signer.key, certificate: &signer.certificate };
    Ok(prepare(&record, signer, moment(MADE), random)?)
}

impl Workshop {
    pub(super) fn new() -> Result<Self, DeckError> {
        let mut random = Reproducible::new("workshop");
        let kind = KeyKind::Ec(Curve::P256);
        let explicit = ParameterForm::Explicit;
        let csca = CountrySigner::new("VN", "Specimen CSCA", kind, explicit, &mut random)?;
        let key = SoftwareKey::generate(kind, false, &mut random)?;
        let signer = csca.document_signer(key, &mut random, |_| {})?;
        Ok(Self {
            first: image(RECORDS[0], None, &signer, &mut random)?,
            second: image(RECORDS[1], None, &signer, &mut random)?,
            csca,
            signer,
            random: RefCell::new(random),
            rsa: OnceCell::new(),
            weak_rsa: OnceCell::new(),
        })
    }

    /// Lets the random numbers of a card begin, which no other card has.
    pub(super) fn begin(&self, name: &str) {
        *self.random.borrow_mut() = Reproducible::new(name);
    }

    /// Does something that takes random numbers.
    pub(super) fn with_random<T>(&self, work: impl FnOnce(&mut dyn CryptoRng) -> T) -> T {
        work(&mut *self.random.borrow_mut())
    }

    /// A new key.
    pub(super) fn key(&self, kind: KeyKind) -> Result<SoftwareKey, DeckError> {
        Ok(self.with_random(|random| SoftwareKey::generate(kind, false, random))?)
    }

    /// A new key on P-256.
    pub(super) fn ec_key(&self) -> Result<SoftwareKey, DeckError> {
        self.key(KeyKind::Ec(Curve::P256))
    }

    /// The RSA key that all cards with one share, of 2048 bits.
    pub(super) fn rsa_secret(&self) -> Result<RsaPrivateKey, DeckError> {
        shared_rsa(&self.rsa, 2048)
    }

    /// The same as a key of a signer.
    pub(super) fn rsa_key(&self) -> Result<SoftwareKey, DeckError> {
        Ok(self.rsa_secret()?.into())
    }

    /// An RSA key of 1024 bits.
    pub(super) fn weak_rsa_secret(&self) -> Result<RsaPrivateKey, DeckError> {
        shared_rsa(&self.weak_rsa, 1024)
    }

    /// A document signer of the issuer with a key; `change` is for what is not usual.
    pub(super) fn signer_with(
        &self,
        key: SoftwareKey,
        change: impl FnOnce(&mut CertificateRequest<'_>),
    ) -> Result<DocumentSigner, DeckError> {
        self.with_random(|random| self.csca.document_signer(key, random, change))
    }

    /// A card of the first holder.
    pub(super) fn card(&self) -> Card {
        Card { image: self.first.clone(), misbehaviour: Misbehaviour::default() }
    }

    /// A card of the second holder, of another generation.
    pub(super) fn second_card(&self) -> Card {
        Card { image: self.second.clone(), misbehaviour: Misbehaviour::default() }
    }

    /// A card of the first holder with another profile: one that is built in, or TOML.
    pub(super) fn card_of(&self, profile: &str) -> Result<Card, DeckError> {
        let defect = |_| DeckError::Defect("a card profile");
        let profile = match CardProfile::builtin(profile) {
            Ok(profile) => Cow::Borrowed(profile),
            Err(_) => Cow::Owned(CardProfile::from_toml(profile).map_err(defect)?),
        };
        let made = self.with_random(|r| image(RECORDS[0], Some(profile), &self.signer, r));
        Ok(Card { image: made?, misbehaviour: Misbehaviour::default() })
    }

    /// A signed object over hashes as they are given.
    pub(super) fn sign_object(
        &self,
        object: &LdsSecurityObject,
        signer: &DocumentSigner,
    ) -> Result<SignedObject, DeckError> {
        self.with_random(|random| {
            SignedObject::new(LDS_SECURITY_OBJECT, object.encode(), signer, SIGNED_AT, random)
        })
    }

    /// Signs the data groups of a card as they are, by a document signer.
    pub(super) fn sign_by(
        &self,
        card: &mut Card,
        signer: &DocumentSigner,
    ) -> Result<(), DeckError> {
        let object = self.sign_object(&card.security_object(HashAlgorithm::Sha256), signer)?;
        card.put_sod(&object)
    }

    /// Signs the data groups of a card as they are.
    pub(super) fn sign(&self, card: &mut Card) -> Result<(), DeckError> {
        self.sign_by(card, &self.signer)
    }
}

/// Made when it is first needed: it takes long.
fn shared_rsa(cell: &OnceCell<RsaPrivateKey>, bits: usize) -> Result<RsaPrivateKey, DeckError> {
    if let Some(key) = cell.get() {
        return Ok(key.clone());
    }
    let key = RsaPrivateKey::generate(bits, &mut Reproducible::new(&format!("RSA-{bits}")))?;
    Ok(cell.get_or_init(|| key).clone())
}

impl Card {
    /// The same card, which does one thing wrong.
    pub(super) fn misbehaving(mut self, when: When, act: Act) -> Self {
        self.misbehaviour.rules.push(Rule { when, act });
        self
    }

    /// The content of a file of the LDS1 application or the master file.
    pub(super) fn file(
        &mut self,
        location: Location,
        file: FileId,
    ) -> Result<&mut Vec<u8>, DeckError> {
        let mut files = self.image.files.iter_mut();
        let found = files.find(|f| f.location == location && f.fid == file.0);
        found.map(|f| &mut f.content).ok_or(DeckError::Defect("a file of the card"))
    }

    /// The content of a data group.
    pub(super) fn group(&mut self, number: u8) -> Result<&mut Vec<u8>, DeckError> {
        self.file(Location::Lds1, group_file(number)?)
    }

    /// Adds a data group, readable after access control.
    pub(super) fn add_group(&mut self, number: u8, content: Vec<u8>) -> Result<(), DeckError> {
        self.image.files.push(ImageFile {
            location: Location::Lds1,
            fid: group_file(number)?.0,
            sfi: Some(number),
            access: crate::issue::AccessRule::AfterAccessControl,
            content,
        });
        Ok(())
    }

    /// Takes a file away.
    pub(super) fn remove(&mut self, location: Location, file: FileId) {
        self.image.files.retain(|f| f.location != location || f.fid != file.0);
    }

    /// The LDS security object over the data groups as they are.
    pub(super) fn security_object(&self, hash: HashAlgorithm) -> LdsSecurityObject {
        let groups = DgNumber::all().filter_map(|number| {
            let file = self.image.file(Location::Lds1, number.file().0)?;
            Some((number.get().into(), hash.digest(&file.content)))
        });
        LdsSecurityObject {
            version: 0,
            hash_algorithm: hash.oid(),
            hashes: groups.collect(),
            lds_version: None,
        }
    }

    /// Puts a signed object into EF.SOD.
    pub(super) fn put_sod(&mut self, object: &SignedObject) -> Result<(), DeckError> {
        *self.file(Location::Lds1, FileId::SOD)? = encode(Tag(0x77), &object.encode());
        Ok(())
    }
}

fn group_file(number: u8) -> Result<FileId, DeckError> {
    let number = DgNumber::new(number).ok_or(DeckError::Defect("a data group"))?;
    Ok(number.file())
}

/// The point of a key on a curve, uncompressed.
pub(super) fn point(key: &SoftwareKey) -> Vec<u8> {
    match key.public_key() {
        PublicKey::Ec(point) => point.to_uncompressed(),
        _ => Vec::new(),
    }
}
