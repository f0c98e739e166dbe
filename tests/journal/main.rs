//! The journal of the production line, over both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../support/postgres.rs"]
mod cluster;
mod fixture;
mod kill;
mod model;
mod postgres_only;
mod sqlite_only;
mod suite;
