//! Debian's OpenPACE tools (`cvc-create`, `cvc-print`) and library against our CV certificates and
//! requests, in both directions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use cancuoc::cvc::{CvCertificate, CvChain, CvDate, CvKey, CvRequest, Rights, Role, TaAlgorithm};
use cancuoc::lds::{PublicKey, SignatureAlgorithm};
use cancuoc::pki::cv::{CvAuthority, authenticate, request, self_signed};
use cancuoc::pki::{KeyKind, SoftwareKey};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
use jiff::ToSpan;
use support::compiled::compile;
use support::cv_chain::{CVCA, DV, IS, key, reference, terms, today};
use support::random;

/// Keys and algorithms: every algorithm of Terminal Authentication, every curve that OpenSSL has.
fn kinds() -> Vec<(KeyKind, TaAlgorithm)> {
    let mut kinds: Vec<_> = [Sha1, Sha224, Sha256, Sha384, Sha512]
        .map(|hash| (KeyKind::Ec(Curve::BrainpoolP256r1), TaAlgorithm::Ecdsa(hash)))
        .to_vec();
    for hash in [Sha1, Sha256, Sha512] {
        kinds.push((KeyKind::Rsa(2048), TaAlgorithm::RsaPkcs1(hash)));
        kinds.push((KeyKind::Rsa(2048), TaAlgorithm::RsaPss(hash)));
    }
    kinds.push((KeyKind::Rsa(4096), TaAlgorithm::RsaPss(Sha256)));
    for curve in Curve::ALL {
        kinds.push((KeyKind::Ec(curve), TaAlgorithm::Ecdsa(Sha256)));
    }
    kinds
}

