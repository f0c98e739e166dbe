//! Private keys in software: made here, kept as encrypted PKCS#8 (RFC 5958, RFC 8018).

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::{EcdsaSignature, SignatureError, sign_prehashed};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, ID_RSASSA_PSS, RSA_ENCRYPTION};
use der::Decode;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Signer, SignerError};
use crate::apdu::tlv::Tag;
use crate::error::ErrorCode;
use crate::lds::{Element, LdsError, ParameterForm, PublicKey, SignatureAlgorithm, tag, write};

const FILE: &str = "PrivateKeyInfo";

/// What key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// On a curve.
    Ec(Curve),
    /// RSA with that many bits.
    Rsa(usize),
}

/// A private key in memory, wiped when dropped, with the algorithm it signs with.
#[derive(Debug, Clone)]
pub struct SoftwareKey {
    secret: Secret,
    algorithm: SignatureAlgorithm,
}

#[derive(Debug, Clone)]
enum Secret {
    Ec(SecretScalar),
    Rsa(Box<RsaPrivateKey>),
}

/// Why a key cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The structure is malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// Not a private key that can sign here.
    #[error("private key is of a kind that is not supported")]
    Unsupported,
    /// The password does not open the key, or the file is damaged.
    #[error("the password does not open the key")]
    Password,
    /// The file asks for more work or memory, before its password can be checked, than any honest
    /// file does.
    #[error("the key derivation asks for {what}")]
    Derivation {
        /// What is too much, or cannot be.
        what: &'static str,
    },
}

impl ErrorCode for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "key_malformed",
            Self::Unsupported => "key_unsupported",
            Self::Password => "key_password_wrong",
            Self::Derivation { .. } => "key_derivation_excessive",
        }
    }
}

impl KeyKind {
    /// From a name: a curve's, or `rsa-2048` to `rsa-4096`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(curve) = Curve::from_name(name) {
            return Some(Self::Ec(curve));
        }
        let bits = name.to_ascii_lowercase().strip_prefix("rsa-")?.parse().ok()?;
        matches!(bits, 2048 | 3072 | 4096).then_some(Self::Rsa(bits))
    }
}

impl SoftwareKey {
    /// Makes a key. The hash of its signatures is as strong as the key (ICAO 9303-12 §4.4).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for an RSA size out of bounds.
    pub fn generate(
        kind: KeyKind,
        pss: bool,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, KeyError> {
        let secret = match kind {
            KeyKind::Ec(curve) => Secret::Ec(SecretScalar::random(curve, random)),
            KeyKind::Rsa(bits) => {
                let key = RsaPrivateKey::generate(bits, random);
                Secret::Rsa(Box::new(key.map_err(|_| KeyError::Unsupported)?))
            }
        };
        Ok(Self::with_default_algorithm(secret, pss))
    }

    fn with_default_algorithm(secret: Secret, pss: bool) -> Self {
        let algorithm = match &secret {
            Secret::Ec(key) => SignatureAlgorithm::Ecdsa(match key.curve().field_bits() {
                ..=256 => HashAlgorithm::Sha256,
                257..=384 => HashAlgorithm::Sha384,
                _ => HashAlgorithm::Sha512,
            }),
            Secret::Rsa(_) if pss => {
                SignatureAlgorithm::RsaPss { hash: HashAlgorithm::Sha256, salt_len: 32 }
            }
            Secret::Rsa(_) => SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256),
        };
        Self { secret, algorithm }
    }

    /// The same key with PSS signatures, where it is an RSA key.
    #[must_use]
    pub fn with_pss(self, pss: bool) -> Self {
        Self::with_default_algorithm(self.secret, pss)
    }

    /// The same key with another algorithm. Its file records the choice of PSS and the hash of
    /// it; where the hash of ECDSA or PKCS#1 v1.5 is another than the key's size suggests, what
    /// is published with the key tells it.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for an algorithm of another kind of key, and for a PSS salt of
    /// another length than the hash's.
    pub fn with_algorithm(self, algorithm: SignatureAlgorithm) -> Result<Self, KeyError> {
        let fits = match (&self.secret, algorithm) {
            (Secret::Ec(_), SignatureAlgorithm::Ecdsa(_) | SignatureAlgorithm::EcdsaPlain(_))
            | (Secret::Rsa(_), SignatureAlgorithm::RsaPkcs1(_)) => true,
            (Secret::Rsa(_), SignatureAlgorithm::RsaPss { hash, salt_len }) => {
                salt_len == hash.output_len()
            }
            _ => false,
        };
        if fits { Ok(Self { algorithm, ..self }) } else { Err(KeyError::Unsupported) }
    }

