//! Evidence files: they give the same checks again, bring no trust, and cannot be altered unseen.

use const_oid::ObjectIdentifier;

use super::*;
use crate::document::{Mrz, PersonalNumber, QrText};
use crate::error::ErrorCode;
use crate::lds::{PublicKey, SecurityInfoKind, SecurityInfos, encode_dg14, encode_dg15};
use crate::terminal::active_authentication::ActiveAuthenticationEvidence;
use crate::verify::evidence::signature::{self, EvidenceFile, KnownSigner};
use crate::verify::evidence::{
    EvidenceError, InspectionRecord, PassiveEvidence, Replay, ReplayOptions, replay,
};
use cancuoc_primitives::curve::SecretScalar;
use cancuoc_primitives::ecdsa::sign_prehashed;

/// A document whose chip can sign, and what its chip answered.
pub(super) fn signing_chip(issuer: &Issuer) -> (DocumentFiles, ChipEvidence) {
    let key = SecretScalar::random(Curve::P256, &mut random());
    let algorithm = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3");
    let info = SecurityInfoKind::ActiveAuthentication { algorithm, version: 1 };
    let dg14 = encode_dg14(&SecurityInfos::from_kinds([info]));
    let dg15 = encode_dg15(&PublicKey::Ec(key.public_point()));
    let dg1 = encode_dg1(MRZ);
    let hash = |bytes: &[u8]| HashAlgorithm::Sha256.digest(bytes);
    let object = LdsSecurityObject {
        version: 0,
        hash_algorithm: HashAlgorithm::Sha256.oid(),
        hashes: vec![(1, hash(&dg1)), (14, hash(&dg14)), (15, hash(&dg15))],
        lds_version: None,
    };
    let mut document = issuer.document_with(dg1, &object);
    document.files.insert(file(14), dg14);
    document.files.insert(file(15), dg15);
    let tags = [1, 14, 15].map(|n| DgNumber::new(n).unwrap().tag().0 as u8).to_vec();
    let com = Com { lds_version: "0107".into(), unicode_version: "040000".into(), tags };
    document.files.insert(FileId::COM, com.encode());
    let challenge = [1, 2, 3, 4, 5, 6, 7, 8];
    let signature = sign_prehashed(&key, &hash(&challenge), &mut random()).unwrap();
    let response = signature.to_plain(Curve::P256).unwrap();
    let active_authentication =
        ChipOutcome::Answered(ActiveAuthenticationEvidence { challenge, response });
    (document, ChipEvidence { active_authentication, ..ChipEvidence::default() })
}

fn expected() -> Expected {
    let qr = "001200000018|000000000|Nguyễn Thị Mẫu|01012000|Nữ|Số 1, Hà Nội|01072021";
    Expected {
        mrz: Some(Mrz::parse(MRZ).unwrap()),
        number: Some(PersonalNumber::new("001200000018").unwrap()),
        qr: Some(QrText::parse(qr).unwrap()),
        profile: None,
    }
}

/// The record of an inspection, and its checks.
fn recorded(issuer: &Issuer, policy: &Policy) -> (InspectionRecord, Report) {
    let (document, chip) = signing_chip(issuer);
    let (trust, expected) = (issuer.trust(), expected());
    let inspection = Inspection { trust: &trust, now: now(), expected: &expected, policy };
    let report = inspect(&document, &chip, &inspection);
    (InspectionRecord::new(&document, &chip, &inspection, &report), report)
}

fn written(record: &InspectionRecord) -> EvidenceFile {
    let line = record.encode().unwrap();
    EvidenceFile::decode(&signature::file(&line, None, &mut random()).unwrap()).unwrap()
}

const PLAIN: ReplayOptions<'_> =
    ReplayOptions { now: None, policy: None, known_signers: &[], passive: false };

fn again(file: &EvidenceFile, trust: &TrustStore) -> Replay {
    replay(file, &PLAIN, &SignerCache::new(trust))
}

fn outcome(report: &Report, id: CheckId) -> (&'static str, &'static str) {
    let check = report.checks.iter().find(|c| c.id == id).unwrap();
    (check.status_name(), check.code)
}

