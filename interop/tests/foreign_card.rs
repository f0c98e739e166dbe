//! Our reader, a foreign card: a small travel document in C whose cryptography is OpenPACE's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use cancuoc::cvc::{CvDate, Rights, TaAlgorithm};
use cancuoc::document::{AccessKeys, Can};
use cancuoc::issue::{CardImage, Location, Terms};
use cancuoc::lds::{FileId, PublicKey, security_infos_of_dg14};
use cancuoc::pki::KeyKind;
use cancuoc::terminal::pace::verify_cam;
use cancuoc::terminal::terminal_authentication::TerminalCredentials;
use cancuoc::terminal::{AccessPlan, ChipReading, Proof, ReadOptions, TerminalError, read_chip};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::GroupSecret;
use cancuoc_primitives::hash::HashAlgorithm::{Sha256, Sha512};
use support::compiled::compile;
use support::cv_chain::{Chain, today};
use support::{
    CAN, CHIP_AUTHENTICATION, CHIP_AUTHENTICATION_MAPPING, GENERIC_MAPPING, INTEGRATED_MAPPING,
    Issuer, IssuerKeys, chip_key, each, guarded, mapped, pace, profile,
};

/// The foreign card as a process: a line with a command, a line with its response.
struct ForeignCard {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The built card and the folder it is in.
struct Bench {
    folder: tempfile::TempDir,
    program: PathBuf,
    issuer: Issuer,
}

impl Bench {
    /// `None`, with the reason printed, where libeac or a C compiler is missing; with `CI` set that
    /// is a failure.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let program = compile("card.c", &["libeac", "libcrypto"], folder.path())?;
        Some(Self { folder, program, issuer: Issuer::new(&IssuerKeys::default()) })
    }

    fn image(&self, body: &str) -> CardImage {
        self.issuer.image_with(&profile(body), Terms::default())
    }

    /// Starts a card with the image, read with the CAN.
    fn read(&self, image: &CardImage, options: &ReadOptions) -> Result<ChipReading, TerminalError> {
        let card = ForeignCard::start(&self.program, image, &self.folder.path().join("files"));
        read_chip(card, &plan(CAN), options, &mut support::random(), &mut |_, _| {})
    }
}

impl ForeignCard {
    fn start(program: &Path, image: &CardImage, folder: &Path) -> Self {
        let _ = std::fs::remove_dir_all(folder);
        for (name, location) in [("mf", Location::MasterFile), ("lds1", Location::Lds1)] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            for file in image.files.iter().filter(|file| file.location == location) {
                let path = folder.join(name).join(format!("{:04X}", file.fid));
                std::fs::write(path, &file.content).unwrap();
            }
        }
        if let Some(start) = &image.terminal_authentication {
            std::fs::write(folder.join("cvca"), &start.trust_points[0]).unwrap();
        }
        let mut command = Command::new(program);
        command.arg(CAN).arg(folder);
        if let Some(chip) = image.chip_authentication.first() {
            let parameter = chip.key.domain_parameters().id().unwrap().to_string();
            let public = chip.key.public_element().to_bytes();
            let halves = [hex::encode(chip.key.to_bytes()), hex::encode(public)];
            command.args([chip.protocol.to_string(), parameter]).args(halves);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    fn say(&mut self, line: &str) -> Result<Vec<u8>, TransportError> {
        let failed = |detail: String| TransportError::Failed { detail };
        writeln!(self.input, "{line}").map_err(|error| failed(error.to_string()))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).map_err(|error| failed(error.to_string()))?;
        hex::decode(answer.trim()).map_err(|error| failed(error.to_string()))
    }
}

impl Drop for ForeignCard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl CardTransport for ForeignCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let response = self.say(&hex::encode(command))?;
        if response.len() < 2 { Err(TransportError::CardRemoved) } else { Ok(response) }
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.say("").map(drop)
    }
}

