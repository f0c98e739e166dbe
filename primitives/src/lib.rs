//! Cryptographic primitives that the reader and the card share: curves, signatures, ciphers, hashes.
//!
//! Everything here is a thin choice between well-kept crates: no arithmetic is our own. The two
//! sides of a protocol share this and nothing else, since published vectors check it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod brainpool;
pub mod cipher;
pub mod curve;
pub mod dh;
pub mod ecdsa;
pub mod group;
pub mod hash;
pub mod modular;
pub mod rsa;
#[cfg(test)]
mod test_random;

pub use rand_core::CryptoRng;
