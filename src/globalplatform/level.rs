//! Protection of commands and responses in a secure channel.

/// Protection of commands and responses (GPC table E-8 for SCP02, Amendment D table 7-3 for
/// SCP03): P1 of EXTERNAL AUTHENTICATE. The bits are the same in both protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityLevel(u8);

impl SecurityLevel {
    /// MAC on commands.
    pub const C_MAC: Self = Self(0x01);
    /// Commands encrypted, with MAC.
    pub const C_DECRYPTION: Self = Self(0x03);
    /// MAC on commands and responses.
    pub const C_MAC_R_MAC: Self = Self(0x11);
    /// Commands encrypted, MAC on both.
    pub const C_DECRYPTION_R_MAC: Self = Self(0x13);
    /// Commands and responses encrypted, MAC on both.
    pub const FULL: Self = Self(0x33);

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }
    /// Whether command data is encrypted.
    #[must_use]
    pub const fn encrypts_commands(self) -> bool {
        self.0 & 0x02 != 0
    }
    /// Whether responses carry a MAC.
    #[must_use]
    pub const fn authenticates_responses(self) -> bool {
        self.0 & 0x10 != 0
    }
    /// Whether response data is encrypted.
    #[must_use]
    pub const fn encrypts_responses(self) -> bool {
        self.0 & 0x20 != 0
    }
}