fn plan(can: &str) -> AccessPlan {
    AccessPlan::pace(AccessKeys::from_can(Can::new(can).unwrap()))
}

/// Every file of the LDS1 application but DG3 is what the image has.
fn assert_reads_all(reading: &ChipReading, image: &CardImage, case: &str) {
    for file in image.files.iter().filter(|file| file.location == Location::Lds1) {
        if matches!(file.fid, 0x0103 | 0x011C) {
            continue;
        }
        let read = reading.content(FileId(file.fid));
        assert_eq!(read, Some(file.content.as_slice()), "{case} {:04X}", file.fid);
    }
}

#[test]
fn opens_and_reads_a_foreign_card_by_pace_with_every_mapping_over_curves_and_fields() {
    let Some(bench) = Bench::new() else { return };
    for (protocol, parameter) in each(GENERIC_MAPPING).chain(each(INTEGRATED_MAPPING)) {
        let case = format!("{protocol} {parameter}");
        let image = bench.image(&pace(protocol, parameter));
        let reading = bench.read(&image, &ReadOptions::default());
        let reading = reading.unwrap_or_else(|error| panic!("{case}: {error}"));
        let mapping = protocol.split('-').nth(1);
        assert_eq!((reading.access.protocol, reading.access.mapping), ("PACE", mapping));
        assert_reads_all(&reading, &image, &case);
    }
}

#[test]
fn tells_from_a_foreign_card_that_the_can_is_wrong() {
    let Some(bench) = Bench::new() else { return };
    for protocol in ["ECDH-GM-AES-CBC-CMAC-128", "ECDH-IM-AES-CBC-CMAC-128"] {
        let image = bench.image(&pace(protocol, 13));
        let card = ForeignCard::start(&bench.program, &image, &bench.folder.path().join("files"));
        let options = ReadOptions::default();
        let error =
            read_chip(card, &plan("999999"), &options, &mut support::random(), &mut |_, _| {})
                .unwrap_err();
        assert!(matches!(error, TerminalError::WrongPassword { password: "CAN", .. }), "{error}");
    }
}

/// The chip's public key in DG14.
fn chip_public_key(reading: &ChipReading) -> PublicKey {
    let dg14 = security_infos_of_dg14(reading.content(FileId(0x010E)).unwrap()).unwrap();
    let key = dg14.chip_authentication_keys().next().unwrap();
    PublicKey::from_spki_der(&key.spki).unwrap().0
}

#[test]
fn verifies_the_chip_authentication_mapping_of_a_foreign_card() {
    let Some(bench) = Bench::new() else { return };
    let options = ReadOptions { chip_authentication: false, ..ReadOptions::default() };
    for (cipher, parameter) in CHIP_AUTHENTICATION_MAPPING {
        let mut image = bench.image(&mapped(cipher, 128, parameter));
        for cloned in [false, true] {
            if cloned {
                let parameters = image.chip_authentication[0].key.domain_parameters();
                let other = GroupSecret::random(&parameters, &mut support::random());
                image.chip_authentication[0].key = other;
            }
            let reading = bench.read(&image, &options).unwrap();
            assert_eq!(reading.access.mapping, Some("CAM"));
            let evidence = reading.access.chip_authentication_mapping.as_ref().unwrap();
            assert_eq!(
                verify_cam(evidence, &chip_public_key(&reading)).is_err(),
                cloned,
                "{cipher} {parameter}"
            );
        }
    }
}

#[test]
fn runs_chip_authentication_with_a_foreign_card_by_dh_and_ecdh() {
    let Some(bench) = Bench::new() else { return };
    for (protocol, parameter) in each(CHIP_AUTHENTICATION) {
        let case = format!("{protocol} {parameter}");
        let body = pace("ECDH-GM-AES-CBC-CMAC-128", 13) + &chip_key(protocol, parameter);
        let image = bench.image(&body);
        let reading = bench.read(&image, &ReadOptions::default());
        let reading = reading.unwrap_or_else(|error| panic!("{case}: {error}"));
        let own = image.chip_authentication[0].key.public_element();
        let evidence = reading.chip_authentication.evidence();
        let proven = evidence.is_some_and(|evidence| evidence.proves_possession_of(&own));
        assert!(proven, "{case}: {:?}", reading.chip_authentication);
        assert_reads_all(&reading, &image, &case);
    }
}

