//! Signing keys in tokens. No signature leaves unverified.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::ecdsa::EcdsaSignature;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPublicKey;
use const_oid::db::rfc5912::ID_EC_PUBLIC_KEY;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::pool::Connection;
use super::token::{Failed, find_objects};
use super::{KeyStoreError, KeyUri, RsaScheme, Token};
use crate::lds::{CertificateParts, Element, ParameterForm, PublicKey, SignatureAlgorithm, write};
use crate::pki::{MOST_WRONG, Signer, SignerError};

/// A private key in a token.
pub struct TokenSigner {
    token: Arc<Token>,
    uri: KeyUri,
    public: PublicKey,
    algorithm: SignatureAlgorithm,
    wrong: AtomicU32,
}

impl Token {
    /// The signing key that a URI names. Its public key comes from the token: the public key or the
    /// certificate with the same identifier or label, or the private key itself.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    pub fn signer(self: &Arc<Self>, uri: &KeyUri) -> Result<TokenSigner, KeyStoreError> {
        let public = self.run("public key", |connection| {
            let private = self.handle(connection, uri, ObjectClass::PRIVATE_KEY)?;
            self.public_key(connection, uri, private)
        })?;
        let algorithm = default_algorithm(&public, uri.rsa_scheme)?;
        let (token, uri) = (Arc::clone(self), uri.clone());
        Ok(TokenSigner { token, uri, public, algorithm, wrong: AtomicU32::new(0) })
    }

    /// The public key of a private one.
    pub(super) fn public_key(
        &self,
        connection: &Connection,
        uri: &KeyUri,
        private: ObjectHandle,
    ) -> Result<PublicKey, Failed> {
        let session = &connection.session;
        // The identifier ties the objects of a key together; labels may differ.
        let asked = session.get_attributes(private, &[AttributeType::Id])?;
        let id = asked.into_iter().find_map(|attribute| match attribute {
            Attribute::Id(id) if !id.is_empty() => Some(id),
            _ => None,
        });
        let same = match id {
            Some(id) => KeyUri { id: Some(id), ..KeyUri::default() },
            None => uri.clone(),
        };
        for handle in find_objects(session, &same, ObjectClass::PUBLIC_KEY)? {
            if let Some(key) = read_public_key(connection, handle)? {
                return Ok(key);
            }
        }
        for handle in find_objects(session, &same, ObjectClass::CERTIFICATE)? {
            let value = session.get_attributes(handle, &[AttributeType::Value])?;
            if let Some(key) = value.iter().find_map(certified_key) {
                return Ok(key);
            }
        }
        let own = read_public_key(connection, private)?;
        let absent = "the token holds no public key or certificate for it";
        own.ok_or_else(|| KeyStoreError::KeyUnsuitable(absent.to_owned()).into())
    }
}

fn certified_key(value: &Attribute) -> Option<PublicKey> {
    let Attribute::Value(der) = value else { return None };
    let certificate = CertificateParts::decode(der).ok()?;
    PublicKey::from_spki_der(certificate.spki).ok().map(|(key, _)| key)
}

/// A public key from the attributes of an object.
pub(super) fn read_public_key(
    connection: &Connection,
    handle: ObjectHandle,
) -> Result<Option<PublicKey>, cryptoki::error::Error> {
    const WANTED: [AttributeType; 4] = [
        AttributeType::EcParams,
        AttributeType::EcPoint,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
    ];
    let (mut curve, mut point, mut modulus, mut exponent) = (None, None, None, None);
    for attribute in connection.session.get_attributes(handle, &WANTED)? {
        match attribute {
            Attribute::EcParams(bytes) => curve = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            Attribute::Modulus(bytes) => modulus = Some(bytes),
            Attribute::PublicExponent(bytes) => exponent = Some(bytes),
            _ => {}
        }
    }
    let ec = curve.zip(point).and_then(|(curve, point)| read_ec(&curve, &point));
    let rsa = modulus.zip(exponent).and_then(|(n, e)| RsaPublicKey::new(&n, &e).ok());
    Ok(ec.or(rsa.map(PublicKey::Rsa)))
}

/// A key on a curve, the curve named or told by all its numbers. CKA_EC_POINT is an OCTET STRING
/// around the point; some tokens leave it out.
fn read_ec(parameters: &[u8], point: &[u8]) -> Option<PublicKey> {
    let algorithm = write::sequence(&[&write::oid(&ID_EC_PUBLIC_KEY), parameters]);
    let read = |point: &[u8]| {
        let spki = write::sequence(&[&algorithm, &write::bits(point)]);
        PublicKey::from_spki_der(&spki).ok().map(|(key, _)| key)
    };
    let inner = Element::parse("CKA_EC_POINT", point).and_then(|e| e.octets());
    inner.ok().and_then(read).or_else(|| read(point))
}

