//! N34 to N37: how the card is opened, and what it announces before.

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;

use crate::apdu::tlv::{Tag, encode};
use crate::deck::entry::{Given, failed, skipped};
use crate::deck::signed_object::SignedObject;
use crate::deck::workshop::{CountrySigner, DocumentSigner, SIGNED_AT, Workshop};
use crate::deck::{Card, DeckError, Entry};
use crate::issue::{Location, PaceConfiguration};
use crate::lds::{
    CardSecurity, FileId, KeyAgreement, Mapping, PaceInfo, PaceProtocol, ParameterForm,
    SECURITY_OBJECT, SecurityInfoKind, SecurityInfos, encode_dg14, security_infos_of_dg14,
};
use crate::pki::{KeyKind, Signer};
use crate::softcard::misbehaviour::{Act, When, WrongContent};

type Made = Result<Card, DeckError>;

const CARD_ACCESS: &str = "consistency.cardaccess_dg14";
const CARD_SECURITY: &str = "pa.card_security";
const MAPPING: &str = "chip.pace_cam";
/// Name of the good card with two variants of PACE.
const TWO: &str = "N34-two-variants";
/// Name of the good card that proves itself by PACE-CAM.
const CAM: &str = "N35-mapping";
/// Name of the good card without PACE.
const BAC: &str = "N36-bac-only";

/// The MRZ of the first holder: BAC needs it.
const MRZ: Given = Given::Mrz(super::fields::MRZ);

/// GENERAL AUTHENTICATE: nonce, mapping, key agreement, token.
const PACE: When = When::ins(0x86);

/// A chip that can prove itself by PACE-CAM alone, with a key that DG14 does not name.
const CAM_ONLY_PROFILE: &str = r#"
schema = "cancuoc.profile/1"
extends = "icao-pace-cam"
name = "pace-cam-alone"
title_en = "ICAO chip with PACE-CAM and nothing else"
title_vi = "Chip ICAO chỉ có PACE-CAM"