/// Runs a tool in the folder; `None`, with the reason printed, where it is not installed; with
/// `CI` set that is a failure.
fn run(tool: &str, folder: &Path, arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new(tool).args(arguments).current_dir(folder).output() else {
        assert!(std::env::var_os("CI").is_none(), "no {tool}");
        eprintln!("skipped: no {tool} (Debian package openpace)");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// One chain of ours with its keys, and its files in a folder; `trusted/` has the CVCA as
/// `cvc-print` looks for it.
struct Ours {
    folder: tempfile::TempDir,
    cvca_key: SoftwareKey,
    cvca: CvCertificate,
    dv_key: SoftwareKey,
    dv: CvCertificate,
    request: CvRequest,
}

impl Ours {
    fn new(kind: KeyKind, algorithm: TaAlgorithm) -> Self {
        let (cvca_key, dv_key) = (key(kind, algorithm), key(kind, algorithm));
        let root = terms(Role::Cvca, Rights::ALL);
        let cvca = self_signed(&reference(CVCA), &root, &cvca_key, &mut random()).unwrap();
        let asked = Some(cvca.holder());
        let request = request(&reference(DV), asked, &dv_key, &mut random()).unwrap();
        let authority = CvAuthority::new(&cvca, None, &cvca_key).unwrap();
        let granted = terms(Role::DomesticDv, Rights { dg3: true, dg4: false });
        let dv = authority.issue(&request, &granted, &mut random()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ours = Self { folder, cvca_key, cvca, dv_key, dv, request };
        std::fs::create_dir(ours.path("trusted")).unwrap();
        ours.write(&format!("trusted/{CVCA}"), ours.cvca.raw());
        ours.write("cvca", ours.cvca.raw());
        ours.write("dv", ours.dv.raw());
        ours.write("csr", ours.request.raw());
        ours
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn print(&self, arguments: &[&str]) -> Option<String> {
        let arguments = [&["--cvc-dir", "trusted"], arguments].concat();
        run("cvc-print", self.folder.path(), &arguments).map(|(_, text)| text)
    }
}

#[test]
fn cvc_print_prints_and_verifies_our_certificates_of_every_algorithm_and_curve() {
    for (kind, algorithm) in kinds() {
        let ours = Ours::new(kind, algorithm);
        let case = format!("{kind:?} {}", algorithm.name());
        let Some(root) = ours.print(&["--cvc", "cvca"]) else { return };
        assert!(root.contains("certificate verified"), "{case}: {root}");
        assert!(root.contains("CVCA certificate") && root.contains("Read iris"), "{root}");
        let text = ours.print(&["--cvc", "dv"]).unwrap();
        assert!(text.contains("certificate verified"), "{case}: {text}");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let from = format!("Effective Date: {}", today());
        for line in ["CAR: VNCVCA00001", "CHR: VNDV00001", "Inspection system", &from] {
            assert!(lines.contains(&line), "{case}: {line}: {text}");
        }
        assert!(text.contains("Read fingerprint") && !text.contains("Read iris"), "{text}");
    }
}

#[test]
fn cvc_print_verifies_our_requests_of_every_algorithm_and_curve() {
    for (kind, algorithm) in kinds() {
        let ours = Ours::new(kind, algorithm);
        let Some(text) = ours.print(&["--csr", "csr"]) else { return };
        let case = format!("{kind:?} {}", algorithm.name());
        assert!(text.contains("certificate request verified"), "{case}: {text}");
        assert!(text.contains("CHR: VNDV00001"), "{case}: {text}");
    }
}

#[test]
fn cvc_print_refuses_our_certificate_and_our_request_with_a_byte_altered() {
    let ours = Ours::new(KeyKind::Ec(Curve::P256), TaAlgorithm::Ecdsa(Sha256));
    for (name, option) in [("dv", "--cvc"), ("csr", "--csr")] {
        let mut bytes = std::fs::read(ours.path(name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        ours.write(name, &bytes);
        let Some(text) = ours.print(&[option, name]) else { return };
        assert!(text.contains("not verified"), "{text}");
    }
}

#[test]
fn the_library_imports_our_chains_down_to_the_terminal_and_over_a_link() {
    for (kind, algorithm) in kinds() {
        let ours = Ours::new(kind, algorithm);
        let folder = ours.folder.path();
        let Some(program) = compile("certificates.c", &["libeac", "libcrypto"], folder) else {
            return;
        };
        let inherited = ours.cvca.body().public_key.curve();
        let asked = Some(ours.dv.holder());
        let request = request(&reference(IS), asked, &key(kind, algorithm), &mut random()).unwrap();
        let verifier = CvAuthority::new(&ours.dv, inherited, &ours.dv_key).unwrap();
        let granted = terms(Role::Terminal, Rights { dg3: true, dg4: false });
        let is = verifier.issue(&request, &granted, &mut random()).unwrap();
        let next = key(kind, algorithm);
        let authority = CvAuthority::new(&ours.cvca, None, &ours.cvca_key).unwrap();
        let root = terms(Role::Cvca, Rights::ALL);
        let link = authority.link(&next, &reference("VNCVCA00002"), &root, &mut random()).unwrap();
        ours.write("is", is.raw());
        ours.write("link", link.raw());
        let program = program.to_str().unwrap();
        let chain = |files: &[&str]| run(program, folder, &[&["chain"], files].concat()).unwrap();
        let case = format!("{kind:?} {}", algorithm.name());
        for files in [&["cvca", "dv", "is"][..], &["cvca", "link"]] {
            let (good, text) = chain(files);
            assert!(good, "{case}: {files:?}: {text}");
        }
        assert!(!chain(&["cvca", "is"]).0, "{case}: a chain with a gap");
    }
}

#[test]
fn the_library_verifies_both_signatures_of_our_authenticated_requests() {
    for (kind, algorithm) in kinds() {
        let ours = Ours::new(kind, algorithm);
        let folder = ours.folder.path();
        let Some(program) = compile("certificates.c", &["libeac", "libcrypto"], folder) else {
            return;
        };
        let asked = Some(ours.cvca.holder());
        let next = request(&reference("VNDV00002"), asked, &key(kind, algorithm), &mut random());
        let outer = authenticate(&next.unwrap(), &ours.dv, &ours.dv_key, &mut random()).unwrap();
        ours.write("outer", outer.raw());
        let verify = |chain: &[&str]| {
            let arguments = [&["authenticated", "outer"], chain].concat();
            run(program.to_str().unwrap(), folder, &arguments).unwrap()
        };
        let (good, text) = verify(&["cvca", "dv"]);
        assert!(good, "{kind:?} {}: {text}", algorithm.name());
        assert!(!verify(&["cvca"]).0, "signed by the verifier, not by the CVCA");
    }
}

/// A chain that `cvc-create` makes: CVCA, verifier, terminal with the right for DG3.
struct Theirs {
    folder: tempfile::TempDir,
    scheme: String,
}

/// The name of an algorithm in `cvc-create`.
fn scheme(algorithm: TaAlgorithm) -> String {
    let (scheme, hash) = match algorithm {
        TaAlgorithm::Ecdsa(hash) => ("ECDSA", hash),
        TaAlgorithm::RsaPkcs1(hash) => ("RSA_v1_5", hash),
        TaAlgorithm::RsaPss(hash) => ("RSA_PSS", hash),
    };
    format!("{scheme}_{}", hash.name().replace('-', "_"))
}

impl Theirs {
    /// `None` where a tool is missing.
    fn new(kind: KeyKind, algorithm: TaAlgorithm) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let theirs = Self { folder, scheme: scheme(algorithm) };
        let options = match kind {
            KeyKind::Rsa(bits) => [
                "-algorithm".into(),
                "RSA".into(),
                "-pkeyopt".into(),
                format!("rsa_keygen_bits:{bits}"),
            ],
            KeyKind::Ec(curve) => [
                "-algorithm".into(),
                "EC".into(),
                "-pkeyopt".into(),
                format!("ec_paramgen_curve:{}", openssl_name(curve)),
            ],
        };
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let make = [&["genpkey", "-outform", "DER", "-out", "cvca.der"], &options[..]].concat();
        theirs.tool("openssl", &make)?;
        let der = ["-inform", "DER", "-outform", "DER", "-in", "cvca.der", "-out", "cvca.pkcs8"];
        theirs.tool("openssl", &[&["pkcs8", "-topk8", "-nocrypt"], &der[..]].concat())?;
        theirs.create("cvca", CVCA, &["--type", "is", "--key", "cvca.pkcs8"], "cvca", "cvca")?;
        let key = ["--sign-as", "cvca.cvcert", "--out-key", "dv.pkcs8"];
        theirs.create("dv_domestic", DV, &key, "cvca", "dv")?;
        let key = ["--sign-as", "dv.cvcert", "--out-key", "is.pkcs8"];
        theirs.create("terminal", IS, &key, "dv", "is")?;
        Some(theirs)
    }

    fn tool(&self, tool: &str, arguments: &[&str]) -> Option<()> {
        let (good, text) = run(tool, self.folder.path(), arguments)?;
        assert!(good, "{tool} {arguments:?}: {text}");
        Some(())
    }

    /// The tool writes `r` and `s` as short as the longer of them is, where BSI TR-03111 §5.2.1 has
    /// them as long as the order of the curve: on P-521, whose order has one bit in its first byte,
    /// one signature in four comes out short and is refused. Such a one is made again.
    fn create(&self, role: &str, holder: &str, more: &[&str], by: &str, out: &str) -> Option<()> {
        loop {
            self.create_once(role, holder, more, by, out)?;
            let certificate = self.certificate(out);
            let issuer = self.certificate("cvca");
            let Some(curve) = issuer.body().public_key.curve() else { return Some(()) };
            if certificate.signature().len() == 2 * curve.parameters().n.len() {
                return Some(());
            }
        }
    }

    fn create_once(
        &self,
        role: &str,
        holder: &str,
        more: &[&str],
        by: &str,
        out: &str,
    ) -> Option<()> {
        let until = today().checked_add(30.days()).unwrap().strftime("%y%m%d").to_string();
        let (key, out) = (format!("{by}.pkcs8"), format!("{out}.cvcert"));
        let always = ["--role", role, "--chr", holder, "--expires", &until, "--read-finger"];
        let files = ["--scheme", &self.scheme, "--sign-with", &key, "--out-cert", &out];
        self.tool("cvc-create", &[&always[..], &files, more].concat())
    }

    fn certificate(&self, name: &str) -> CvCertificate {
        let path = self.folder.path().join(format!("{name}.cvcert"));
        CvCertificate::decode(&std::fs::read(path).unwrap()).unwrap()
    }
}

const fn openssl_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P192 => "prime192v1",
        Curve::P224 => "secp224r1",
        Curve::P256 => "prime256v1",
        Curve::P384 => "secp384r1",
        Curve::P521 => "secp521r1",
        other => other.name(),
    }
}

/// Verifies a certificate of `cvc-create`. It signs by PSS with OpenSSL's longest salt, where BSI
/// TR-03110-3 §A.6.4 wants one as long as the hash: with such a salt we refuse, and with the other
/// length, everything else the same, the signature holds.
fn verify(certificate: &CvCertificate, issuer: &CvCertificate, curve: Option<Curve>, case: &str) {
    let key = &issuer.body().public_key;
    let (TaAlgorithm::RsaPss(hash), CvKey::Rsa(rsa)) = (key.algorithm, &key.key) else {
        assert_eq!(certificate.verify(issuer, curve), Ok(()), "{case}");
        return;
    };
    assert!(certificate.verify(issuer, curve).is_err(), "{case}");
    let salt_len = rsa.bits() / 8 - hash.output_len() - 2;
    let algorithm = SignatureAlgorithm::RsaPss { hash, salt_len };
    let key = PublicKey::Rsa(rsa.clone());
    let verified = algorithm.verify(&key, certificate.body_bytes(), certificate.signature());
    assert_eq!(verified, Ok(()), "{case}");
}

#[test]
fn we_read_and_verify_chains_that_cvc_create_makes() {
    for (kind, algorithm) in kinds() {
        let Some(theirs) = Theirs::new(kind, algorithm) else { return };
        let case = format!("{kind:?} {}", algorithm.name());
        let [cvca, dv, is] = ["cvca", "dv", "is"].map(|name| theirs.certificate(name));
        assert_eq!(cvca.body().public_key.algorithm, algorithm, "{case}");
        let curve = cvca.body().public_key.curve();
        verify(&cvca, &cvca, None, &case);
        verify(&dv, &cvca, None, &case);
        verify(&is, &dv, curve, &case);
        if matches!(algorithm, TaAlgorithm::RsaPss(_)) {
            continue;
        }
        let chain = CvChain::find(&[is, dv], &[cvca.holder().clone()]).unwrap();
        let day = CvDate::new(today()).unwrap();
        let effective = chain.verify(Some(&cvca), day).unwrap();
        assert!(effective.domestic, "{case}");
        assert_eq!(effective.rights, Rights { dg3: true, dg4: false }, "{case}");
    }
}

#[test]
fn we_write_their_certificates_byte_for_byte() {
    for (kind, algorithm) in kinds() {
        let Some(theirs) = Theirs::new(kind, algorithm) else { return };
        for name in ["cvca", "dv", "is"] {
            let certificate = theirs.certificate(name);
            let again =
                CvCertificate::assemble(certificate.body(), certificate.signature()).unwrap();
            assert_eq!(again.raw(), certificate.raw(), "{kind:?} {}: {name}", algorithm.name());
        }
    }
}

#[test]
fn we_refuse_their_certificate_under_another_cvca_of_the_same_name() {
    let kind = KeyKind::Ec(Curve::BrainpoolP256r1);
    let Some(theirs) = Theirs::new(kind, TaAlgorithm::Ecdsa(Sha256)) else { return };
    let other = Theirs::new(kind, TaAlgorithm::Ecdsa(Sha256)).unwrap();
    let verified = theirs.certificate("dv").verify(&other.certificate("cvca"), None);
    assert!(verified.is_err());
}

/// On every curve; with an RSA request Debian's `cvc-create` writes to memory that it has freed and
/// aborts.
#[test]
fn cvc_create_answers_our_request() {
    for (kind, algorithm) in kinds() {
        if matches!(kind, KeyKind::Rsa(_)) {
            continue;
        }
        let Some(theirs) = Theirs::new(kind, algorithm) else { return };
        let dv_key = key(kind, algorithm);
        let cvca = theirs.certificate("cvca");
        let request =
            request(&reference("VNOURDV00001"), Some(cvca.holder()), &dv_key, &mut random())
                .unwrap();
        std::fs::write(theirs.folder.path().join("our.csr"), request.raw()).unwrap();
        let until = today().checked_add(30.days()).unwrap().strftime("%y%m%d").to_string();
        let always = ["--role", "dv_domestic", "--expires", &until, "--read-finger"];
        // The tool takes the issuer's reference from the request.
        let files = ["--csr", "our.csr", "--sign-with", "cvca.pkcs8", "--type", "is"];
        let out = ["--scheme", &theirs.scheme, "--out-cert", "our.cvcert"];
        let case = format!("{kind:?} {}", algorithm.name());
        let length = cvca.signature().len();
        let issued = loop {
            theirs.tool("cvc-create", &[&always[..], &files, &out].concat()).unwrap();
            let issued = theirs.certificate("our");
            if issued.signature().len() == length {
                break issued;
            }
        };
        verify(&issued, &cvca, None, &case);
        let own = issued.public_key(cvca.body().public_key.curve()).unwrap();
        assert_eq!(own, cancuoc::pki::Signer::public_key(&dv_key), "{case}");
    }
}
