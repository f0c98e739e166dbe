//! The production line as a whole: records in, cards out, over software cards in-process, with
//! every fault that can be injected from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod faults;
mod many;
mod site;
mod way;