/// All checks but those on the evidence file itself.
fn on_the_document(report: &Report) -> &[Check] {
    &report.checks[..report.checks.len() - 2]
}

#[test]
fn gives_the_same_checks_and_verdict_again() {
    let issuer = Issuer::new();
    let (record, report) = recorded(&issuer, Policy::strict());
    assert_eq!(report.verdict(), Verdict::Genuine);
    let file = written(&record);
    let replay = again(&file, &issuer.trust());
    assert_eq!(on_the_document(&replay.report), report.checks);
    assert_eq!((replay.report.verdict(), replay.now), (Verdict::Genuine, now()));
    assert_eq!(replay.differ, []);
    assert_eq!(file.record.verdict, Verdict::Genuine);
}

#[test]
fn passive_authentication_alone_gives_the_same_checks_and_is_never_genuine() {
    let issuer = Issuer::new();
    let (record, report) = recorded(&issuer, Policy::strict());
    let options = ReplayOptions { passive: true, ..PLAIN };
    let trust = issuer.trust();
    let replay = replay(&written(&record), &options, &SignerCache::new(&trust));
    assert_eq!(replay.report.verdict(), Verdict::Inconclusive);
    assert_eq!(replay.differ, []);
    for (again, before) in on_the_document(&replay.report).iter().zip(&report.checks) {
        assert_eq!(again.id, before.id);
        if again.id.as_str().starts_with("pa.") {
            assert_eq!(again, before);
        } else if again.id != CheckId::ConsistencyComSod {
            assert_eq!(again.code, "not_asked");
        }
    }
}

/// Whether reading a file for Passive Authentication alone gives what reading all of it gives: the
/// same error, or the same checks of Passive Authentication as the whole inspection.
fn reads_alike(bytes: &[u8], trust: &TrustStore, known: &[KnownSigner]) {
    let (whole, passive) = (EvidenceFile::decode(bytes), PassiveEvidence::decode(bytes));
    let (whole, passive) = match (whole, passive) {
        (Ok(whole), Ok(passive)) => (whole, passive),
        (whole, passive) => {
            let code = |error: EvidenceError| error.code();
            return assert_eq!(whole.err().map(code), passive.err().map(code));
        }
    };
    assert_eq!(passive.verdict(), whole.record.verdict);
    assert_eq!(passive.require_signer(known), whole.require_signer(known));
    let signers = SignerCache::new(trust);
    let options = ReplayOptions { known_signers: known, ..PLAIN };
    let alone = passive.replay(&options, &signers);
    let again = replay(&whole, &ReplayOptions { passive: true, ..options }, &signers);
    assert_eq!(alone.report.checks, again.report.checks);
    assert_eq!((alone.now, &alone.differ), (again.now, &again.differ));
    let inspected = replay(&whole, &options, &signers);
    let made = |c: &&Check| c.code != "not_asked";
    for check in alone.report.checks.iter().filter(made) {
        assert!(inspected.report.checks.contains(check), "{check:?}");
    }
    let of_passive = |c: &&Check| c.id.as_str().starts_with("pa.");
    let count = |report: &Report| report.checks.iter().filter(made).filter(of_passive).count();
    assert_eq!(count(&alone.report), count(&inspected.report));
}

