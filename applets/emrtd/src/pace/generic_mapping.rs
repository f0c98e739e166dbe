//! Generic Mapping (ICAO 9303-11 §4.4.3.3.1).

use cancuoc_primitives::group::{DomainParameters, GroupError, GroupSecret, PublicElement};

/// The nonce times the generator plus a shared point, or the generator to the power of the nonce
/// times a shared number.
pub fn map(
    parameters: &DomainParameters,
    nonce: &[u8],
    terminal: &PublicElement,
    secret: &GroupSecret,
) -> Result<PublicElement, GroupError> {
    let shared = terminal.raise(secret)?;
    GroupSecret::from_bytes(parameters, nonce)?.public_element().combine(&shared)
}
