//! What ties a chip's key, and what the card announces, to the document: end to end, with somebody
//! in between who exchanges files of genuine cards.

use cancuoc::cvc::Rights;
use cancuoc::document::{Can, MrzKey};
use cancuoc::issue::CardImage;
use cancuoc::lds::{FileId, SecurityInfoKind, SecurityInfos};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::{
    AccessPlan, AccessPolicy, ChipReading, ReadOptions, TerminalError, read_chip,
};
use cancuoc::transport::CardTransport;
use cancuoc::verify::{Check, CheckId, ChipEvidence, DocumentFiles, Policy, Report, Verdict};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;

use crate::authorities::{Chain, ec_key};
use crate::cards::{personalised, random};
use crate::issuer::{TestIssuer, check};
use crate::refusals::between::{Between, Passing};

/// Every chip has a key for the mapping alone, and nothing in DG14.
const MAPPING_ALONE: &str = r#"
schema = "cancuoc.profile/1"
extends = "icao-base"
name = "mapping-alone"
title_en = "PACE-CAM and nothing else"
title_vi = "Chỉ có PACE-CAM"
[access]
bac = false
pace = [{ protocol = "id-PACE-ECDH-CAM-AES-CBC-CMAC-128", parameter = 13 }]
[chip_authentication]
protocol = "id-CA-ECDH-AES-CBC-CMAC-128"
curve = "brainpoolP256r1"
key_id = 13
use = ["pace_cam"]
"#;

fn plan(image: &CardImage) -> AccessPlan {
    let mut keys = crate::cards::keys();
    keys.can = image.can.clone();
    keys.mrz = image.mrz_key.as_ref().map(|key| MrzKey::from_bytes(**key));
    AccessPlan::pace(keys)
}

fn read_through(
    card: impl CardTransport,
    plan: &AccessPlan,
    chip_authentication: bool,
) -> Result<ChipReading, TerminalError> {
    let options = ReadOptions { chip_authentication, ..ReadOptions::default() };
    read_chip(card, plan, &options, &mut random(), &mut |_, _| {})
}

/// Reads a card as it is.
fn read(image: &CardImage, chip_authentication: bool) -> ChipReading {
    read_through(personalised(image), &plan(image), chip_authentication).unwrap()
}

/// The same with a terminal's certificates.
fn read_as_terminal(image: &CardImage, chain: &Chain, chip_authentication: bool) -> ChipReading {
    let terminal = Some(chain.credentials());
    let options = ReadOptions { chip_authentication, terminal, ..ReadOptions::default() };
    let card = personalised(image);
    read_chip(card, &plan(image), &options, &mut random(), &mut |_, _| {}).unwrap()
}

fn code(report: &Report, id: CheckId) -> (&'static str, &'static str) {
    let check: &Check = check(report, id);
    (check.status_name(), check.code)
}

#[test]
fn chip_authentication_mapping_alone_makes_a_card_genuine_whose_dg14_has_the_key() {
    let issuer = TestIssuer::new();
    let report = issuer.inspect_reading(&read(&issuer.image("icao-pace-cam"), false));
    assert_eq!(code(&report, CheckId::ChipPaceCam), ("passed", "ok"));
    assert_eq!(check(&report, CheckId::ChipPaceCam).detail()["key_in_dg14"], true);
    assert_eq!(report.verdict(), Verdict::Genuine);
}

#[test]
fn a_mapping_key_of_which_the_document_knows_nothing_proves_nothing() {
    let issuer = TestIssuer::new();
    let report = issuer.inspect_reading(&read(&issuer.image(MAPPING_ALONE), true));
    // The issuer made the chip, but for whom?
    assert_eq!(code(&report, CheckId::PaCardSecurity), ("passed", "ok"));
    assert_eq!(code(&report, CheckId::ChipPaceCam), ("skipped", "cam_key_of_no_document"));
    assert_eq!(report.verdict(), Verdict::Inconclusive);
}

