//! What the tests of the application share: a memory whose power can be cut, random numbers that
//! are the same every time, and CV certificates of synthetic authorities.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, object};
use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, Write};
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::sign_prehashed;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;

/// Records in RAM.
#[derive(Clone, Default)]
pub struct Memory {
    pub records: BTreeMap<u32, Vec<u8>>,
    /// Calls of `apply` until the power goes; `None` for never.
    pub writes_left: Option<usize>,
}

impl NonVolatileMemory for Memory {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.records.get(&key).map(Vec::as_slice)
    }

    fn keys(&self) -> Vec<u32> {
        self.records.keys().copied().collect()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or(MemoryError::Failed)?;
        }
        for write in writes {
            match *write {
                Write::Put { key, value } => {
                    self.records.insert(key, value.to_vec());
                }
                Write::Patch { key, offset, data } => {
                    let record = self.records.get_mut(&key).unwrap();
                    record[offset..offset + data.len()].copy_from_slice(data);
                }
                Write::Delete { key } => {
                    self.records.remove(&key);
                }
            }
        }
        Ok(())
    }
}

/// Numbers of a linear congruential generator: each different, the same in every run.
pub struct Random(pub u64);

impl rand_core::TryRng for Random {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Ok(self.0 ^ self.0 >> 29)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = (self.try_next_u64()? >> 40) as u8;
        }
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Random {}

/// A published worked example: `name: HEX` lines.
pub fn value(file: &str, name: &str) -> Vec<u8> {
    let line = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    line.unwrap().as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A private key and the last two arcs of its algorithm.
pub struct Key {
    arcs: [u8; 2],
    secret: Secret,
}

enum Secret {
    Ec(SecretScalar),
    Rsa(Box<RsaPrivateKey>),
}

impl Key {
    pub fn ec(curve: Curve, hash_arc: u8, seed: u64) -> Self {
        let secret = SecretScalar::random(curve, &mut Random(seed));
        Self { arcs: [2, hash_arc], secret: Secret::Ec(secret) }
    }

    pub fn rsa(arc: u8, key: &RsaPrivateKey) -> Self {
        Self { arcs: [1, arc], secret: Secret::Rsa(Box::new(key.clone())) }
    }

    /// The value of `7F49`.
    pub fn public_key(&self, parameters: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let oid = [&[4, 0, 0x7F, 0, 7, 2, 2, 2][..], &self.arcs].concat();
        tlv::put(&mut out, 0x06, &oid);
        match &self.secret {
            Secret::Rsa(key) => {
                tlv::put(&mut out, 0x81, &key.public_key().modulus());
                tlv::put(&mut out, 0x82, &key.public_key().exponent());
            }
            Secret::Ec(secret) => {
                let p = secret.curve().parameters();
                if parameters {
                    tlv::put(&mut out, 0x81, p.p);
                    tlv::put(&mut out, 0x82, p.a);
                    tlv::put(&mut out, 0x83, p.b);
                    tlv::put(&mut out, 0x84, &[&[4], p.gx, p.gy].concat());
                    tlv::put(&mut out, 0x85, p.n);
                }
                tlv::put(&mut out, 0x86, secret.public_point().as_bytes());
                if parameters {
                    tlv::put(&mut out, 0x87, &[1]);
                }
            }
        }
        out
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        let random = &mut Random(99);
        match &self.secret {
            Secret::Ec(secret) => {
                let hash = [Sha1, Sha224, Sha256, Sha384, Sha512][usize::from(self.arcs[1] - 1)];
                let signature = sign_prehashed(secret, &hash.digest(message), random).unwrap();
                signature.to_plain(secret.curve()).unwrap()
            }
            Secret::Rsa(key) => {
                let arc = usize::from(self.arcs[1] - 1);
                let hash = [Sha1, Sha256, Sha1, Sha256, Sha512, Sha512][arc];
                let digest = hash.digest(message);
                match self.arcs[1] {
                    1 | 2 | 5 => key.sign_pkcs1v15(hash, &digest, random).unwrap(),
                    _ => key.sign_pss(hash, &digest, random).unwrap(),
                }
            }
        }
    }
}

pub const CVCA: u8 = 0xC0;
pub const DOMESTIC: u8 = 0x80;
pub const FOREIGN: u8 = 0x40;
pub const DG3: u8 = 0x01;
pub const DG4: u8 = 0x02;
/// id-IS and id-AT.
pub const INSPECTION_SYSTEM: u8 = 1;
pub const AUTHENTICATION_TERMINAL: u8 = 2;

/// What a certificate says.
pub struct Certificate<'a> {
    pub authority: &'a str,
    pub holder: &'a str,
    pub key: &'a Key,
    /// Whether domain parameters are given.
    pub parameters: bool,
    /// Role and rights.
    pub authorization: u8,
    pub terminals: u8,
    /// YYMMDD.
    pub effective: &'a str,
    pub expiration: &'a str,
    /// Data objects after the dates.
    pub extensions: &'a [u8],
}

impl Certificate<'_> {
    /// Body and signature, as PSO: VERIFY CERTIFICATE has them.
    pub fn sign(&self, signer: &Key) -> Vec<u8> {
        let date = |text: &str| text.bytes().map(|c| c - b'0').collect::<Vec<u8>>();
        let mut chat = object(0x06, &[4, 0, 0x7F, 0, 7, 3, 1, 2, self.terminals]);
        let five = [self.authorization, 0, 0, 0, 0];
        let one = [self.authorization];
        let relative: &[u8] = if self.terminals == INSPECTION_SYSTEM { &one } else { &five };
        tlv::put(&mut chat, 0x53, relative);
        let body = [
            object(0x5F29, &[0]),
            object(0x42, self.authority.as_bytes()),
            object(0x7F49, &self.key.public_key(self.parameters)),
            object(0x5F20, self.holder.as_bytes()),
            object(0x7F4C, &chat),
            object(0x5F25, &date(self.effective)),
            object(0x5F24, &date(self.expiration)),
            self.extensions.to_vec(),
        ];
        let body = object(0x7F4E, &body.concat());
        [&body[..], &object(0x5F37, &signer.sign(&body))].concat()
    }
}

/// A certificate as it stands in a file.
pub fn whole(body_and_signature: &[u8]) -> Vec<u8> {
    object(0x7F21, body_and_signature)
}