#[test]
fn read_for_passive_authentication_alone_forged_evidence_fails_as_ever() {
    let (issuer, other, key) = (Issuer::new(), Issuer::new(), signing_key());
    let (record, _) = recorded(&issuer, Policy::strict());
    type Change = fn(&mut InspectionRecord);
    let changes: [Change; 13] = [
        |_| {},
        |r| r.files.files.get_mut(&file(1)).unwrap()[20] ^= 1,
        |r| *r.files.files.get_mut(&FileId::SOD).unwrap().last_mut().unwrap() ^= 1,
        |r| r.files.files.get_mut(&FileId::SOD).unwrap().truncate(200),
        |r| drop(r.files.files.remove(&FileId::SOD)),
        |r| drop(r.files.files.remove(&FileId::COM)),
        |r| drop(r.files.files.remove(&file(14))),
        |r| r.files.files.get_mut(&FileId::COM).unwrap()[2] ^= 1,
        |r| r.files.trailing = [(file(1), 3)].into(),
        |r| r.files.protected.push(file(2)),
        |r| r.files.card_security = Some(vec![0x30, 0]),
        |r| r.checks.truncate(9),
        |r| *r = r.clone().redacted(),
    ];
    let known = [known(&key)];
    for change in changes {
        let mut record = record.clone();
        change(&mut record);
        let line = record.encode().unwrap();
        for signer in [None, Some((&key as &dyn Signer, None))] {
            let bytes = signature::file(&line, signer, &mut random()).unwrap();
            for trust in [issuer.trust(), other.trust(), TrustStore::default()] {
                reads_alike(&bytes, &trust, &known);
                reads_alike(&bytes, &trust, &[]);
            }
        }
    }
}

#[test]
fn brings_no_trust_of_its_own() {
    let issuer = Issuer::new();
    let (record, _) = recorded(&issuer, Policy::strict());
    assert!(record.material.certificates.contains(&issuer.csca_certificate));
    let replay = again(&written(&record), &TrustStore::default());
    assert_eq!(replay.report.verdict(), Verdict::Inconclusive);
    assert_eq!(outcome(&replay.report, CheckId::PaChain), ("skipped", "csca_unknown"));
    assert_eq!(outcome(&replay.report, CheckId::ChipAa), ("skipped", "key_not_bound"));
    assert_eq!(replay.differ, [CheckId::ChipAa, CheckId::PaChain, CheckId::PaRevocation]);
}

#[test]
fn another_answer_of_the_chip_or_other_data_are_found_out() {
    let issuer = Issuer::new();
    let (record, _) = recorded(&issuer, Policy::strict());
    let mut answer = record.clone();
    if let ChipOutcome::Answered(evidence) = &mut answer.chip.active_authentication {
        evidence.challenge[0] ^= 1;
    }
    let replay = again(&written(&answer), &issuer.trust());
    assert_eq!(outcome(&replay.report, CheckId::ChipAa), ("failed", "aa_signature_invalid"));
    let mut data = record;
    data.files.files.get_mut(&file(1)).unwrap()[20] ^= 1;
    let replay = again(&written(&data), &issuer.trust());
    assert_eq!(outcome(&replay.report, CheckId::PaHashes), ("failed", "dg_hash_mismatch"));
    assert_eq!(replay.report.verdict(), Verdict::Forged);
}

#[test]
fn is_judged_at_its_own_time_or_another() {
    let issuer = Issuer::new();
    let (record, _) = recorded(&issuer, Policy::strict());
    let later = ReplayOptions { now: Some(moment("2041-01-01T00:00:00Z")), ..PLAIN };
    let trust = issuer.trust();
    let replay = replay(&written(&record), &later, &SignerCache::new(&trust));
    let found = outcome(&replay.report, CheckId::DocumentValidity);
    assert_eq!(found, ("failed", "document_expired"));
}

#[test]
fn its_own_policy_is_told_and_another_may_be_taken() {
    let issuer = Issuer::new();
    let lax = policy("[verdict]\nexpired_document = \"warning\"");
    let (record, _) = recorded(&issuer, &lax);
    let file = written(&record);
    assert_eq!(file.record.policy.verdict, lax.verdict);
    let own = again(&file, &issuer.trust());
    assert_eq!(outcome(&own.report, CheckId::EvidencePolicy), ("passed", "evidence_policy_own"));
    let strict = ReplayOptions { policy: Some(Policy::strict()), ..PLAIN };
    let trust = issuer.trust();
    let judged = replay(&file, &strict, &SignerCache::new(&trust));
    assert_eq!(outcome(&judged.report, CheckId::EvidencePolicy), ("passed", "ok"));
    let (builtin, _) = recorded(&issuer, Policy::standard());
    let builtin = again(&written(&builtin), &issuer.trust());
    assert_eq!(outcome(&builtin.report, CheckId::EvidencePolicy), ("passed", "ok"));
}

