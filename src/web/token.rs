//! The secret that opens the page.

use cancuoc_primitives::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 32 random bytes as 64 hexadecimal digits.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Bytes of a token.
    pub const LENGTH: usize = 32;

    /// A new one.
    pub fn random(random: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        random.fill_bytes(&mut *bytes);
        Self::from_bytes(&bytes)
    }

    /// One that is kept somewhere.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(Zeroizing::new(hex::encode(bytes)))
    }

    /// The digits, in small letters.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is the token, in a time that tells nothing but its length.
    #[must_use]
    pub fn is(&self, offered: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(offered).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Token {
        Token::random(&mut rand_core::UnwrapErr(getrandom::SysRng))
    }

    #[test]
    fn each_is_another_and_none_is_shown() {
        let token = random();
        assert_ne!(token.expose(), random().expose());
        assert_eq!(token.expose().len(), 2 * Token::LENGTH);
        assert_eq!(format!("{token:?}"), "Token(***)");
    }

    #[test]
    fn is_itself_and_no_other() {
        let token = random();
        assert!(token.is(token.expose().as_bytes()));
        let digits = token.expose();
        for other in ["", &digits[1..], &format!("{digits}0"), random().expose()] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
    }
}
