//! A foreign terminal, our card, over PC/SC: a small reader in C whose cryptography is OpenPACE's
//! opens the software card in the virtual reader, lets it prove itself and proves its own rights.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../tests/support/pcsc.rs"]
#[allow(dead_code)]
mod pcsc;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use cancuoc::cvc::{Rights, TaAlgorithm};
use cancuoc::document::{Pin, Puk};
use cancuoc::issue::{CardImage, Terms};
use cancuoc::pki::KeyKind;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::GroupSecret;
use cancuoc_primitives::hash::HashAlgorithm::{Sha1, Sha256, Sha512};
use pcsc::PcscStack;
use support::compiled::compile;
use support::cv_chain::Chain;
use support::plugged::Plugged;
use support::{
    CAN, CHIP_AUTHENTICATION, CHIP_AUTHENTICATION_MAPPING, DG3, GENERIC_MAPPING,
    INTEGRATED_MAPPING, Issuer, IssuerKeys, chip_key, content, each, guarded, mapped, pace,
    profile,
};

const LIBRARIES: &[&str] = &["libeac", "libcrypto", "libpcsclite"];
/// What the terminal looks for in the reader's name.
const READER: &str = "Virtual PCD 00 00";

/// The PC/SC stack, the terminal and an issuer.
struct Bench {
    _stack: PcscStack,
    folder: tempfile::TempDir,
    terminal: PathBuf,
    issuer: Issuer,
}

impl Bench {
    /// `None`, with the reason printed, where something is missing; with `CI` set that is a failure.
    fn new() -> Option<Self> {
        let stack = PcscStack::take()?;
        let folder = tempfile::tempdir().unwrap();
        let terminal = compile("terminal.c", LIBRARIES, folder.path())?;
        let issuer = Issuer::new(&IssuerKeys::default());
        Some(Self { _stack: stack, folder, terminal, issuer })
    }

