//! How a terminal learns what the card trusts.

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::issue::{AccessRule, CardImage, TerminalAuthentication};
use cancuoc::lds::FileId;
use cancuoc::terminal::{AccessPlan, FileRead, Proof, ReadOptions, read_chip};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use zeroize::Zeroizing;

use crate::authorities::{Chain, day, ec_key};
use crate::cards::{Wanted, image, keys, personalised, random};
use crate::chips::{DOCUMENT_NUMBER, file};

/// A card with PACE, Terminal Authentication and DG3, whose EF.CVCA may be read by that rule.
fn card(chain: &Chain, access: AccessRule) -> CardImage {
    let mut image = image(&Wanted { listed: vec![1, 3, 14], ..Wanted::default() });
    let mut ef_cvca = encode(Tag(0x42), chain.cvca.reference().as_bytes());
    ef_cvca.resize(36, 0);
    image.files.push(file(FileId::CVCA.0, access, ef_cvca));
    image.terminal_authentication = Some(TerminalAuthentication {
        trust_points: vec![chain.cvca.certificate.raw().to_vec()],
        date: day("260301"),
        chip_identifier: Zeroizing::new(DOCUMENT_NUMBER.to_owned()),
    });
    image
}

#[test]
fn a_card_whose_ef_cvca_cannot_be_read_tells_its_trust_points_in_pace() {
    let chain = Chain::new(|| ec_key(Curve::P256, HashAlgorithm::Sha256));
    for access in [AccessRule::AfterAccessControl, AccessRule::Dg4Right] {
        let card = personalised(&card(&chain, access));
        let plan = AccessPlan::pace(keys());
        let options = ReadOptions { terminal: Some(chain.credentials()), ..ReadOptions::default() };
        let reading = read_chip(card, &plan, &options, &mut random(), &mut |_, _| {}).unwrap();
        let terminal = &reading.terminal_authentication;
        assert!(matches!(terminal, Proof::Answered(_)), "{access:?}: {terminal:?}");
        let dg3 = reading.files.iter().find(|f| f.file == FileId(0x0103)).unwrap();
        assert!(matches!(dg3.read, FileRead::Content { .. }), "{dg3:?}");
    }
}