    /// PrivateKeyInfo in DER, not encrypted.
    fn to_private_key_info(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let algorithm = self.key_algorithm()?;
        let key = Zeroizing::new(match &self.secret {
            Secret::Ec(scalar) => {
                let public = write::bits(scalar.public_point().as_bytes());
                write::sequence(&[
                    &write::integer(1),
                    &write::octets(&scalar.to_bytes()),
                    &write::constructed(Tag(0xA1), &[&public]),
                ])
            }
            Secret::Rsa(key) => rsa_private_key(key)?,
        });
        Ok(Zeroizing::new(write::sequence(&[&write::integer(0), &algorithm, &write::octets(&key)])))
    }

    /// AlgorithmIdentifier of the key: id-RSASSA-PSS with its parameters for a key that signs so
    /// (RFC 4055 §1.2), else the one of its SubjectPublicKeyInfo.
    fn key_algorithm(&self) -> Result<Vec<u8>, KeyError> {
        if matches!(self.algorithm, SignatureAlgorithm::RsaPss { .. }) {
            return Ok(self.algorithm.to_der());
        }
        let spki = self.public_key().to_spki_der(ParameterForm::Named);
        Ok(Element::parse(FILE, &spki)?.children().any()?.raw().to_vec())
    }

    fn from_private_key_info(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut children = Element::parse(FILE, bytes)?.expect(tag::SEQUENCE)?.children();
        children.any()?.small_integer()?;
        let identifier = children.tagged(tag::SEQUENCE)?;
        let mut algorithm = identifier.children();
        let key = children.any()?.octets()?;
        let kind = algorithm.any()?.oid()?;
        let mut fields = Element::parse("private key", key)?.expect(tag::SEQUENCE)?.children();
        fields.any()?.small_integer()?;
        let secret = if kind == ID_EC_PUBLIC_KEY {
            let curve = Curve::from_oid(&algorithm.any()?.oid()?).ok_or(KeyError::Unsupported)?;
            let scalar = SecretScalar::from_bytes(curve, fields.any()?.octets()?);
            Secret::Ec(scalar.map_err(|_| KeyError::Unsupported)?)
        } else if kind == RSA_ENCRYPTION || kind == ID_RSASSA_PSS {
            let mut number = || fields.any().and_then(|f| f.positive_integer());
            let (n, e, d, p, q) = (number()?, number()?, number()?, number()?, number()?);
            let key = RsaPrivateKey::from_components(n, e, d, &[p, q]);
            Secret::Rsa(Box::new(key.map_err(|_| KeyError::Unsupported)?))
        } else {
            return Err(KeyError::Unsupported);
        };
        let key = Self::with_default_algorithm(secret, kind == ID_RSASSA_PSS);
        // Without parameters a PSS key may sign with any (RFC 4055 §1.2).
        if kind != ID_RSASSA_PSS || algorithm.next_element()?.is_none() {
            return Ok(key);
        }
        let signs_with = SignatureAlgorithm::from_der(identifier.raw(), None);
        key.with_algorithm(signs_with.map_err(|_| KeyError::Unsupported)?)
    }

    /// EncryptedPrivateKeyInfo in DER: scrypt and AES-256-CBC.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn encrypt(&self, password: &str, random: &mut dyn CryptoRng) -> Result<Vec<u8>, KeyError> {
        let plain = self.to_private_key_info()?;
        let mut random = random;
        PrivateKeyInfoRef::from_der(&plain)
            .map_err(|_| KeyError::Unsupported)?
            .encrypt_with_rng(&mut random, password)
            .map(|document| document.as_bytes().to_vec())
            .map_err(|_| KeyError::Unsupported)
    }

    /// Reads an EncryptedPrivateKeyInfo.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn decrypt(bytes: &[u8], password: &str) -> Result<Self, KeyError> {
        let encrypted = EncryptedPrivateKeyInfoRef::from_der(bytes)
            .map_err(|_| LdsError::invalid("EncryptedPrivateKeyInfo", "malformed", 0))?;
        check_derivation(&encrypted)?;
        let plain = encrypted.decrypt(password).map_err(|_| KeyError::Password)?;
        // A wrong password mostly gives garbage.
        Self::from_private_key_info(plain.as_bytes()).map_err(|error| match error {
            KeyError::Malformed(_) => KeyError::Password,
            other => other,
        })
    }
}