#[test]
fn a_whole_policy_reads_back_as_itself() {
    for name in Policy::NAMES {
        let policy = Policy::builtin(name).unwrap();
        assert_eq!(&Policy::from_toml(policy.to_toml()).unwrap(), policy);
    }
    let own = policy("[access]\nbac = true");
    assert_eq!(Policy::from_toml(own.to_toml()).unwrap(), own);
}

#[test]
fn a_revocation_list_in_it_counts_where_the_anchor_signed_it() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let revoked = RevokedCertificate { serial: vec![2], since: moment("2026-06-01T00:00:00Z") };
    let times = (moment("2026-06-01T00:00:00Z"), moment("2027-01-01T00:00:00Z"));
    let list = |revoked: &[RevokedCertificate], key: &SoftwareKey| {
        issue_crl(&issuer.name, revoked, 1, times, key, &mut random()).unwrap()
    };
    let found = |list: Vec<u8>| {
        let (mut record, _) = recorded(&issuer, Policy::strict());
        record.material.revocation_lists = vec![list];
        outcome(&again(&written(&record), &issuer.anchor()).report, CheckId::PaRevocation)
    };
    assert_eq!(found(list(&[], &issuer.csca)), ("passed", "ok"));
    assert_eq!(found(list(std::slice::from_ref(&revoked), &issuer.csca)), ("failed", "ds_revoked"));
    assert_eq!(found(list(&[revoked], &other.csca)), ("skipped", "crl_missing"));
    assert_eq!(found(b"no list".to_vec()), ("skipped", "crl_missing"));
}

#[test]
fn the_lists_that_were_used_are_in_it() {
    let issuer = Issuer::new();
    let times = (moment("2026-06-01T00:00:00Z"), moment("2027-01-01T00:00:00Z"));
    let list = issue_crl(&issuer.name, &[], 1, times, &issuer.csca, &mut random()).unwrap();
    let mut trust = issuer.anchor();
    trust.add(&list).unwrap();
    assert_eq!(report(&issuer.document(), &trust).material.revocation_lists, [list]);
}

#[test]
fn without_personal_data_it_still_verifies_and_says_what_rests_on_the_record() {
    let issuer = Issuer::new();
    let (record, _) = recorded(&issuer, Policy::strict());
    let record = record.redacted();
    let replay = again(&written(&record), &issuer.trust());
    assert_eq!(replay.report.verdict(), Verdict::Genuine);
    let found = |id| outcome(&replay.report, id);
    assert_eq!(found(CheckId::PaSodSignature), ("passed", "ok"));
    assert_eq!(found(CheckId::PaChain), ("passed", "ok"));
    assert_eq!(found(CheckId::ChipAa), ("passed", "ok"));
    assert_eq!(found(CheckId::PaHashes), ("passed", "recorded_hashes"));
    for id in [CheckId::ConsistencyMrz, CheckId::ConsistencyQr, CheckId::DocumentValidity] {
        assert_eq!(found(id), ("passed", "recorded"));
    }
    assert_eq!(replay.differ, []);
}

#[test]
fn without_personal_data_there_are_none_in_it() {
    use base64::Engine;
    let issuer = Issuer::new();
    let (record, _) = recorded(&issuer, Policy::strict());
    let text = String::from_utf8(record.clone().redacted().encode().unwrap()).unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode(encode_dg1(MRZ));
    for personal in ["NGUYEN", "Nguy", "001200000018", "200000018", "2040", &encoded[8..40]] {
        assert!(!text.contains(personal), "{personal}");
    }
    let whole = String::from_utf8(record.encode().unwrap()).unwrap();
    assert!(whole.contains("NGUYEN") && whole.contains(&encoded));
}

