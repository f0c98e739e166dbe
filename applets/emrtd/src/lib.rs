//! The ICAO Doc 9303 LDS1 application as it runs on the card.
#![no_std]
#![forbid(unsafe_code)]
