//! Random numbers that are the same in every run, so that the cards of a deck can be compared.

use std::convert::Infallible;

use cancuoc_primitives::hash::HashAlgorithm;

/// SHA-256 of a label and a counter. Anybody can make the keys that come of it: they are worth
/// nothing outside of tests.
pub(super) struct Reproducible {
    seed: Vec<u8>,
    counter: u64,
}

impl Reproducible {
    pub(super) fn new(label: &str) -> Self {
        Self { seed: HashAlgorithm::Sha256.digest(label.as_bytes()), counter: 0 }
    }

    fn block(&mut self) -> Vec<u8> {
        self.counter += 1;
        HashAlgorithm::Sha256.digest_parts(&[&self.seed, &self.counter.to_be_bytes()])
    }
}

impl rand_core::TryRng for Reproducible {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let block = self.block();
            chunk.copy_from_slice(block.get(..chunk.len()).unwrap_or_default());
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Reproducible {}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    #[test]
    fn gives_the_same_for_one_label_and_other_numbers_for_another() {
        let numbers = |label| {
            let mut random = Reproducible::new(label);
            let mut bytes = [0; 70];
            random.fill_bytes(&mut bytes);
            (bytes, random.next_u64())
        };
        assert_eq!(numbers("a"), numbers("a"));
        assert_ne!(numbers("a"), numbers("b"));
        assert_ne!(numbers("a").0[..32], numbers("a").0[32..64]);
    }
}
