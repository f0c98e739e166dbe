//! RSA keys of every size that chips and terminals have, so that no test has to make one.
#![allow(dead_code)] // each test binary uses a part

use cancuoc::lds::{PublicKey, SignatureAlgorithm};
use cancuoc::pki::{Signer, SignerError};
use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::rsa::RsaPrivateKey;

/// Sizes in bits.
pub const SIZES: [usize; 6] = [1024, 1280, 1536, 2048, 3072, 4096];

/// The key with that many bits.
pub fn rsa_key(bits: usize) -> RsaPrivateKey {
    let text = include_str!("../../testvectors/rsa-keys.txt");
    let number = |name: &str| {
        let prefix = format!("{bits} {name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        hex::decode(line.unwrap_or_else(|| panic!("no RSA key of {bits} bits"))).unwrap()
    };
    let [n, d, p, q] = ["n", "d", "p", "q"].map(number);
    RsaPrivateKey::from_components(&n, &[1, 0, 1], &d, &[&p, &q]).unwrap()
}

/// The same as a signer.
pub struct RsaSigner {
    pub key: RsaPrivateKey,
    pub algorithm: SignatureAlgorithm,
}

impl Signer for RsaSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::Rsa(self.key.public_key())
    }

    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        let hash = self.algorithm.hash();
        let digest = hash.digest(message);
        let signature = match self.algorithm {
            SignatureAlgorithm::RsaPss { .. } => self.key.sign_pss(hash, &digest, random),
            _ => self.key.sign_pkcs1v15(hash, &digest, random),
        };
        signature.map_err(|_| SignerError::Key)
    }
}
