//! Passive Authentication of saved documents, `verify --replay --passive` of many evidence files in
//! one process, against the bare signatures and hashes that it takes; and those against OpenSSL's.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::lds::sod::{LDS_SECURITY_OBJECT, LdsSecurityObject};
use cancuoc::lds::{Com, DgNumber, FileId, ParameterForm, SignedContent, encode_dg1};
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue,
};
use cancuoc::trust::{TrustStore, X509};
use cancuoc::verify::evidence::signature::{self, EvidenceFile};
use cancuoc::verify::evidence::{InspectionRecord, ReplayOptions, replay};
use cancuoc::verify::{
    CheckId, ChipEvidence, DocumentFiles, Expected, Inspection, Policy, SignerCache, inspect,
};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;

use super::random;

const DOCUMENTS: usize = 150;
/// Bytes of the data groups: those of an identity card with an 18 kB portrait.
const GROUPS: [(u8, usize); 3] = [(2, 18_000), (13, 362), (14, 300)];
const MRZ: &[u8] =
    b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

/// What is verified in a document: the parts that are hashed, and the signature.
struct Bare {
    hashed: Vec<Vec<u8>>,
    attributes: Vec<u8>,
    signature: Vec<u8>,
}

struct Archive {
    trust: TrustStore,
    signer: SoftwareKey,
    paths: Vec<std::path::PathBuf>,
    bare: Vec<Bare>,
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(kind: KeyKind) -> SoftwareKey {
    SoftwareKey::generate(kind, false, &mut random()).unwrap()
}

/// A country signing CA and a document signer: anchors, the signer and its certificate.
fn issuer(csca: KeyKind, signer: KeyKind) -> (TrustStore, SoftwareKey, Vec<u8>) {
    let (csca, signer) = (key(csca), key(signer));
    let (csca_key, signer_key) = (csca.public_key(), signer.public_key());
    let name = country_name("VN", "Specimen", "CSCA");
    let request = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &[1],
        issuer: &name,
        subject: &name,
        country: "VN",
        public_key: &csca_key,
        parameters: ParameterForm::Explicit,
        issuer_key: &csca_key,
        validity: Validity {
            not_before: moment("2026-01-01T00:00:00Z"),
            not_after: moment("2046-01-01T00:00:00Z"),
            key_not_after: moment("2031-01-01T00:00:00Z"),
        },
    };
    let mut trust = TrustStore::default();
    trust.add(&issue(&request, &csca, &mut random()).unwrap()).unwrap();
    let subject = country_name("VN", "Specimen", "DS");
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[2],
        subject: &subject,
        public_key: &signer_key,
        parameters: ParameterForm::Named,
        ..request
    };
    let certificate = issue(&request, &csca, &mut random()).unwrap();
    (trust, signer, certificate)
}

/// The files of a document, and what is verified of them.
fn document(number: usize, signer: &SoftwareKey, certificate: &[u8]) -> (DocumentFiles, Bare) {
    let mut files = DocumentFiles::default();
    let mut groups = vec![(1, encode_dg1(MRZ))];
    for (group, length) in GROUPS {
        let value: Vec<u8> = (0..length).map(|i| (i * 7 + number) as u8).collect();
        groups.push((group, encode(DgNumber::new(group).unwrap().tag(), &value)));
    }
    let hash = HashAlgorithm::Sha256;
    let object = LdsSecurityObject {
        version: 0,
        hash_algorithm: hash.oid(),
        hashes: groups.iter().map(|(n, bytes)| (u32::from(*n), hash.digest(bytes))).collect(),
        lds_version: None,
    };
    let content = object.encode();
    let decoded = X509::decode(certificate).unwrap();
    let signed = SignedContent {
        content_type: LDS_SECURITY_OBJECT,
        content: &content,
        digest: signer.algorithm().hash(),
        certificate,
        issuer: &decoded.issuer,
        serial: &decoded.serial,
        signing_time: Some("260601000000Z"),
        algorithm: signer.algorithm(),
    };
    let attributes = signed.signed_attributes();
    let signature = signer.sign(&attributes, &mut random()).unwrap();
    let tags = groups.iter().map(|(n, _)| DgNumber::new(*n).unwrap().tag().0 as u8).collect();
    let com = Com { lds_version: "0107".into(), unicode_version: "040000".into(), tags };
    files.files.insert(FileId::COM, com.encode());
    files.files.insert(FileId::SOD, encode(Tag(0x77), &signed.encode(&signature)));
    let mut hashed = vec![content];
    for (group, bytes) in groups {
        hashed.push(bytes.clone());
        files.files.insert(DgNumber::new(group).unwrap().file(), bytes);
    }
    (files, Bare { hashed, attributes, signature })
}