#[test]
fn a_genuine_chip_does_not_vouch_for_the_data_of_another_document() {
    for profile in ["icao-pace-cam", MAPPING_ALONE] {
        let issuer = TestIssuer::new();
        let [victim, own] = [(); 2].map(|()| read(&issuer.image(profile), false));
        // Everything of the victim, shown by a chip of the same issuer that proves its own key.
        let files = DocumentFiles {
            card_security: own.card_security.clone(),
            ..DocumentFiles::of_reading(&victim)
        };
        let report = issuer.inspect(&files, &ChipEvidence::of_reading(&own), Policy::strict());
        assert_ne!(report.verdict(), Verdict::Genuine);
        assert!(!check(&report, CheckId::ChipPaceCam).has_passed());
    }
}

#[test]
fn the_proof_of_one_chip_does_not_fit_the_key_of_another() {
    let issuer = TestIssuer::new();
    let [victim, own] = [(); 2].map(|()| read(&issuer.image("icao-pace-cam"), false));
    let files = DocumentFiles::of_reading(&victim);
    let report = issuer.inspect(&files, &ChipEvidence::of_reading(&own), Policy::strict());
    assert_eq!(code(&report, CheckId::ChipPaceCam).0, "failed");
    assert_eq!(report.verdict(), Verdict::Forged);
}

#[test]
fn card_security_counts_only_under_a_trusted_signature() {
    let (issuer, stranger) = (TestIssuer::new(), TestIssuer::new());
    let own = read(&stranger.image("icao-pace-cam"), false);
    // A stranger's EF.CardSecurity beside files of the issuer.
    let files = DocumentFiles {
        card_security: own.card_security.clone(),
        ..DocumentFiles::of_reading(&read(&issuer.image("icao-pace-cam"), false))
    };
    let report = issuer.inspect(&files, &ChipEvidence::of_reading(&own), Policy::strict());
    assert!(!check(&report, CheckId::PaCardSecurity).has_passed());
    assert!(!check(&report, CheckId::ChipPaceCam).has_passed());
    assert_eq!(report.verdict(), Verdict::Forged, "the keys differ");
    // One bit of a right one.
    let genuine = read(&issuer.image("icao-pace-cam"), false);
    let mut files = DocumentFiles::of_reading(&genuine);
    *files.card_security.as_mut().unwrap().last_mut().unwrap() ^= 1;
    let report = issuer.inspect(&files, &ChipEvidence::of_reading(&genuine), Policy::strict());
    assert_eq!(code(&report, CheckId::PaCardSecurity).0, "failed");
    assert!(!check(&report, CheckId::ChipPaceCam).has_passed());
    assert_eq!(report.verdict(), Verdict::Forged);
}

/// A card whose EF.CardAccess is another one on the wire.
fn with_card_access<'a>(card: SoftCard, replacement: &'a [u8]) -> impl CardTransport + 'a {
    Between {
        card,
        change: move |passing: Passing<'_>| {
            if let Passing::Response(command, response) = passing
                && command[..3] == [0x00, 0xB0, 0x9C]
            {
                *response = [replacement, &[0x90, 0x00]].concat();
            }
        },
    }
}

/// EF.CardAccess of the image with only what `keep` lets pass.
fn card_access(image: &CardImage, keep: impl Fn(&SecurityInfoKind) -> bool) -> Vec<u8> {
    let file = image.file(cancuoc::issue::Location::MasterFile, 0x011C).unwrap();
    let infos = SecurityInfos::decode("EF.CardAccess", &file.content).unwrap().infos;
    SecurityInfos::from_kinds(infos.into_iter().map(|info| info.kind).filter(keep)).encode()
}

#[test]
fn a_card_access_from_which_the_strong_variants_were_taken_is_found_out() {
    let issuer = TestIssuer::new();
    let image = issuer.image("eac-full");
    let weaker = card_access(&image, |kind| match kind {
        SecurityInfoKind::Pace(info) => info.parameter_id == Some(12),
        SecurityInfoKind::PaceDomainParameters(_) => false,
        _ => true,
    });
    let card = with_card_access(personalised(&image), &weaker);
    let reading = read_through(card, &plan(&image), true).unwrap();
    assert_eq!(reading.access.mapping, Some("IM"));
    let report = issuer.inspect_reading(&reading);
    let found = code(&report, CheckId::ConsistencyCardAccessDg14);
    assert_eq!(found, ("failed", "card_access_weaker_than_signed"));
    assert_eq!(report.verdict(), Verdict::Forged);
}