#[test]
fn a_recorded_hash_that_was_not_signed_is_forged() {
    let issuer = Issuer::new();
    let mut record = recorded(&issuer, Policy::strict()).0.redacted();
    record.files.left_out.get_mut(&file(1)).unwrap().hash[0] ^= 1;
    let replay = again(&written(&record), &issuer.trust());
    assert_eq!(outcome(&replay.report, CheckId::PaHashes), ("failed", "dg_hash_mismatch"));
}

#[test]
fn a_recorded_failure_stays_one() {
    let issuer = Issuer::new();
    let (document, chip) = signing_chip(&issuer);
    let other = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0NGUYEN<<THI<MAN<<<<<<<<<<<<<<<";
    let expected = Expected { mrz: Some(Mrz::parse(other).unwrap()), ..Expected::default() };
    let (trust, policy) = (issuer.trust(), Policy::strict());
    let inspection = Inspection { trust: &trust, now: now(), expected: &expected, policy };
    let report = inspect(&document, &chip, &inspection);
    let record = InspectionRecord::new(&document, &chip, &inspection, &report).redacted();
    let replay = again(&written(&record), &trust);
    assert_eq!(outcome(&replay.report, CheckId::ConsistencyMrz), ("failed", "mrz_differs"));
    assert_eq!(replay.report.verdict(), Verdict::Forged);
}

#[test]
fn fingerprints_are_never_kept() {
    let issuer = Issuer::new();
    let (mut document, chip) = signing_chip(&issuer);
    document.files.insert(file(3), encode(Tag(0x63), b"ridges and valleys"));
    let (trust, expected) = (issuer.trust(), Expected::default());
    let policy = Policy::strict();
    let inspection = Inspection { trust: &trust, now: now(), expected: &expected, policy };
    let report = inspect(&document, &chip, &inspection);
    let record = InspectionRecord::new(&document, &chip, &inspection, &report);
    assert!(!record.files.files.contains_key(&file(3)));
    assert_eq!(record.files.left_out[&file(3)].length, 20);
}

fn signing_key() -> SoftwareKey {
    SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap()
}

fn signed(key: &SoftwareKey, certificate: Option<&[u8]>) -> Vec<u8> {
    let (record, _) = recorded(&Issuer::new(), Policy::strict());
    let line = record.encode().unwrap();
    signature::file(&line, Some((key, certificate)), &mut random()).unwrap()
}

fn known(key: &SoftwareKey) -> KnownSigner {
    KnownSigner::from_der(&key.public_key().to_spki_der(ParameterForm::Named)).unwrap()
}

#[test]
fn tells_by_whom_it_is_signed() {
    let (key, other) = (signing_key(), signing_key());
    let file = EvidenceFile::decode(&signed(&key, None)).unwrap();
    assert_eq!(file.require_signer(&[known(&other), known(&key)]), Ok(()));
    let error = file.require_signer(&[known(&other)]).unwrap_err();
    assert!(matches!(error, EvidenceError::Signer { .. }), "{error}");
    let trust = TrustStore::default();
    let signers = SignerCache::new(&trust);
    let origin = |known_signers: &[KnownSigner]| {
        let options = ReplayOptions { known_signers, ..PLAIN };
        outcome(&replay(&file, &options, &signers).report, CheckId::EvidenceOrigin)
    };
    assert_eq!(origin(&[]), ("skipped", "evidence_signer_unknown"));
    assert_eq!(origin(&[known(&key)]), ("passed", "ok"));
}

#[test]
fn refuses_a_signed_file_that_was_altered() {
    let file = signed(&signing_key(), None);
    let text = String::from_utf8(file).unwrap();
    let altered = text.replacen("\"genuine\"", "\"forged\"", 1);
    assert_ne!(altered, text);
    let error = EvidenceFile::decode(altered.as_bytes()).unwrap_err();
    assert!(matches!(error, EvidenceError::Signature { .. }), "{error}");
}

#[test]
fn a_file_whose_signature_was_taken_off_is_not_signed() {
    let file = signed(&signing_key(), None);
    let line = file.split(|b| *b == b'\n').next().unwrap();
    let file = EvidenceFile::decode(line).unwrap();
    assert_eq!(file.require_signer(&[known(&signing_key())]), Err(EvidenceError::NotSigned));
}

