//! Reader and software card against each other in-process: every variant of every protocol, and
//! what either end must refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/authorities.rs"]
mod authorities;
mod bindings;
#[path = "../support/cards.rs"]
mod cards;
mod chips;
#[path = "../support/issuer.rs"]
mod issuer;
mod matrix;
mod refusals;
mod trust_points;
