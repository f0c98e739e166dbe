//! What card lies on the reader: asked without any key and without changing it.

use cancuoc_primitives::curve::Curve;

use super::access::read_card_access;
use super::session::Session;
use super::{TerminalError, commands};
use crate::apdu::CommandApdu;
use crate::lds::{PaceInfo, SecurityInfos};
use crate::transport::CardTransport;

/// A kind of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKind {
    /// A travel or identity document: the LDS1 application can be selected.
    Document,
    /// A card with an issuer security domain and no document on it.
    Blank,
    /// Neither.
    Unknown,
}

impl CardKind {
    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Blank => "blank",
            Self::Unknown => "unknown",
        }
    }
}

/// What a card tells anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardIdentity {
    /// Its kind.
    pub kind: CardKind,
    /// The PACE variants of EF.CardAccess, by name.
    pub pace: Vec<String>,
}

/// Identifier of the issuer security domain (GlobalPlatform Card Specification §H.1.3).
const ISSUER_SECURITY_DOMAIN: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// Asks a powered card what it is: EF.CardAccess, SELECT of the LDS1 application, SELECT of the
/// issuer security domain. The session with the card should be reset afterwards.
///
/// # Errors
/// [`TerminalError`] when the card does not answer; refusals are answers.
pub fn identify<T: CardTransport>(session: &mut Session<T>) -> Result<CardIdentity, TerminalError> {
    let card_access = read_card_access(session)?;
    let infos = card_access.and_then(|b| SecurityInfos::decode("EF.CardAccess", &b).ok());
    let pace: Vec<String> = infos.iter().flat_map(SecurityInfos::pace).map(pace_name).collect();
    let selected = session.transmit(&commands::select_lds1())?.status.is_ok();
    let kind = if selected || !pace.is_empty() {
        CardKind::Document
    } else {
        let domain = CommandApdu::new(0x00, 0xA4, 0x04, 0x00)
            .with_data(ISSUER_SECURITY_DOMAIN)
            .with_ne(crate::apdu::Ne::MAX_SHORT);
        let found = session.transmit(&domain)?.status.is_ok();
        if found { CardKind::Blank } else { CardKind::Unknown }
    };
    Ok(CardIdentity { kind, pace })
}

/// `PACE-ECDH-GM AES-128 brainpoolP256r1`.
fn pace_name(info: &PaceInfo) -> String {
    let protocol = info.protocol;
    let id = info.parameter_id;
    let curve = id.and_then(|id| u8::try_from(id).ok()).and_then(Curve::from_domain_parameter_id);
    let domain = match (curve, id) {
        (Some(curve), _) => curve.name().to_owned(),
        (None, Some(id)) => format!("domain parameters {id}"),
        (None, None) => "own domain parameters".to_owned(),
    };
    let (agreement, mapping) = (protocol.agreement.name(), protocol.mapping.name());
    format!("PACE-{agreement}-{mapping} {} {domain}", protocol.cipher.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::replay::ReplayTransport;
    use hex_literal::hex;

    fn identified(exchanges: &[(&[u8], &[u8])]) -> CardIdentity {
        let owned = exchanges.iter().map(|(c, r)| (c.to_vec(), r.to_vec()));
        let mut session = Session::new(ReplayTransport::from_exchanges(owned));
        let identity = identify(&mut session).unwrap();
        assert!(session.into_transport().is_finished());
        identity
    }

    const READ: &[u8] = &hex!("00B09C0000");
    const SELECT: &[u8] = &hex!("00A4040C07A0000002471001");
    const NONE: &[u8] = &[0x6A, 0x82];

    #[test]
    fn knows_a_document_and_its_pace() {
        let card_access: &[u8] = &hex!("31143012060A04007F0007020204020202010202010D9000");
        let identity = identified(&[(READ, card_access), (SELECT, &[0x90, 0])]);
        assert_eq!(identity.kind, CardKind::Document);
        assert_eq!(identity.pace, ["PACE-ECDH-GM AES-128 brainpoolP256r1"]);
    }

    #[test]
    fn knows_a_blank_card() {
        let identity = identified(&[
            (READ, NONE),
            (&hex!("00A4000C023F00"), NONE),
            (&hex!("00A4020C02011C"), NONE),
            (SELECT, NONE),
            (&hex!("00A4040008A00000015100000000"), &[0x90, 0]),
        ]);
        assert_eq!(identity.kind, CardKind::Blank);
    }
}