    fn card(&self, body: &str) -> CardImage {
        self.issuer.image_with(&profile(body), Terms::default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Plugs the card in and runs the terminal once for each of the commands' arguments.
    fn run(&self, image: &CardImage, runs: &[&[&str]]) -> Vec<Output> {
        let path = self.path("card");
        let _ = std::fs::remove_file(&path);
        support::card_in_file(image, &path);
        let _card = Plugged::new(path);
        let outputs = runs.iter().map(|arguments| self.run_once(arguments)).collect();
        std::thread::sleep(Duration::from_millis(100));
        outputs
    }

    /// The daemon looks at its readers a few times a second: waits until it has seen the card.
    fn run_once(&self, arguments: &[&str]) -> Output {
        for _ in 0..50 {
            let output = Command::new(&self.terminal)
                .args(arguments)
                .current_dir(self.folder.path())
                .output()
                .unwrap();
            if output.status.code() != Some(4) {
                return output;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the terminal finds no card");
    }

    /// Opens the card with the CAN and these options, and reads EF.COM.
    fn opens(&self, image: &CardImage, options: &[&str], case: &str) {
        let arguments = [options, &[READER, "can", CAN]].concat();
        let output = self.run(image, &[&arguments]);
        assert_reads(&output[0], content(image, 0x011E), case);
    }

    /// The same with the options of a terminal, whose files are in the folder.
    fn run_as_terminal(&self, image: &CardImage, options: &[&str], terminal: &[&str]) -> Output {
        let arguments = [options, terminal, &[READER, "can", CAN]].concat();
        self.run(image, &[&arguments]).remove(0)
    }
}

fn assert_reads(output: &Output, file: &[u8], case: &str) {
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {} {fault}", output.status);
    let read = String::from_utf8_lossy(&output.stdout);
    assert_eq!(read.trim(), hex::encode(file), "{case}");
}

/// The last line says what; before it may stand notes of the library.
fn assert_refused(output: &Output, message: &str) {
    let fault = String::from_utf8_lossy(&output.stderr);
    assert_eq!(fault.lines().next_back(), Some(message), "{fault}");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn a_foreign_terminal_opens_the_card_by_pace_with_generic_mapping() {
    let Some(bench) = Bench::new() else { return };
    for (protocol, parameter) in each(GENERIC_MAPPING) {
        let image = bench.card(&pace(protocol, parameter));
        bench.opens(&image, &[], &format!("{protocol} {parameter}"));
    }
}

#[test]
fn a_foreign_terminal_opens_the_card_by_pace_with_integrated_mapping() {
    let Some(bench) = Bench::new() else { return };
    for (protocol, parameter) in each(INTEGRATED_MAPPING) {
        let image = bench.card(&pace(protocol, parameter));
        bench.opens(&image, &["-m", "I"], &format!("{protocol} {parameter}"));
    }
}

#[test]
fn a_foreign_terminal_opens_the_card_with_each_password_and_not_with_a_wrong_one() {
    let Some(bench) = Bench::new() else { return };
    let passwords =
        "[passwords]\npin = { digits = 6, tries = 3 }\npuk = { digits = 8, tries = 5 }\n";
    let terms = Terms {
        pin: Some(Pin::new("314159").unwrap()),
        puk: Some(Puk::new("27182818").unwrap()),
        ..Terms::default()
    };
    let body = pace("ECDH-GM-AES-CBC-CMAC-128", 13) + passwords;
    let image = bench.issuer.image_with(&profile(&body), terms);
    // EF.DG1 ends with the 90 characters of the three lines.
    let mrz = content(&image, 0x0101).last_chunk::<90>().unwrap();
    let mrz = String::from_utf8(mrz.to_vec()).unwrap();
    let good = [("can", CAN), ("mrz", &mrz), ("pin", "314159"), ("puk", "27182818")];
    let wrong = [("can", "999999"), ("pin", "314158"), ("puk", "27182819")];
    let runs: Vec<[&str; 3]> =
        good.iter().chain(&wrong).map(|(kind, secret)| [READER, kind, secret]).collect();
    let runs: Vec<&[&str]> = runs.iter().map(|run| &run[..]).collect();
    let outputs = bench.run(&image, &runs);
    for ((kind, _), output) in good.iter().zip(&outputs) {
        assert_reads(output, content(&image, 0x011E), kind);
    }
    let [.., can, pin, puk] = &outputs[..] else { unreachable!() };
    assert_refused(can, "GENERAL AUTHENTICATE: 6300");
    assert_refused(pin, "GENERAL AUTHENTICATE: 63C2");
    assert_refused(puk, "GENERAL AUTHENTICATE: 63C4");
}

#[test]
fn a_foreign_terminal_verifies_chip_authentication_mapping() {
    let Some(bench) = Bench::new() else { return };
    for (cipher, parameter) in CHIP_AUTHENTICATION_MAPPING {
        let image = bench.card(&mapped(cipher, 128, parameter));
        bench.opens(&image, &["-m", "C"], &format!("CAM {cipher} {parameter}"));
    }
}

#[test]
fn a_foreign_terminal_tells_a_clone_by_chip_authentication_mapping() {
    let Some(bench) = Bench::new() else { return };
    let mut image = bench.card(&mapped(128, 128, 13));
    let parameters = image.chip_authentication[0].key.domain_parameters();
    image.chip_authentication[0].key = GroupSecret::random(&parameters, &mut support::random());
    let path = bench.path("clone");
    support::card_in_file_without_inspection(&image, &path);
    let _card = Plugged::new(path);
    let output = bench.run_once(&["-m", "C", READER, "can", CAN]);
    assert_refused(&output, "the chip has not the key of EF.CardSecurity: 0000");
}

#[test]
fn a_foreign_terminal_runs_chip_authentication_with_dh_and_ecdh() {
    let Some(bench) = Bench::new() else { return };
    for (protocol, parameter) in each(CHIP_AUTHENTICATION) {
        let body = pace("ECDH-GM-AES-CBC-CMAC-128", 13) + &chip_key(protocol, parameter);
        let image = bench.card(&body);
        bench.opens(&image, &["-c", "0"], &format!("{protocol} {parameter}"));
    }
}

#[test]
fn a_foreign_terminal_chooses_among_the_keys_of_the_chip() {
    let Some(bench) = Bench::new() else { return };
    let keys =
        [("ECDH-AES-CBC-CMAC-128", 13), ("ECDH-3DES-CBC-CBC", 12), ("DH-AES-CBC-CMAC-256", 1)];
    let mut body = pace("DH-GM-AES-CBC-CMAC-128", 1);
    for (id, (protocol, parameter)) in keys.iter().enumerate() {
        let key = chip_key(protocol, *parameter).replace("[chip", "[[chip").replacen(']', "]]", 1);
        body += &format!("{key}key_id = {}\nuse = [\"chip_authentication\"]\n", id + 1);
    }
    let image = bench.card(&body);
    for index in ["0", "1", "2"] {
        bench.opens(&image, &["-c", index], index);
    }
}

/// Writes the chain and the terminal's key where the foreign terminal takes them.
fn write_chain(folder: &Path, chain: &Chain) {
    std::fs::write(folder.join("cvca"), chain.cvca.raw()).unwrap();
    std::fs::write(folder.join("dv"), chain.dv.raw()).unwrap();
    std::fs::write(folder.join("is"), chain.is.raw()).unwrap();
    let password = "of the test";
    let encrypted = chain.is_key.encrypt(password, &mut support::random()).unwrap();
    std::fs::write(folder.join("encrypted"), encrypted).unwrap();
    let arguments = ["pkcs8", "-inform", "DER", "-in", "encrypted", "-passin", "pass:of the test"];
    let out = ["-outform", "DER", "-out", "key"];
    let done = Command::new("openssl").args(arguments).args(out).current_dir(folder).output();
    assert!(done.unwrap().status.success());
}

const ONLY_DG3: Rights = Rights { dg3: true, dg4: false };
const TERMINAL: [&str; 10] = ["-k", "key", "-t", "cvca", "-t", "dv", "-t", "is", "-f", "0103"];

#[test]
fn a_foreign_terminal_reads_dg3_with_the_right_to_it() {
    let Some(bench) = Bench::new() else { return };
    let chip = chip_key("ECDH-AES-CBC-CMAC-128", 13);
    let dh_chip = chip_key("DH-AES-CBC-CMAC-256", 2);
    let pace_ecdh = pace("ECDH-GM-AES-CBC-CMAC-128", 12);
    let pace_dh = pace("DH-GM-AES-CBC-CMAC-128", 1);
    let brainpool = KeyKind::Ec(Curve::BrainpoolP256r1);
    let cases = [
        (brainpool, TaAlgorithm::Ecdsa(Sha256), &pace_ecdh, &chip),
        (KeyKind::Ec(Curve::P521), TaAlgorithm::Ecdsa(Sha512), &pace_dh, &chip),
        (KeyKind::Rsa(2048), TaAlgorithm::RsaPkcs1(Sha256), &pace_ecdh, &dh_chip),
        (KeyKind::Rsa(1024), TaAlgorithm::RsaPkcs1(Sha1), &pace_dh, &dh_chip),
    ];
    for (kind, algorithm, pace, chip) in cases {
        let chain = Chain::new(kind, algorithm, ONLY_DG3);
        write_chain(bench.folder.path(), &chain);
        let image = guarded(&bench.issuer, &chain, &format!("{pace}{chip}"));
        let output = bench.run_as_terminal(&image, &["-c", "0"], &TERMINAL);
        assert_reads(&output, &DG3, &algorithm.name());
    }
}

#[test]
fn a_foreign_terminal_reads_dg3_after_chip_authentication_mapping_alone() {
    let Some(bench) = Bench::new() else { return };
    let kind = KeyKind::Ec(Curve::BrainpoolP256r1);
    let chain = Chain::new(kind, TaAlgorithm::Ecdsa(Sha256), ONLY_DG3);
    write_chain(bench.folder.path(), &chain);
    let image = guarded(&bench.issuer, &chain, &mapped(256, 128, 13));
    let output = bench.run_as_terminal(&image, &["-m", "C"], &TERMINAL);
    assert_reads(&output, &DG3, "CAM and TA");
}

#[test]
fn a_foreign_terminal_gets_no_dg3_without_the_right() {
    let Some(bench) = Bench::new() else { return };
    let algorithm = TaAlgorithm::Ecdsa(Sha256);
    let kind = KeyKind::Ec(Curve::BrainpoolP256r1);
    let chain = Chain::new(kind, algorithm, Rights { dg3: false, dg4: true });
    write_chain(bench.folder.path(), &chain);
    let access = pace("ECDH-GM-AES-CBC-CMAC-128", 13) + &chip_key("ECDH-AES-CBC-CMAC-128", 13);
    let image = guarded(&bench.issuer, &chain, &access);
    let refused = bench.run_as_terminal(&image, &["-c", "0"], &TERMINAL);
    assert_refused(&refused, "EF.DG3: 6982");
    let unauthenticated = bench.run_as_terminal(&image, &["-c", "0"], &["-f", "0103"]);
    assert_refused(&unauthenticated, "EF.DG3: 6982");
    let other = Chain::new(kind, algorithm, ONLY_DG3);
    write_chain(bench.folder.path(), &other);
    let stranger = bench.run_as_terminal(&image, &["-c", "0"], &TERMINAL);
    assert_refused(&stranger, "PSO:Verify Certificate: 6300");
}
