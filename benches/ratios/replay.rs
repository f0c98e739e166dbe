//! Passive Authentication of saved documents, `verify --replay --passive` of many evidence files in
//! one process, against the bare signatures and hashes that it takes; and those against OpenSSL's.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::lds::sod::{LDS_SECURITY_OBJECT, LdsSecurityObject};
use cancuoc::lds::{Com, DgNumber, FileId, ParameterForm, SignedContent, encode_dg1};
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue,
};
use cancuoc::softcard::SoftCard;
use cancuoc::trust::{TrustStore, X509};
use cancuoc::verify::evidence::{InspectionRecord, PassiveEvidence, ReplayOptions, signature};
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

fn archive(folder: &Path, csca: KeyKind, ds: KeyKind, chip: &ChipEvidence) -> Archive {
    let (trust, signer, certificate) = issuer(csca, ds);
    let (expected, policy) = (Expected::default(), Policy::strict());
    let now = moment("2026-11-23T12:00:00Z");
    let (mut paths, mut bare) = (Vec::new(), Vec::new());
    for number in 0..DOCUMENTS {
        let (files, parts) = document(number, &signer, &certificate);
        let inspection = Inspection { trust: &trust, now, expected: &expected, policy };
        let report = inspect(&files, chip, &inspection);
        let record = InspectionRecord::new(&files, chip, &inspection, &report);
        let line = record.encode().unwrap();
        let path = folder.join(format!("{number}.evidence"));
        std::fs::write(&path, signature::file(&line, None, &mut random()).unwrap()).unwrap();
        paths.push(path);
        bare.push(parts);
    }
    Archive { trust, signer, paths, bare }
}

/// What a run took.
#[derive(Clone, Copy)]
struct Taken {
    /// From its start to its end, other work on the machine included.
    wall: Duration,
    /// On processors, all threads together.
    cpu: Duration,
}

/// How long this thread was on a processor: what else runs on the machine does not count.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Does the work for each number below `count`, shared by that many threads.
fn run(threads: usize, count: usize, work: impl Fn(usize) + Sync) -> Taken {
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    let share = || {
        let before = on_processor();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return on_processor() - before;
            }
            work(number);
        }
    };
    let cpu = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(share)).collect();
        share() + others.into_iter().map(|other| other.join().unwrap()).sum::<Duration>()
    });
    Taken { wall: start.elapsed(), cpu }
}

const OPTIONS: ReplayOptions<'_> =
    ReplayOptions { now: None, policy: None, known_signers: &[], passive: true };

impl Archive {
    /// The bare operations: every hash, and every signature of a security object.
    fn bare(&self, threads: usize) -> Taken {
        let (key, algorithm) = (self.signer.public_key(), self.signer.algorithm());
        run(threads, self.bare.len(), |number| {
            let bare = &self.bare[number];
            for part in &bare.hashed {
                std::hint::black_box(HashAlgorithm::Sha256.digest(part));
            }
            algorithm.verify(&key, &bare.attributes, &bare.signature).unwrap();
        })
    }

    /// Everything, from the files on.
    fn replay(&self, threads: usize) -> Taken {
        let signers = SignerCache::new(&self.trust);
        run(threads, self.paths.len(), |number| {
            let bytes = std::fs::read(&self.paths[number]).unwrap();
            let report = PassiveEvidence::decode(&bytes).unwrap().replay(&OPTIONS, &signers).report;
            for id in [CheckId::PaSodSignature, CheckId::PaChain, CheckId::PaHashes] {
                assert!(report.checks.iter().any(|c| c.id == id && c.has_passed()));
            }
        })
    }

    /// Parts of that: reading the files alone, and reading and decoding them.
    fn parts(&self) -> [Taken; 2] {
        let read = |number: usize| std::fs::read(&self.paths[number]).unwrap();
        let decode = |number| drop(PassiveEvidence::decode(&read(number)).unwrap());
        [run(1, self.paths.len(), |n| drop(read(n))), run(1, self.paths.len(), decode)]
    }

    /// The median of a few runs of each, one after the other, so that other work on the machine
    /// meets all alike.
    fn measure(&self, name: &str, processors: usize) {
        let runs = || {
            let [read, decode] = self.parts();
            let (bare, whole) = (self.bare(1), self.replay(1));
            [bare, whole, self.bare(processors), self.replay(processors), read, decode]
        };
        let runs: Vec<[Taken; 6]> = (0..11).map(|_| runs()).collect();
        let median = |of: fn(&Taken) -> Duration, which: usize| {
            super::middle(runs.iter().map(|run| of(&run[which])).collect())
        };
        let count = DOCUMENTS as f64;
        let cpu = |which| median(|taken| taken.cpu, which).as_secs_f64() / count;
        let rate = |which| count / median(|taken| taken.wall, which).as_secs_f64();
        let [bare, whole, read, decode] = [0, 1, 4, 5].map(cpu);
        println!(
            "replay, Passive Authentication, {name}: {:.0} documents a second on one core, bare \
             signatures and hashes {:.0}: ratio {:.2}",
            1.0 / whole,
            1.0 / bare,
            bare / whole
        );
        println!(
            "  of a document's {:.0} us: signature and hashes {:.0}, reading the file {:.0}, JSON and \
             base64 {:.0}, all else {:.0}",
            1e6 * whole,
            1e6 * bare,
            1e6 * read,
            1e6 * (decode - read),
            1e6 * (whole - decode - bare)
        );
        println!(
            "  by the clock with 1 thread {:.0}, with {processors} {:.0}: {:.2} times; bare {:.0} and \
             {:.0}: {:.2} times; ratios {:.2} and {:.2}",
            rate(1),
            rate(3),
            rate(3) / rate(1),
            rate(0),
            rate(2),
            rate(2) / rate(0),
            rate(1) / rate(0),
            rate(3) / rate(2)
        );
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
    // What a chip answered, as it stands in evidence files; here it is another document's.
    let demo = super::demo();
    let reading = super::read(SoftCard::open(&demo.path().join("demo/genuine.card")).unwrap());
    let chip = ChipEvidence::of_reading(&reading);
    for (name, csca, ds) in kinds {
        archive(folder, csca, ds, &chip).measure(name, processors);
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