/// Most iterations of PBKDF2: OpenSSL's default is 2048, what is recommended is below a million.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Most bytes of memory of scrypt, 128·N·r: OpenSSL takes 16 MiB, and no more than 32 unless told.
const MAX_MEMORY: u64 = 64 << 20;
/// Most passes of scrypt.
const MAX_PASSES: u16 = 16;

/// A file tells how much work its password takes before anything of it can be checked.
fn check_derivation(encrypted: &EncryptedPrivateKeyInfoRef<'_>) -> Result<(), KeyError> {
    let scheme = encrypted.encryption_algorithm.pbes2().ok_or(KeyError::Unsupported)?;
    let excessive = |what| Err(KeyError::Derivation { what });
    if let Some(pbkdf2) = scheme.kdf.pbkdf2()
        && pbkdf2.iteration_count > MAX_ITERATIONS
    {
        return excessive("too many iterations");
    }
    if let Some(scrypt) = scheme.kdf.scrypt() {
        let memory = scrypt.cost_parameter.checked_mul(128 * u64::from(scrypt.block_size));
        if scrypt.cost_parameter < 2 || scrypt.block_size == 0 || scrypt.parallelization == 0 {
            return excessive("no work at all");
        }
        if memory.is_none_or(|bytes| bytes > MAX_MEMORY) {
            return excessive("too much memory");
        }
        if scrypt.parallelization > MAX_PASSES {
            return excessive("too many passes");
        }
    }
    Ok(())
}

/// Signs by PKCS#1 v1.5 with SHA-256.
impl From<RsaPrivateKey> for SoftwareKey {
    fn from(key: RsaPrivateKey) -> Self {
        Self::with_default_algorithm(Secret::Rsa(Box::new(key)), false)
    }
}

/// The signature as the algorithm wants it: `r || s` or DER.
fn ecdsa_bytes(
    curve: Curve,
    algorithm: SignatureAlgorithm,
    signature: &EcdsaSignature,
) -> Result<Vec<u8>, SignatureError> {
    match algorithm {
        SignatureAlgorithm::EcdsaPlain(_) => signature.to_plain(curve),
        _ => signature.to_der(),
    }
}

/// RSAPrivateKey (RFC 8017 §A.1.2) with its CRT numbers.
fn rsa_private_key(key: &RsaPrivateKey) -> Result<Vec<u8>, KeyError> {
    let c = key.components().map_err(|_| KeyError::Unsupported)?;
    let crt = key.crt().map_err(|_| KeyError::Unsupported)?;
    let numbers: [&[u8]; 8] = [&c.n, &c.e, &c.d, &c.p, &c.q, &crt.dp, &crt.dq, &crt.qinv];
    let fields: Vec<u8> = numbers.iter().flat_map(|n| write::positive_integer(n)).collect();
    Ok(write::sequence(&[&write::integer(0), &fields]))
}

impl Signer for SoftwareKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> PublicKey {
        match &self.secret {
            Secret::Ec(key) => PublicKey::Ec(key.public_point()),
            Secret::Rsa(key) => PublicKey::Rsa(key.public_key()),
        }
    }

    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        let hash = self.algorithm.hash();
        let digest = hash.digest(message);
        match (&self.secret, self.algorithm) {
            (Secret::Ec(key), algorithm) => sign_prehashed(key, &digest, random)
                .and_then(|signature| ecdsa_bytes(key.curve(), algorithm, &signature)),
            (Secret::Rsa(key), SignatureAlgorithm::RsaPss { .. }) => {
                key.sign_pss(hash, &digest, random)
            }
            (Secret::Rsa(key), _) => key.sign_pkcs1v15(hash, &digest, random),
        }
        .map_err(|_| SignerError::Key)
    }
}

#[cfg(test)]
mod tests;
