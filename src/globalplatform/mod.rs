//! GlobalPlatform from the host's side: secure channels SCP02 and SCP03, card content and life
//! cycle, and the personalisation of a card.
//!
//! Written from the GlobalPlatform Card Specification 2.3.1 (GPC), appendix E for SCP02, and its
//! Amendment D 1.2 (Secure Channel Protocol 03). The protocol parts do no I/O: they give the command to send next and take
//! its answer. [`link::Link`] moves the bytes.
//!
//! An authentication that fails is never tried again: cards count failures and block for ever.

pub mod attempts;
pub mod cap;
pub mod card_data;
pub mod channel;
pub mod command;
pub mod content;
pub mod dgi;
pub mod diagnosis;
pub mod diversification;
mod error;
pub mod image;
pub mod keys;
pub mod level;
pub mod life_cycle;
pub mod limits;
pub mod link;
mod not_read_back;
pub mod perso;
pub mod personalize;
pub mod read_back;
pub mod scp02;
pub mod scp03;
pub mod session;
pub mod status;

pub use channel::{ChannelProtocol, SecureChannel};
pub use error::GlobalPlatformError;
pub use keys::{KeySet, StaticKey};
pub use level::SecurityLevel;
pub use not_read_back::NotReadBack;

/// The issuer security domain of the card (GPC appendix H.1: RID of GlobalPlatform, then 51000000).
pub const ISSUER_SECURITY_DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];
/// The LDS1 application (ICAO 9303-10 §3.1).
pub const LDS1_APPLICATION: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];