fn archive(folder: &Path, csca: KeyKind, ds: KeyKind) -> Archive {
    let (trust, signer, certificate) = issuer(csca, ds);
    let (expected, policy) = (Expected::default(), Policy::strict());
    let now = moment("2026-11-23T12:00:00Z");
    let (mut paths, mut bare) = (Vec::new(), Vec::new());
    for number in 0..DOCUMENTS {
        let (files, parts) = document(number, &signer, &certificate);
        let inspection = Inspection { trust: &trust, now, expected: &expected, policy };
        let chip = ChipEvidence::default();
        let report = inspect(&files, &chip, &inspection);
        let record = InspectionRecord::new(&files, &chip, &inspection, &report);
        let line = record.encode().unwrap();
        let path = folder.join(format!("{number}.evidence"));
        std::fs::write(&path, signature::file(&line, None, &mut random()).unwrap()).unwrap();
        paths.push(path);
        bare.push(parts);
    }
    Archive { trust, signer, paths, bare }
}

impl Archive {
    /// The bare operations: every hash, and every signature of a security object.
    fn bare(&self) -> Duration {
        let (key, algorithm) = (self.signer.public_key(), self.signer.algorithm());
        let start = Instant::now();
        for bare in &self.bare {
            for part in &bare.hashed {
                std::hint::black_box(HashAlgorithm::Sha256.digest(part));
            }
            algorithm.verify(&key, &bare.attributes, &bare.signature).unwrap();
        }
        start.elapsed()
    }

    /// Everything, from the files on, by that many threads.
    fn replay(&self, threads: usize) -> Duration {
        let start = Instant::now();
        let signers = SignerCache::new(&self.trust);
        let next = std::sync::atomic::AtomicUsize::new(0);
        let work = || {
            loop {
                let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(path) = self.paths.get(place) else { break };
                let file = EvidenceFile::decode(&std::fs::read(path).unwrap()).unwrap();
                let options =
                    ReplayOptions { now: None, policy: None, known_signers: &[], passive: true };
                let report = replay(&file, &options, &signers).report;
                for id in [CheckId::PaSodSignature, CheckId::PaChain, CheckId::PaHashes] {
                    assert!(report.checks.iter().any(|c| c.id == id && c.has_passed()));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        start.elapsed()
    }
}

/// Verifications a second of OpenSSL, for an algorithm as `openssl speed` names it.
fn openssl(algorithm: &str) -> Option<f64> {
    let output =
        Command::new("openssl").args(["speed", "-seconds", "1", algorithm]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().last()?.split_whitespace().last()?.parse().ok()
}

/// Verifications a second of the primitive here.
fn own(kind: KeyKind) -> f64 {
    let key = key(kind);
    let signature = key.sign(b"message", &mut random()).unwrap();
    let (public, algorithm) = (key.public_key(), key.algorithm());
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_millis(700) {
        algorithm.verify(&public, b"message", &signature).unwrap();
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

pub fn measure(folder: &Path) {
    let kinds = [
        ("P-256", KeyKind::Ec(Curve::P256), KeyKind::Ec(Curve::P256)),
        (
            "brainpoolP256r1 under brainpoolP512r1",
            KeyKind::Ec(Curve::BrainpoolP512r1),
            KeyKind::Ec(Curve::BrainpoolP256r1),
        ),
        ("P-384", KeyKind::Ec(Curve::P384), KeyKind::Ec(Curve::P384)),
        ("RSA-2048 under RSA-4096", KeyKind::Rsa(4096), KeyKind::Rsa(2048)),
    ];
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    for (name, csca, ds) in kinds {
        let archive = archive(folder, csca, ds);
        // One after the other, so that other work on the machine meets both alike.
        let runs = (0..9).map(|_| (archive.bare(), archive.replay(1), archive.replay(processors)));
        let (mut bare, mut one, mut many) = (Vec::new(), Vec::new(), Vec::new());
        for (a, b, c) in runs {
            bare.push(a);
            one.push(b);
            many.push(c);
        }
        let [bare, one, many] = [bare, one, many].map(super::middle);
        let rate = |time: Duration| DOCUMENTS as f64 / time.as_secs_f64();
        println!(
            "replay, Passive Authentication, {name}: {:.0} documents a second on one core, bare \
             signatures and hashes {:.0}: ratio {:.2}; on {processors} cores {:.0}, {:.2} times one",
            rate(one),
            rate(bare),
            rate(one) / rate(bare),
            rate(many),
            rate(many) / rate(one),
        );
    }
    for (name, kind, foreign) in [
        ("P-256", KeyKind::Ec(Curve::P256), "ecdsap256"),
        ("brainpoolP256r1", KeyKind::Ec(Curve::BrainpoolP256r1), "ecdsabrp256r1"),
        ("brainpoolP384r1", KeyKind::Ec(Curve::BrainpoolP384r1), "ecdsabrp384r1"),
        ("brainpoolP512r1", KeyKind::Ec(Curve::BrainpoolP512r1), "ecdsabrp512r1"),
        ("RSA-2048", KeyKind::Rsa(2048), "rsa2048"),
    ] {
        match openssl(foreign) {
            Some(theirs) => println!(
                "verify {name}: {:.0} a second, OpenSSL {theirs:.0}: ratio {:.2}",
                own(kind),
                own(kind) / theirs
            ),
            None => {
                println!("verify {name}: {:.0} a second; no openssl to compare with", own(kind))
            }
        }
    }
}
