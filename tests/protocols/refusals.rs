//! What reader and card refuse, each against the other with somebody in between.

pub mod between;
mod chip_authentication;
mod pace;
mod passwords;
mod randomness;
mod secure_messaging;
mod terminal_authentication;