#[test]
fn a_card_access_without_pace_leads_to_bac_only_where_that_is_wanted_and_is_found_out() {
    let issuer = TestIssuer::new();
    let image = issuer.image("eac-full");
    let without = card_access(&image, |kind| {
        !matches!(kind, SecurityInfoKind::Pace(_) | SecurityInfoKind::PaceDomainParameters(_))
    });
    let card = with_card_access(personalised(&image), &without);
    let error = read_through(card, &plan(&image), true).unwrap_err();
    assert!(matches!(error, TerminalError::PaceNotOffered { .. }), "{error}");
    let policy = AccessPolicy::PaceOrBacWhenNotOffered;
    let card = with_card_access(personalised(&image), &without);
    let reading = read_through(card, &AccessPlan { policy, ..plan(&image) }, true).unwrap();
    assert!(reading.access.downgraded);
    let standard = Policy::builtin("standard").unwrap();
    let files = DocumentFiles::of_reading(&reading);
    let report = issuer.inspect(&files, &ChipEvidence::of_reading(&reading), standard);
    let found = code(&report, CheckId::ConsistencyCardAccessDg14);
    assert_eq!(found, ("failed", "pace_dropped_to_bac"));
    assert_eq!(report.verdict(), Verdict::Forged);
}

#[test]
fn a_variant_that_nobody_signed_is_found_out() {
    let issuer = TestIssuer::new();
    let (stronger, image) = (issuer.image("domain-18"), issuer.image("domain-12"));
    // The card lies: it offers, and runs, what its DG14 does not have.
    let mut lying = image.clone();
    let access = |image: &CardImage| {
        image.files.iter().position(|f| f.fid == 0x011C && f.sfi == Some(0x1C)).unwrap()
    };
    let (from, to) = (access(&stronger), access(&lying));
    lying.files[to].content.clone_from(&stronger.files[from].content);
    lying.pace.clone_from(&stronger.pace);
    let report = issuer.inspect_reading(&read(&lying, true));
    assert_eq!(code(&report, CheckId::AccessPace).0, "passed");
    assert_eq!(code(&report, CheckId::ConsistencyCardAccessDg14).0, "failed");
    assert_eq!(report.verdict(), Verdict::Forged);
}

#[test]
fn a_wrong_can_opens_no_profile() {
    let issuer = TestIssuer::new();
    for profile in ["can-cuoc-2021", "icao-pace-cam", "domain-01"] {
        let image = issuer.image(profile);
        let mut plan = plan(&image);
        plan.keys.can = Some(Can::new("999999").unwrap());
        let error = read_through(personalised(&image), &plan, true).unwrap_err();
        assert!(matches!(error, TerminalError::WrongPassword { .. }), "{profile}: {error}");
    }
}

/// EAC with several keys of Chip Authentication and PACE-CAM.
fn eac_profile(chain: &Chain) -> String {
    let trust_point = hex::encode(chain.cvca.certificate.raw());
    format!(
        r#"
schema = "cancuoc.profile/1"
extends = "eac-full"
name = "eac-here"
title_en = "EAC with a trust point"
title_vi = "EAC có điểm tin cậy"
[access]
trust_points = ["{trust_point}"]
pace = [{{ protocol = "id-PACE-ECDH-CAM-AES-CBC-CMAC-256", parameter = 13 }}]
domain_parameters = []
"#
    )
}

#[test]
fn terminal_authentication_is_bound_to_the_newest_proof_of_the_chip() {
    let chain = Chain::of_today(|| ec_key(Curve::P256, HashAlgorithm::Sha256));
    let image = TestIssuer::new().image(&eac_profile(&chain));
    // After Chip Authentication its key counts, after PACE-CAM alone the one of PACE.
    for chip_authentication in [true, false] {
        let reading = read_as_terminal(&image, &chain, chip_authentication);
        assert_eq!(reading.access.mapping, Some("CAM"));
        let outcome = reading.terminal_authentication.evidence();
        let outcome = outcome.unwrap_or_else(|| panic!("{:?}", reading.terminal_authentication));
        assert_eq!(outcome.rights, Rights::ALL);
        assert!(reading.content(FileId(0x0103)).is_some());
        assert!(reading.content(FileId(0x0104)).is_some());
    }
}