[chip_authentication]
use = ["pace_cam"]
"#;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::good(TWO, two_variants),
    Entry::forged("N34-weaker", &[failed(CARD_ACCESS, "card_access_weaker_than_signed")], |w| {
        announcing(two_variants(w)?, &[pace(BlockCipher::Aes128, 13)])
    })
    .twin(TWO),
    Entry::forged("N34-hidden", &[failed(CARD_ACCESS, "card_access_hides_pace")], |w| {
        announcing(two_variants(w)?, &[pace(BlockCipher::Aes256, 13)])
    })
    .twin(TWO),
    Entry::forged("N34-other-curve", &[failed(CARD_ACCESS, "card_access_changed")], |w| {
        // As strong as the one that was signed, and another.
        let mut card = w.card();
        card.image.pace = vec![configuration(BlockCipher::Aes128, 12)];
        announcing(card, &[pace(BlockCipher::Aes128, 12)])
    }),
    Entry::forged("N34-not-signed", &[failed(CARD_ACCESS, "card_access_not_signed")], |w| {
        let mut card = w.card();
        card.image.pace.push(configuration(BlockCipher::Tdes, 13));
        announcing(card, &[pace(BlockCipher::Aes128, 13), pace(BlockCipher::Tdes, 13)])
    }),
    Entry::good(CAM, |w| w.card_of("icao-pace-cam")),
    Entry::unknown("N35-key-of-no-document", &[skipped(MAPPING, "cam_key_of_no_document")], |w| {
        // The key stands in EF.CardSecurity alone: nothing says that the chip is this document's.
        w.card_of(CAM_ONLY_PROFILE)
    })
    .twin(CAM),
    Entry::forged("N35-data", &[failed(MAPPING, "cam_data_invalid")], |w| {
        let flip = Act::Respond(WrongContent::Flip { tag: 0x8A });
        Ok(w.card_of("icao-pace-cam")?.misbehaving(PACE.once_after(3), flip))
    })
    .twin(CAM),
    Entry::forged(
        "N35-clone",
        &[failed(MAPPING, "cam_key_mismatch"), failed("chip.ca", "chip_authentication_failed")],
        |w| {
            let mut card = w.card_of("icao-pace-cam")?;
            super::binding::clone_keys(w, &mut card)?;
            Ok(card)
        },
    )
    .twin(CAM),
    Entry::forged(
        "N35-signature",
        &[failed(CARD_SECURITY, "signature_invalid"), skipped(MAPPING, "key_not_bound")],
        |w| {
            let mut card = w.card_of(CAM_ONLY_PROFILE)?;
            let file = card.file(Location::MasterFile, FileId::CARD_SECURITY)?;
            if let Some(last) = file.last_mut() {
                *last ^= 1;
            }
            Ok(card)
        },
    )
    .twin(CAM),
    Entry::unknown(
        "N35-unknown-signer",
        &[skipped(CARD_SECURITY, "csca_unknown"), skipped(MAPPING, "key_not_bound")],
        |w| {
            let mut card = w.card_of(CAM_ONLY_PROFILE)?;
            let kind = KeyKind::Ec(Curve::P256);
            let form = ParameterForm::Named;
            let own = w.with_random(|r| CountrySigner::new("VN", "Own CSCA", kind, form, r))?;
            let key = w.ec_key()?;
            let signer = w.with_random(|random| own.document_signer(key, random, |_| {}))?;
            let file = card.file(Location::MasterFile, FileId::CARD_SECURITY)?;
            let infos = CardSecurity::decode(file)?.infos;
            *file = card_security(w, &infos, &signer)?;
            Ok(card)
        },
    )
    .twin(CAM),
    Entry::forged(
        "N35-other-parameters",
        &[failed("consistency.card_security", "card_access_not_signed")],
        |w| {
            // Signed by the issuer, for a card with one variant of PACE less.
            let infos = |kind: &SecurityInfoKind| {
                !matches!(kind, SecurityInfoKind::Pace(PaceInfo { protocol, .. })
                    if protocol.mapping == Mapping::Generic)
            };
            with_card_security(w, |kinds| kinds.retain(infos))
        },
    )
    .twin(CAM),
    Entry::forged(
        "N35-of-another-card",
        &[
            failed("consistency.card_security", "card_security_key_differs"),
            failed(MAPPING, "cam_key_mismatch"),
        ],
        |w| {
            // Signed by the issuer, with the key of another card.
            let key = w.key(KeyKind::Ec(Curve::BrainpoolP256r1))?;
            let spki = key.public_key().to_spki_der(ParameterForm::Explicit);
            with_card_security(w, |kinds| {
                for kind in kinds {
                    if let SecurityInfoKind::ChipAuthenticationPublicKey(own) = kind {
                        own.spki.clone_from(&spki);
                    }
                }
            })
        },
    )
    .twin(CAM),
    Entry::good(BAC, without_pace).under("standard").allowing_bac().given(MRZ),
    Entry::good("N36-3des-allowed", |w| with_only(w, BlockCipher::Tdes)).under("standard"),
    Entry::forged("N36-card-access-gone", &[failed(CARD_ACCESS, "pace_dropped_to_bac")], |w| {
        let mut card = w.card();
        card.image.pace.clear();
        card.remove(Location::MasterFile, FileId::CARD_ACCESS);
        Ok(card)
    })
    .under("standard")
    .allowing_bac()
    .given(MRZ)
    .twin(BAC),
    Entry::forged("N36-pace-gone", &[failed(CARD_ACCESS, "pace_dropped_to_bac")], |w| {
        let mut card = w.card();
        card.image.pace.clear();
        announcing(card, &[])
    })
    .under("standard")
    .allowing_bac()
    .given(MRZ)
    .twin(BAC),
    Entry::aborted("N36-bac-strict", "pace_not_offered", without_pace).given(MRZ),
    Entry::aborted("N36-pace-fails", "card_refused", |w| {
        // PACE does not work, BAC would: the terminal must not fall back to it.
        let refusal = WrongContent::Answer { data: Vec::new(), status: 0x6A80 };
        Ok(w.card().misbehaving(When::ins(0x22), Act::Respond(refusal)))
    })
    .under("standard")
    .allowing_bac()
    .given(MRZ),
    Entry::aborted("N36-3des", "pace_forbidden_by_policy", |w| with_only(w, BlockCipher::Tdes)),
    Entry::aborted("N37-echoed-mapping", "card_key_reflected", |w| echo(w, 1, 0x81, 0x82)),
    Entry::aborted("N37-echoed-key", "card_key_reflected", |w| echo(w, 2, 0x83, 0x84)),
    Entry::aborted("N37-echoed-token", "card_protocol_violation", |w| echo(w, 3, 0x85, 0x86)),
    Entry::aborted("N37-wrong-token", "card_not_authentic", |w| {
        let flip = Act::Respond(WrongContent::Flip { tag: 0x86 });
        Ok(w.card().misbehaving(PACE.once_after(3), flip))
    }),
    Entry::aborted("N37-short-nonce", "card_protocol_violation", |w| {
        dynamic(w, 0, 0x80, &[0x5A; 15])
    }),
    Entry::aborted("N37-long-nonce", "card_protocol_violation", |w| {
        dynamic(w, 0, 0x80, &[0x5A; 32])
    }),
    Entry::aborted("N37-off-curve", "card_key_not_on_curve", |w| {
        let flip = Act::Respond(WrongContent::Flip { tag: 0x82 });
        Ok(w.card().misbehaving(PACE.once_after(1), flip))
    }),
    Entry::aborted("N37-infinity", "card_key_identity", |w| dynamic(w, 1, 0x82, &[0])),
    Entry::aborted("N37-nothing", "card_protocol_violation", |w| {
        let nothing = WrongContent::Answer { data: Vec::new(), status: 0x9000 };
        Ok(w.card().misbehaving(PACE.once_after(1), Act::Respond(nothing)))
    }),
];