#[test]
fn refuses_a_certificate_of_another_key_or_another_time() {
    let issuer = Issuer::new();
    let error = EvidenceFile::decode(&signed(&signing_key(), Some(&issuer.ds_certificate)));
    assert!(matches!(error, Err(EvidenceError::Field { field: "signature.certificate", .. })));
    let expired = Issuer::with(KeyKind::Ec(Curve::P256), "VN", |request| {
        request.validity.not_after = moment("2026-03-01T00:00:00Z");
    });
    let certificate = expired.ds_certificate.as_slice();
    let file = EvidenceFile::decode(&signed(&expired.ds, Some(certificate))).unwrap();
    let known = KnownSigner::from_der(certificate).unwrap();
    assert!(matches!(file.require_signer(&[known]), Err(EvidenceError::Signature { .. })));
}

#[test]
fn names_what_is_wrong_with_a_file() {
    let (record, _) = recorded(&Issuer::new(), Policy::strict());
    let text = String::from_utf8(record.encode().unwrap()).unwrap();
    let error = |text: &str| EvidenceFile::decode(text.as_bytes()).unwrap_err();
    assert!(matches!(error(""), EvidenceError::Malformed { what: "cut off", .. }));
    assert!(matches!(error(&text[..text.len() - 9]), EvidenceError::Malformed { .. }));
    let newer = text.replace("cancuoc.evidence/1", "cancuoc.evidence/2");
    let newer = newer.replacen('{', "{\"more\":1,", 1);
    assert!(matches!(error(&newer), EvidenceError::Schema { .. }));
    for (from, to, field) in [
        ("\"EF.COM\"", "\"EF.SOD\"", "files"),
        ("\"EF.COM\"", "\"EF.DG17\"", "files"),
        ("\"policy\":\"", "\"policy\":\"x", "policy"),
        ("\"genuine\"", "\"maybe\"", "outcome.verdict"),
        ("\"csca_unknown\"", "\"no_reason\"", "outcome.checks"),
        ("\"code\":\"ok\"", "\"code\":\"no_reason\"", "outcome.checks"),
        ("\"id\":\"pa.hashes\"", "\"id\":\"pa.nothing\"", "outcome.checks"),
        ("\"challenge\":\"", "\"challenge\":\"AAAA", "active_authentication.challenge"),
        ("IDVNM", "idvnm", "expected.mrz"),
    ] {
        if !text.contains(from) {
            continue;
        }
        match error(&text.replacen(from, to, 1)) {
            EvidenceError::Field { field: found, .. } => assert_eq!(found, field, "{to}"),
            other => panic!("{to}: {other}"),
        }
    }
}

#[test]
fn an_error_shows_no_data_of_the_file() {
    let (record, _) = recorded(&Issuer::new(), Policy::strict());
    let text = String::from_utf8(record.encode().unwrap()).unwrap();
    let wrong = text.replacen("\"redacted\":false", "\"redacted\":\"NGUYEN\"", 1);
    let error = EvidenceFile::decode(wrong.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("line 1, column") && !error.contains("NGUYEN"), "{error}");
}

fn sample() -> &'static [u8] {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| signed(&signing_key(), None))
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = EvidenceFile::decode(&bytes);
    }

    #[test]
    fn an_altered_file_never_panics_and_a_signed_one_is_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = sample().to_vec();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default().to_vec();
        if let Ok(file) = EvidenceFile::decode(&bytes) {
            // What is left is the file as it was, or a signature line that says the same.
            prop_assert_eq!(sample().split(|b| *b == b'\n').next(), Some(&line[..]));
            prop_assert!(file.signed_by.is_some());
        }
        if let Ok(file) = EvidenceFile::decode(&line) {
            let replay = again(&file, &TrustStore::default());
            prop_assert_ne!(replay.report.verdict(), Verdict::Genuine);
        }
        reads_alike(&bytes, &TrustStore::default(), &[]);
        reads_alike(&line, &TrustStore::default(), &[]);
    }
}
