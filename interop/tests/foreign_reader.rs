//! A foreign reader, our card: the independent crate `dmrtd` opens, reads and verifies the software
//! card, and refuses what is forged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use cancuoc::issue::{ActiveAuthenticationKey, CardImage, Location, Terms};
use cancuoc::lds::ParameterForm;
use cancuoc::pki::KeyKind;
use cancuoc::softcard::SoftCard;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use chrono::NaiveDate;
use dmrtd::auth::passive::{self, ChainStatus, DataGroup, PassiveAuthError, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::ef::ElementaryFile;
use dmrtd::passport::{Passport, PassportError};
use dmrtd::proto::can_key::CanKey;
use dmrtd::proto::dba_key::DBAKey;
use support::{CAN, DOCUMENT_NUMBER, Issuer, IssuerKeys, card, content, pace, profile};

/// The foreign reader knows Active Authentication by ECDSA on this curve only.
const AA_P256: (&str, &str) = (
    "algorithm = \"ecdsa\"          # or \"rsa\" with bits = 2048\ncurve = \"brainpoolP256r1\"",
    "algorithm = \"ecdsa\"\ncurve = \"P-256\"",
);
const AA_RSA: (&str, &str) = (
    "algorithm = \"ecdsa\"          # or \"rsa\" with bits = 2048\ncurve = \"brainpoolP256r1\"",
    "algorithm = \"rsa\"\nbits = 2048",
);

struct Reader(SoftCard);

impl Transceiver for Reader {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        let mut response = self.0.process(apdu);
        // The crate leaves GET RESPONSE to the reader below it; an RSA signature under secure
        // messaging does not fit into a short response.
        while let [.., 0x61, more] = response[..] {
            response.truncate(response.len() - 2);
            response.extend(self.0.process(&[0x00, 0xC0, 0x00, 0x00, more]));
        }
        Ok(response)
    }
}

fn mrz_key(pace: bool) -> DBAKey {
    let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
    DBAKey::new(DOCUMENT_NUMBER, day(2000, 1, 1), day(2040, 1, 1), pace).unwrap()
}

fn open_by_pace_with_can(image: &CardImage) -> Passport<Reader> {
    let mut passport = Passport::new(Reader(card(image)));
    let access = passport.read_ef_card_access().unwrap();
    passport.start_session_pace(CanKey::new(CAN).unwrap(), &access).unwrap();
    passport
}

fn anchor(issuer: &Issuer) -> TrustAnchor {
    TrustAnchor::from_certificate(&issuer.csca_certificate).unwrap()
}

/// Reads all data groups that are open and checks them against the EF.SOD and the CSCA.
fn passive(
    passport: &mut Passport<Reader>,
    anchors: &[TrustAnchor],
) -> Result<passive::PassiveAuth, PassiveAuthError> {
    let sod = passport.read_ef_sod().unwrap().to_bytes().to_vec();
    let groups = [
        (1, passport.read_ef_dg1().unwrap().to_bytes().to_vec()),
        (2, passport.read_ef_dg2().unwrap().to_bytes().to_vec()),
        (13, passport.read_ef_dg13().unwrap().to_bytes().to_vec()),
        (14, passport.read_ef_dg14().unwrap().to_bytes().to_vec()),
        (15, passport.read_ef_dg15().unwrap().to_bytes().to_vec()),
    ];
    let groups: Vec<_> =
        groups.iter().map(|(number, bytes)| DataGroup { number: *number, bytes }).collect();
    passive::verify(&sod, &groups, anchors)
}

#[test]
fn opens_the_card_by_bac_and_reads_what_was_written() {
    let issuer = Issuer::new(&IssuerKeys::default());
    let image = issuer.image(&[]);
    let mut passport = Passport::new(Reader(card(&image)));
    passport.start_session(mrz_key(false)).unwrap();
    assert_eq!(passport.read_ef_com().unwrap().to_bytes(), content(&image, 0x011E));
    assert_eq!(passport.read_ef_dg1().unwrap().to_bytes(), content(&image, 0x0101));
    assert_eq!(passport.read_ef_dg2().unwrap().to_bytes(), content(&image, 0x0102));
    assert_eq!(passport.read_ef_dg13().unwrap().to_bytes(), content(&image, 0x010D));
}

/// Opens the card with the CAN and with the MRZ, and reads EF.DG1.
fn open_with_can_and_mrz(image: &CardImage) -> Result<(), PassportError> {
    let dg1 = content(image, 0x0101);
    let mut by_can = Passport::new(Reader(card(image)));
    let access = by_can.read_ef_card_access()?;
    by_can.start_session_pace(CanKey::new(CAN).unwrap(), &access)?;
    assert_eq!(by_can.read_ef_dg1()?.to_bytes(), dg1);
    let mut by_mrz = Passport::new(Reader(card(image)));
    by_mrz.start_session_pace(mrz_key(true), &access)?;
    assert_eq!(by_mrz.read_ef_dg1()?.to_bytes(), dg1);
    Ok(())
}

#[test]
fn opens_the_card_by_pace_with_can_and_mrz_on_every_curve_that_it_has() {
    let issuer = Issuer::new(&IssuerKeys::default());
    for (cipher, parameters) in [(128, &[10, 12, 13][..]), (192, &[15]), (256, &[13, 16, 18])] {
        for parameter in parameters {
            let access = pace(&format!("ECDH-GM-AES-CBC-CMAC-{cipher}"), *parameter);
            let image = issuer.image_with(&profile(&access), Terms::default());
            open_with_can_and_mrz(&image).unwrap();
        }
    }
}

