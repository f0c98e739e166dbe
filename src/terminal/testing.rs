//! What tests of the terminal share.

use rand_core::{TryCryptoRng, TryRng};

/// Gives the bytes of a list, over and over; for repeating published examples.
#[derive(Clone)]
pub(crate) struct Fixed {
    bytes: Vec<u8>,
    position: usize,
}

impl Fixed {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), position: 0 }
    }
}

impl TryRng for Fixed {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.bytes[self.position % self.bytes.len()];
            self.position += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
