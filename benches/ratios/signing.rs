//! Security objects a second against bare signatures a second of the same key store: a key in
//! memory, and one in a token of SoftHSM. A security object is hashed, signed, verified and checked
//! with the whole image of its card; the bare signature is only made.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cancuoc::issue::{DocumentSigner, LoadError, Loader, Record, prepare, review};
use cancuoc::keystore::{KeyUri, RetryPolicy, Token};
use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue,
};
use cancuoc_primitives::curve::Curve;
use jiff::{SignedDuration, Timestamp};

use super::random;

const RECORD: &[u8] = include_bytes!("../../testvectors/specimen/record.json");
const PORTRAIT: &[u8] = include_bytes!("../../testvectors/specimen/portrait.jpg");
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "12345678";
/// How long each rate is measured.
const TIME: Duration = Duration::from_secs(2);

struct Specimen;

impl Loader for Specimen {
    fn load(&self, _: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        Ok(PORTRAIT.to_vec())
    }
}

/// The specimen's record without keys of the chip: making those is not signing.
fn record() -> Record {
    let today = jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let mut record = review(RECORD, &Specimen, today).record.unwrap();
    let profile = record.profile.to_mut();
    profile.chip_authentication.clear();
    profile.active_authentication = None;
    record
}

fn certificate(key: &dyn Signer) -> Vec<u8> {
    let day = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[2],
        issuer: &country_name("VN", "Specimen", "CSCA"),
        subject: &country_name("VN", "Specimen", "DS"),
        country: "VN",
        public_key: &key.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &key.public_key(),
        validity: Validity { not_before: day(-1), not_after: day(3650), key_not_after: day(90) },
    };
    issue(&request, key, &mut random()).unwrap()
}

/// How often something is done in a second by so many threads.
fn rate(threads: usize, work: impl Fn() + Sync) -> f64 {
    let start = Instant::now();
    let count: usize = std::thread::scope(|scope| {
        let run = || {
            let mut count = 0;
            while start.elapsed() < TIME {
                work();
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    count as f64 / start.elapsed().as_secs_f64()
}

fn compare(name: &str, key: &(dyn Signer + Sync)) {
    let (record, certificate) = (record(), certificate(key));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sign = || drop(key.sign(&[7; 104], &mut random()).unwrap());
    let object = || {
        let signer = DocumentSigner { signer: key, certificate: &certificate };
        drop(prepare(&record, signer, Timestamp::now(), &mut random()).unwrap());
    };
    let bare = rate(1, sign);
    println!("{name}: {bare:.0} bare signatures a second in one thread");
    for threads in [1, cores] {
        let objects = rate(threads, object);
        println!(
            "  {threads} threads: {objects:.0} security objects a second, {:.2} of it",
            objects / bare
        );
    }
}

/// A token in a folder; the module finds it by its environment, so that the measurement goes on in
/// a new process.
fn with_token(folder: &Path) {
    let tokens = folder.join("tokens");
    std::fs::create_dir_all(&tokens).unwrap();
    let configuration = folder.join("softhsm2.conf");
    std::fs::write(&configuration, format!("directories.tokendir = {}\n", tokens.display()))
        .unwrap();
    let environment: [(&str, PathBuf); 3] = [
        ("SOFTHSM2_CONF", configuration),
        ("CANCUOC_PKCS11_MODULE", MODULE.into()),
        ("PIN", PIN.into()),
    ];
    let made = super::binary()
        .args(["keys", "init", "pkcs11:token=VN;object=ds", "--key", "P-256"])
        .args(["--so-pin", "env:PIN", "--pin", "env:PIN", "--environment", "test"])
        .envs(environment.clone())
        .status();
    assert!(made.unwrap().success());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--bench", "signing"]).envs(environment);
    assert!(again.status().unwrap().success());
}

pub fn measure(folder: &Path) {
    if std::env::var_os("SOFTHSM2_CONF").is_none() {
        if !Path::new(MODULE).exists() {
            println!("signing: no SoftHSM; scripts/install --tests installs it");
            return;
        }
        return with_token(folder);
    }
    let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    compare("signing with a P-256 key in memory", &key);
    let uri = KeyUri::parse("pkcs11:token=VN;object=ds").unwrap();
    let pin = Some(PIN.to_owned().into());
    let policy = RetryPolicy::default();
    let token = Token::open(&uri, Some(Path::new(MODULE)), pin, policy).unwrap();
    compare("signing with a P-256 key in SoftHSM", &token.signer(&uri).unwrap());
}
