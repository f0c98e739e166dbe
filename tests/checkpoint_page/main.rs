//! The page of the checkpoint in a headless browser: Chromium, as Debian packages it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod browser;
mod cards;
#[path = "../support/checkpoint.rs"]
mod checkpoint;
mod shown;
#[path = "../support/mod.rs"]
mod support;
