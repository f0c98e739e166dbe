//! Cryptographic primitives that the reader and the card share: curves, signatures, ciphers, hashes.
#![no_std]
#![forbid(unsafe_code)]
