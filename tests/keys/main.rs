//! Keys in tokens of SoftHSM: by the built binary, and by the library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ceremony;
mod faults;
mod production;
mod soft_hsm;
mod store;
