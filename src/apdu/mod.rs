//! Command and response APDUs, status words and BER-TLV, as the terminal sees them
//! (ISO/IEC 7816-3 §12, ISO/IEC 7816-4 §5).
//!
//! The card has its own in `applets/runtime`: neither side borrows the other's reading of the
//! specification.

mod command;
mod response;
mod status;
pub mod tlv;

pub use command::{ApduError, CommandApdu, Ne};
pub use response::ResponseApdu;
pub use status::StatusWord;
