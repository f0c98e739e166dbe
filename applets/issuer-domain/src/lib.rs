//! The GlobalPlatform issuer security domain as it runs on the card.
#![no_std]
#![forbid(unsafe_code)]