fn protocol(cipher: BlockCipher) -> PaceProtocol {
    PaceProtocol { agreement: KeyAgreement::Ecdh, mapping: Mapping::Generic, cipher }
}

fn pace(cipher: BlockCipher, parameter: u32) -> SecurityInfoKind {
    let protocol = protocol(cipher);
    SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id: Some(parameter) })
}

fn configuration(cipher: BlockCipher, domain_parameter_id: u8) -> PaceConfiguration {
    PaceConfiguration { protocol: protocol(cipher).oid(), domain_parameter_id }
}

/// The infos of EF.CardAccess with other variants of PACE; nothing else of the card changes.
fn announcing(mut card: Card, variants: &[SecurityInfoKind]) -> Made {
    let file = card.file(Location::MasterFile, FileId::CARD_ACCESS)?;
    let infos = SecurityInfos::decode("EF.CardAccess", file)?;
    *file = with_pace(infos, variants).encode();
    Ok(card)
}

fn with_pace(infos: SecurityInfos, variants: &[SecurityInfoKind]) -> SecurityInfos {
    let others = infos.infos.into_iter().map(|info| info.kind);
    let others = others.filter(|kind| !matches!(kind, SecurityInfoKind::Pace(_)));
    SecurityInfos::from_kinds(others.chain(variants.iter().cloned()))
}

/// A card with other variants of PACE, announced and signed.
fn with_variants(workshop: &Workshop, ciphers: &[BlockCipher]) -> Made {
    let mut card = workshop.card();
    let variants: Vec<_> = ciphers.iter().map(|cipher| pace(*cipher, 13)).collect();
    card.image.pace = ciphers.iter().map(|cipher| configuration(*cipher, 13)).collect();
    let dg14 = card.group(14)?;
    *dg14 = encode_dg14(&with_pace(security_infos_of_dg14(dg14)?, &variants));
    workshop.sign(&mut card)?;
    announcing(card, &variants)
}

fn two_variants(workshop: &Workshop) -> Made {
    with_variants(workshop, &[BlockCipher::Aes128, BlockCipher::Aes256])
}

fn with_only(workshop: &Workshop, cipher: BlockCipher) -> Made {
    with_variants(workshop, &[cipher])
}

/// A card of a time before PACE, signed so.
fn without_pace(workshop: &Workshop) -> Made {
    let mut card = with_variants(workshop, &[])?;
    card.remove(Location::MasterFile, FileId::CARD_ACCESS);
    Ok(card)
}

/// A card with PACE-CAM whose EF.CardSecurity was signed with other infos.
fn with_card_security(
    workshop: &Workshop,
    change: impl FnOnce(&mut Vec<SecurityInfoKind>),
) -> Made {
    let mut card = workshop.card_of("icao-pace-cam")?;
    let file = card.file(Location::MasterFile, FileId::CARD_SECURITY)?;
    let infos = CardSecurity::decode(file)?.infos.infos;
    let mut kinds = infos.into_iter().map(|info| info.kind).collect();
    change(&mut kinds);
    *file = card_security(workshop, &SecurityInfos::from_kinds(kinds), &workshop.signer)?;
    Ok(card)
}

/// EF.CardSecurity with these infos.
fn card_security(
    workshop: &Workshop,
    infos: &SecurityInfos,
    signer: &DocumentSigner,
) -> Result<Vec<u8>, DeckError> {
    let content = infos.encode();
    let signed = workshop
        .with_random(|r| SignedObject::new(SECURITY_OBJECT, content, signer, SIGNED_AT, r))?;
    Ok(signed.encode())
}

fn echo(workshop: &Workshop, step: u32, from: u8, to: u8) -> Made {
    let act = Act::Respond(WrongContent::Echo { from, to });
    Ok(workshop.card().misbehaving(PACE.once_after(step), act))
}

/// Dynamic authentication data of one's own in a step of PACE.
fn dynamic(workshop: &Workshop, step: u32, tag: u32, value: &[u8]) -> Made {
    let data = encode(Tag(0x7C), &encode(Tag(tag), value));
    let act = Act::Respond(WrongContent::Answer { data, status: 0x9000 });
    Ok(workshop.card().misbehaving(PACE.once_after(step), act))
}