/// The crate drops the leading zero that one shared secret in 256 has, where PKCS#3 has it as long
/// as the prime: such a run ends with a wrong token, and another follows.
#[test]
fn opens_the_card_by_pace_with_can_and_mrz_over_every_prime_field() {
    let issuer = Issuer::new(&IssuerKeys::default());
    for (cipher, parameter) in [(128, 0), (128, 1), (128, 2), (192, 1), (256, 2)] {
        let access = pace(&format!("DH-GM-AES-CBC-CMAC-{cipher}"), parameter);
        let image = issuer.image_with(&profile(&access), Terms::default());
        let faults: Vec<_> = (0..3).map_while(|_| open_with_can_and_mrz(&image).err()).collect();
        assert!(faults.len() < 3, "{cipher} {parameter}: {faults:?}");
    }
}

#[test]
fn is_refused_with_a_wrong_can_or_mrz() {
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    let mut passport = Passport::new(Reader(card(&image)));
    let access = passport.read_ef_card_access().unwrap();
    assert!(passport.start_session_pace(CanKey::new("000019").unwrap(), &access).is_err());
    assert!(passport.read_ef_dg1().is_err());
    let mut passport = Passport::new(Reader(card(&image)));
    let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
    let wrong = DBAKey::new(DOCUMENT_NUMBER, day(2000, 1, 2), day(2040, 1, 1), false).unwrap();
    assert!(passport.start_session(wrong).is_err());
    assert!(passport.read_ef_dg1().is_err());
}

#[test]
fn verifies_the_data_up_to_the_csca_for_every_kind_of_issuer_key() {
    let kinds = [
        IssuerKeys::default(),
        IssuerKeys { csca: KeyKind::Ec(Curve::P521), ..IssuerKeys::default() },
        IssuerKeys {
            csca: KeyKind::Ec(Curve::BrainpoolP512r1),
            signer: KeyKind::Ec(Curve::BrainpoolP256r1),
            parameters: ParameterForm::Explicit,
            pss: false,
        },
        IssuerKeys {
            csca: KeyKind::Rsa(2048),
            signer: KeyKind::Rsa(2048),
            ..IssuerKeys::default()
        },
        IssuerKeys {
            csca: KeyKind::Rsa(2048),
            signer: KeyKind::Rsa(2048),
            pss: true,
            ..IssuerKeys::default()
        },
    ];
    for (index, keys) in kinds.iter().enumerate() {
        let issuer = Issuer::new(keys);
        let mut passport = open_by_pace_with_can(&issuer.image(&[]));
        let result = passive(&mut passport, &[anchor(&issuer)]).unwrap();
        assert!(result.is_authentic() && result.covers_all_groups(), "case {index}: {result:?}");
    }
}

#[test]
fn does_not_trust_the_signer_of_another_issuer() {
    let issuer = Issuer::new(&IssuerKeys::default());
    let other = Issuer::new(&IssuerKeys::default());
    let mut passport = open_by_pace_with_can(&issuer.image(&[]));
    let result = passive(&mut passport, &[anchor(&other)]).unwrap();
    assert_eq!(result.chain, ChainStatus::Unverified);
}

#[test]
fn refuses_an_altered_dg13() {
    let issuer = Issuer::new(&IssuerKeys::default());
    let mut image = issuer.image(&[]);
    let dg13 = image.files.iter_mut().find(|f| f.fid == 0x010D).unwrap();
    let last = dg13.content.len() - 1;
    dg13.content[last] ^= 1;
    let mut passport = open_by_pace_with_can(&image);
    let error = passive(&mut passport, &[anchor(&issuer)]).unwrap_err();
    assert_eq!(error, PassiveAuthError::DataGroupHashMismatch(13));
}

#[test]
fn verifies_active_authentication_by_ecdsa_and_rsa() {
    let issuer = Issuer::new(&IssuerKeys::default());
    for changes in [AA_P256, AA_RSA] {
        let mut passport = open_by_pace_with_can(&issuer.image(&[changes]));
        passport.verify_active_authentication(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    }
}

#[test]
fn refuses_a_clone_that_has_the_files_but_not_the_key() {
    let issuer = Issuer::new(&IssuerKeys::default());
    let mut image = issuer.image(&[AA_P256]);
    let mut original = open_by_pace_with_can(&image);
    original.verify_active_authentication(&[9; 8]).unwrap();
    // The copy has a key of its own; its DG15 is the original's. Our own personalisation would
    // refuse to finish such a card, so it is written without reading back.
    image.active_authentication = Some(ActiveAuthenticationKey::Ecdsa {
        key: SecretScalar::random(Curve::P256, &mut support::random()),
        hash: cancuoc_primitives::hash::HashAlgorithm::Sha256,
    });
    let mut clone = Passport::new(Reader(support::card_without_inspection(&image)));
    let access = clone.read_ef_card_access().unwrap();
    clone.start_session_pace(CanKey::new(CAN).unwrap(), &access).unwrap();
    assert!(passive(&mut clone, &[anchor(&issuer)]).unwrap().is_authentic());
    assert!(clone.verify_active_authentication(&[9; 8]).is_err());
}

#[test]
fn finds_every_file_where_the_standard_puts_it() {
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    let passport = Passport::new(Reader(card(&image))).read_ef_card_access().unwrap();
    let expected = image.file(Location::MasterFile, 0x011C).unwrap();
    assert_eq!(passport.to_bytes(), expected.content);
}