/// The algorithm of a key: the hash as strong as the key, as for keys in files.
pub(super) fn default_algorithm(
    public: &PublicKey,
    scheme: Option<RsaScheme>,
) -> Result<SignatureAlgorithm, KeyStoreError> {
    let hash = HashAlgorithm::Sha256;
    match (public, scheme) {
        (PublicKey::Ec(point), None) => {
            Ok(SignatureAlgorithm::Ecdsa(match point.curve().field_bits() {
                ..=256 => HashAlgorithm::Sha256,
                257..=384 => HashAlgorithm::Sha384,
                _ => HashAlgorithm::Sha512,
            }))
        }
        (PublicKey::Rsa(_), Some(RsaScheme::Pss)) => {
            Ok(SignatureAlgorithm::RsaPss { hash, salt_len: hash.output_len() })
        }
        (PublicKey::Rsa(_), _) => Ok(SignatureAlgorithm::RsaPkcs1(hash)),
        _ => Err(KeyStoreError::KeyUnsuitable("x-signature is for RSA keys".to_owned())),
    }
}

impl TokenSigner {
    /// The same key with another algorithm.
    ///
    /// # Errors
    /// [`KeyStoreError::KeyUnsuitable`] for an algorithm of another kind of key.
    pub fn with_algorithm(self, algorithm: SignatureAlgorithm) -> Result<Self, KeyStoreError> {
        let fits = match (&self.public, algorithm) {
            (
                PublicKey::Ec(_),
                SignatureAlgorithm::Ecdsa(_) | SignatureAlgorithm::EcdsaPlain(_),
            )
            | (PublicKey::Rsa(_), SignatureAlgorithm::RsaPkcs1(_)) => true,
            (PublicKey::Rsa(_), SignatureAlgorithm::RsaPss { hash, salt_len }) => {
                salt_len == hash.output_len()
            }
            _ => false,
        };
        if !fits {
            return Err(KeyStoreError::KeyUnsuitable(algorithm.description()));
        }
        Ok(Self { algorithm, ..self })
    }

    /// The URI of the key.
    #[must_use]
    pub fn uri(&self) -> KeyUri {
        self.token.uri_of(&self.uri)
    }

    fn sign_once(&self, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let digest = self.algorithm.hash().digest(message);
        let (mechanism, data) = operation(self.algorithm, &self.public, digest)?;
        let signature = self.token.run("signature", |connection| {
            let key = self.token.handle(connection, &self.uri, ObjectClass::PRIVATE_KEY)?;
            Ok(connection.session.sign(&mechanism, key, &data)?)
        })?;
        Ok(self.encode(signature))
    }

    /// The signature as its algorithm wants it; what cannot be encoded is left for the
    /// verification to refuse.
    fn encode(&self, signature: Vec<u8>) -> Vec<u8> {
        let (SignatureAlgorithm::Ecdsa(_), PublicKey::Ec(point)) = (self.algorithm, &self.public)
        else {
            return signature;
        };
        let der = EcdsaSignature::from_plain(point.curve(), &signature)
            .and_then(|numbers| strip(numbers).to_der());
        der.unwrap_or(signature)
    }
}

/// Numbers without leading zeros.
fn strip(signature: EcdsaSignature) -> EcdsaSignature {
    let strip = |n: Vec<u8>| n.iter().skip_while(|b| **b == 0).copied().collect();
    EcdsaSignature { r: strip(signature.r), s: strip(signature.s) }
}

/// The mechanism, always over the hash: every token has it, and the message stays here.
fn operation(
    algorithm: SignatureAlgorithm,
    public: &PublicKey,
    mut digest: Vec<u8>,
) -> Result<(Mechanism<'static>, Vec<u8>), KeyStoreError> {
    Ok(match (algorithm, public) {
        (SignatureAlgorithm::Ecdsa(_) | SignatureAlgorithm::EcdsaPlain(_), PublicKey::Ec(key)) => {
            // The leftmost bits count (FIPS 186-4 §6.4); tokens differ in what they do with more.
            digest.truncate(key.curve().order_len());
            (Mechanism::Ecdsa, digest)
        }
        (SignatureAlgorithm::RsaPkcs1(hash), PublicKey::Rsa(_)) => {
            let id = write::sequence(&[&write::oid(&hash.oid()), &[5, 0]]);
            let info = write::sequence(&[&id, &write::octets(&digest)]);
            (Mechanism::RsaPkcs, info)
        }
        (SignatureAlgorithm::RsaPss { hash, salt_len }, PublicKey::Rsa(_)) => {
            let (hash_alg, mgf) = match hash {
                HashAlgorithm::Sha1 => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
                HashAlgorithm::Sha224 => (MechanismType::SHA224, PkcsMgfType::MGF1_SHA224),
                HashAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
                HashAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
                HashAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
            };
            let s_len = (salt_len as u64).into();
            (Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len }), digest)
        }
        _ => return Err(KeyStoreError::KeyUnsuitable(algorithm.description())),
    })
}

impl Signer for TokenSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8], _: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        Ok(self.sign_once(message)?)
    }

    fn sign_verified(&self, message: &[u8], _: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        loop {
            let count = self.wrong.load(Ordering::Acquire);
            if count >= MOST_WRONG {
                return Err(SignerError::WrongSignatures { count });
            }
            let signature = self.sign_once(message)?;
            if self.algorithm.verify(&self.public, message, &signature).is_ok() {
                return Ok(signature);
            }
            let count = self.wrong.fetch_add(1, Ordering::AcqRel) + 1;
            tracing::error!(count, "the key store gave a signature that does not verify");
        }
    }
}

/// SHA-256 of the SubjectPublicKeyInfo, by which people tell keys apart.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    hex::encode(HashAlgorithm::Sha256.digest(&key.to_spki_der(ParameterForm::Named)))
}
