//! What fuzz targets share.

/// The same numbers each time, so that a crash can be repeated.
pub struct Counting(u8);

impl Default for Counting {
    fn default() -> Self {
        Self(1)
    }
}

impl rand_core::TryRng for Counting {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes([7; 4]))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_be_bytes([7; 8]))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0 & 0x7F;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}
