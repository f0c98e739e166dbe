//! Personalisation without reading back.

use super::personalize::{Inspection, ReadBack, ReadBackError};
use crate::issue::CardImage;
use crate::transport::CardTransport;

/// Reads nothing back: for forged cards, which would not pass it, and for tests that read the card
/// themselves. Never for a card that somebody gets.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotReadBack;

impl Inspection for NotReadBack {
    fn is_same_document(
        &mut self,
        _: &mut dyn CardTransport,
        _: &CardImage,
    ) -> Result<bool, ReadBackError> {
        Ok(false)
    }

    fn read_back(
        &mut self,
        _: &mut dyn CardTransport,
        _: &CardImage,
    ) -> Result<ReadBack, ReadBackError> {
        Ok(ReadBack::default())
    }
}