#[test]
fn tells_a_foreign_clone_by_chip_authentication() {
    let Some(bench) = Bench::new() else { return };
    for protocol in ["ECDH-AES-CBC-CMAC-128", "ECDH-3DES-CBC-CBC"] {
        let body = pace("ECDH-GM-AES-CBC-CMAC-128", 13) + &chip_key(protocol, 13);
        let mut image = bench.image(&body);
        let parameters = image.chip_authentication[0].key.domain_parameters();
        image.chip_authentication[0].key = GroupSecret::random(&parameters, &mut support::random());
        let reading = bench.read(&image, &ReadOptions::default()).unwrap();
        assert!(matches!(reading.chip_authentication, Proof::Failed(_)), "{protocol}");
    }
}

/// Reads as a terminal with the chain.
fn as_terminal(chain: &Chain) -> ReadOptions {
    let certificates = vec![chain.dv.clone(), chain.is.clone()];
    let day = CvDate::new(today()).unwrap();
    let credentials = TerminalCredentials::new(certificates, Arc::new(chain.is_key.clone()), day);
    ReadOptions { terminal: Some(credentials), ..ReadOptions::default() }
}

#[test]
fn reads_dg3_of_a_foreign_card_with_the_right_to_it() {
    let Some(bench) = Bench::new() else { return };
    let right = Rights { dg3: true, dg4: false };
    let elliptic = pace("ECDH-GM-AES-CBC-CMAC-128", 12) + &chip_key("ECDH-AES-CBC-CMAC-128", 13);
    let finite = pace("DH-GM-AES-CBC-CMAC-128", 1) + &chip_key("DH-AES-CBC-CMAC-256", 2);
    for (kind, algorithm, access) in [
        (KeyKind::Ec(Curve::BrainpoolP256r1), TaAlgorithm::Ecdsa(Sha256), &elliptic),
        (KeyKind::Ec(Curve::P521), TaAlgorithm::Ecdsa(Sha512), &finite),
        (KeyKind::Rsa(2048), TaAlgorithm::RsaPkcs1(Sha256), &elliptic),
        (KeyKind::Rsa(2048), TaAlgorithm::RsaPss(Sha256), &finite),
    ] {
        let chain = Chain::new(kind, algorithm, right);
        let image = guarded(&bench.issuer, &chain, access);
        let reading = bench.read(&image, &as_terminal(&chain)).unwrap();
        let case = algorithm.name();
        let answered = reading.terminal_authentication.evidence();
        assert!(answered.is_some(), "{case}: {:?}", reading.terminal_authentication);
        assert_eq!(reading.content(FileId(0x0103)), Some(&support::DG3[..]), "{case}");
    }
}

#[test]
fn is_refused_dg3_of_a_foreign_card_without_the_right() {
    let Some(bench) = Bench::new() else { return };
    let kind = KeyKind::Ec(Curve::BrainpoolP256r1);
    let algorithm = TaAlgorithm::Ecdsa(Sha256);
    let access = pace("ECDH-GM-AES-CBC-CMAC-128", 13) + &chip_key("ECDH-AES-CBC-CMAC-128", 13);
    let chain = Chain::new(kind, algorithm, Rights { dg3: false, dg4: true });
    let image = guarded(&bench.issuer, &chain, &access);
    let reading = bench.read(&image, &as_terminal(&chain)).unwrap();
    assert!(reading.terminal_authentication.evidence().is_some());
    assert_eq!(reading.content(FileId(0x0103)), None);
}
