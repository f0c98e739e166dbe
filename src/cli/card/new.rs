//! `card new`: blank stock, or a personalised card of a synthetic holder.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use cancuoc_primitives::CryptoRng;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{card_failure, serial, test_issuer};
use crate::cli::finding::{self, RecordFolder};
use crate::cli::issuing::{self, Issuer};
use crate::cli::{Context, ExitStatus, Failure, output, secret};
use crate::document::profile::SecretProfile;
use crate::document::{CardProfile, Pin, Puk};
use crate::error::ErrorCode;
use crate::globalplatform::read_back::TerminalInspection;
use crate::issue::record::MAX_LENGTH;
use crate::issue::{
    CardImage, DocumentSigner, LoadError, Loader, Record, Severity, Terms, prepare, review_with,
};
use crate::pki::{DocumentSignerFiles, IssuerDirectory, from_pem};
use crate::softcard::{BlankOptions, KeySet, KeyType, MAX_FAILED_TRIES, SoftCard};

/// Records of specimens by a field that only their profiles have.
const RECORDS: [(&str, &[u8]); 2] = [
    ("place_of_origin", include_bytes!("../../../testvectors/specimen/record.json")),
    (
        "place_of_birth_registration",
        include_bytes!("../../../testvectors/specimen/record-2024.json"),
    ),
];
const PORTRAIT: &[u8] = include_bytes!("../../../testvectors/specimen/portrait.jpg");
const PORTRAIT_2024: &[u8] = include_bytes!("../../../testvectors/specimen/portrait.jp2");
/// Fingerprints and irises of the published reference data of BSI TR-03105 part 5.
const FINGERPRINTS: &[u8] = include_bytes!("../../../testvectors/bsi-tr03105-5/Datagroup3.bin");
const IRISES: &[u8] = include_bytes!("../../../testvectors/bsi-tr03105-5/Datagroup4.bin");
/// The largest file taken from the command line, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Make a card in a new file: blank, or with --profile personalised for a synthetic holder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc card new blank.card --keys test\n  \
    cancuoc card new blank.card --keys file:keys.txt --key-version 1 --scp03 60\n  \
    cancuoc card new blank.card --keys test --scp 02       triple DES keys and SCP02, i=55\n  \
    cancuoc card new test.card --profile eac-full          with an issuer beside it, test.issuer/\n  \
    cancuoc card new test.card --profile own.toml --record holder.json --issuer pki/ --password env:PW\n  \
    cancuoc card new test.card --profile domain-17 --json  what opens it, for scripts")]
pub(super) struct Arguments {
    /// File for the card; must not exist.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Key of the issuer domain in hexadecimal, or ENC:MAC:DEK; test for the well-known test keys; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", required_unless_present = "profile")]
    keys: Option<String>,
    /// Version of the keys, 1 to 127.
    #[arg(long, value_name = "N", default_value_t = 0x30, value_parser = clap::value_parser!(u8).range(1..=127))]
    key_version: u8,
    /// Secure channels: 03 with AES keys, 02 with triple DES keys, or both, with triple DES keys to begin with.
    #[arg(long, value_name = "SCP", default_value = "03", value_parser = ["03", "02", "both"])]
    scp: String,
    /// Options of SCP03 in hexadecimal: 10 pseudo-random challenge, 20 R-MAC, 40 R-ENCRYPTION, 01 S16 mode.
    #[arg(long, value_name = "I", default_value = "70", value_parser = [
        "70", "60", "30", "20", "10", "00", "71", "61", "31", "21", "11", "01",
    ])]
    scp03: String,
    /// Options of SCP02 in hexadecimal: 40 pseudo-random challenge, 20 R-MAC.
    #[arg(long, value_name = "I", default_value = "55", value_parser = ["15", "35", "55", "75"])]
    scp02: String,
    /// Wrong keys in a row after which the issuer domain takes no more.
    #[arg(long, value_name = "N", default_value_t = MAX_FAILED_TRIES, value_parser = clap::value_parser!(u8).range(1..))]
    tries: u8,
    /// Personalise the card: a built-in profile (see card profiles) or a profile file.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["keys", "key_version", "scp", "scp03", "scp02", "tries"])]
    profile: Option<String>,
    /// The record of the holder instead of the specimen; its own profile does not count.
    #[arg(long, value_name = "REC", requires = "profile")]
    record: Option<PathBuf>,
    /// Folder of the issuer; without it a test issuer is made beside the card.
    #[arg(long, value_name = "DIR", requires = "profile")]
    issuer: Option<PathBuf>,
    /// Password of the issuer's keys; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-", requires = "issuer")]
    password: String,
    /// Certificate of a country verifying CA that the card trusts; twice, the newer last.
    #[arg(long, value_name = "FILE", requires = "profile")]
    cvca: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.profile {
        Some(profile) => personalised(context, arguments, profile),
        None => blank(context, arguments),
    }
}

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

fn blank(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let (has_scp02, has_scp03) = (arguments.scp != "03", arguments.scp != "02");
    let key_type = if has_scp02 { KeyType::Tdes } else { KeyType::Aes };
    let mut options = BlankOptions::test(serial());
    let given = arguments.keys.as_deref().unwrap_or("test");
    if given != "test" {
        let text = secret::read(context, "--keys", given)?;
        options.keys = keys(&text, arguments.key_version, key_type)
            .ok_or_else(|| Failure::new(ExitStatus::BadInput, "card_keys_malformed", "--keys"))?;
    } else {
        options.keys.version = arguments.key_version;
        options.keys.key_type = key_type;
    }
    options.scp03 = has_scp03;
    options.scp03_options = u8::from_str_radix(&arguments.scp03, 16).unwrap_or(0x70);
    options.scp02_options =
        has_scp02.then(|| u8::from_str_radix(&arguments.scp02, 16).unwrap_or(0x55));
    options.max_failed_tries = arguments.tries;
    SoftCard::create(&arguments.path, &options).map_err(card_failure)?;
    let path = arguments.path.display().to_string();
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.card-new/1",
            "card": path,
            "serial": hex::encode_upper(options.serial),
            "key_version": options.keys.version,
            "scp03": has_scp03.then_some(&arguments.scp03),
            "scp02": has_scp02.then_some(&arguments.scp02),
        }))?;
    } else {
        let serial = hex::encode_upper(options.serial);
        output::line(&context.text("card.made", &[("card", &path), ("serial", &serial)]))?;
    }
    Ok(ExitStatus::Done)
}

/// One key for all three, or three joined by colons; in hexadecimal.
fn keys(text: &str, version: u8, key_type: KeyType) -> Option<KeySet> {
    let parts: Vec<Zeroizing<Vec<u8>>> = text
        .trim()
        .split(':')
        .map(|part| hex::decode(part).ok().map(Zeroizing::new))
        .collect::<Option<_>>()?;
    let [encryption, authentication, data] = match parts.as_slice() {
        [key] => [key.clone(), key.clone(), key.clone()],
        [e, m, d] => [e.clone(), m.clone(), d.clone()],
        _ => return None,
    };
    let length = encryption.len();
    let right = key_type.takes(length) && authentication.len() == length && data.len() == length;
    right.then_some(KeySet { version, key_type, encryption, authentication, data })
}

/// What came of making a personalised card.
struct Made {
    record: Record,
    image: CardImage,
    serial: [u8; 4],
    /// The issuer's folder, where it was made for this card.
    test_issuer: Option<PathBuf>,
}

fn personalised(
    context: &Context,
    arguments: &Arguments,
    profile: &str,
) -> Result<ExitStatus, Failure> {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let now = Timestamp::now();
    let profile = profile_of(profile)?;
    let beside = test_issuer::folder_beside(&arguments.path);
    if arguments.issuer.is_none() {
        test_issuer::refuse_used(&beside)?;
    }
    let record = record(context, arguments, profile, now, &mut random)?;
    let signer = match &arguments.issuer {
        Some(folder) => {
            let password = secret::read(context, "--password", &arguments.password)?;
            let files = IssuerDirectory::new(folder).document_signer(&password);
            CardSigner::Given(files.map_err(|e| bad(&e))?)
        }
        None => CardSigner::Made(test_issuer::make(now, &mut random)?),
    };
    let image = prepare(&record, signer.document_signer(), now, &mut random);
    let image = image.map_err(|e| bad(&e))?;
    let options = BlankOptions::test(serial());
    let mut card = SoftCard::create(&arguments.path, &options).map_err(card_failure)?;
    let mut for_inspection = rand_core::UnwrapErr(getrandom::SysRng);
    let mut inspection = TerminalInspection::new(&mut for_inspection);
    issuing::write_card(&mut card, &image, &mut inspection, &mut random)
        .and_then(|_| match &signer {
            CardSigner::Made(issuer) => test_issuer::save_all(&beside, issuer, &mut random),
            CardSigner::Given(_) => Ok(()),
        })
        .inspect_err(|_| {
            // Half a card is of no use.
            let _ = std::fs::remove_file(&arguments.path);
        })?;
    let test_issuer = arguments.issuer.is_none().then_some(beside);
    let made = Made { record, image, serial: options.serial, test_issuer };
    made.print(context, &arguments.path)?;
    Ok(ExitStatus::Done)
}

/// Who signs for the card.
enum CardSigner {
    /// From the folder of `--issuer`.
    Given(DocumentSignerFiles),
    /// Made for this card.
    Made(Issuer),
}

impl CardSigner {
    fn document_signer(&self) -> DocumentSigner<'_> {
        match self {
            Self::Given(files) => {
                DocumentSigner { signer: &files.key, certificate: &files.certificate }
            }
            Self::Made(issuer) => {
                DocumentSigner { signer: &issuer.ds, certificate: &issuer.ds_certificate }
            }
        }
    }
}

/// A built-in profile by name, or that of a file.
fn profile_of(name: &str) -> Result<Cow<'static, CardProfile>, Failure> {
    let path = Path::new(name);
    if !name.ends_with(".toml") && path.components().count() == 1 {
        return CardProfile::builtin(name).map(Cow::Borrowed).map_err(|e| bad(&e));
    }
    let source = read_file(path)?;
    let source = String::from_utf8_lossy(&source);
    CardProfile::from_toml(&source).map(Cow::Owned).map_err(|e| bad(&e).with("path", name))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(|e| Failure::file(path, &e))?;
    Ok(bytes)
}

/// The files of the specimen.
struct Specimen;

impl Loader for Specimen {
    fn load(&self, path: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        match path {
            "portrait.jpg" => Ok(PORTRAIT.to_vec()),
            "portrait.jp2" => Ok(PORTRAIT_2024.to_vec()),
            _ => Err(LoadError::NotFound),
        }
    }
}

/// The record given, or the specimen's; with what a test card needs besides.
fn record(
    context: &Context,
    arguments: &Arguments,
    profile: Cow<'static, CardProfile>,
    now: Timestamp,
    random: &mut dyn CryptoRng,
) -> Result<Record, Failure> {
    let password = |asked: Option<SecretProfile>, random: &mut dyn CryptoRng| {
        asked.map(|asked| random_digits(asked.digits, random))
    };
    let pin = password(profile.passwords.pin, random).map(|digits| Pin::new(&digits));
    let puk = password(profile.passwords.puk, random).map(|digits| Puk::new(&digits));
    let has = |field: &str| profile.dg13.fields.iter().any(|known| known.name == field);
    let specimen = RECORDS.iter().find(|(field, _)| has(field)).unwrap_or(&RECORDS[0]).1;
    let biometrics = [(3, FINGERPRINTS.to_vec()), (4, IRISES.to_vec())];
    let terms = Terms {
        profile: Some(profile),
        pin: pin.transpose().map_err(|e| bad(&e))?,
        puk: puk.transpose().map_err(|e| bad(&e))?,
        data_groups: biometrics.into(),
        trust_points: arguments
            .cvca
            .iter()
            .map(|path| trust_point(path))
            .collect::<Result<_, _>>()?,
    };
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    let review = match &arguments.record {
        Some(path) => {
            let folder = path.parent().map(ToOwned::to_owned).unwrap_or_default();
            let source = read_file(path)?;
            // One byte over the limit of a record is enough to have it refused.
            let source = source.get(..=MAX_LENGTH).unwrap_or(&source);
            review_with(source, &RecordFolder::new(folder), today, &terms)
        }
        None => review_with(specimen, &Specimen, today, &terms),
    };
    for found in &review.findings {
        let _ = writeln!(anstream::stderr(), "{}", finding::line(context.lang, found));
    }
    let errors = review.findings.iter().filter(|f| f.severity == Severity::Error).count();
    review.record.ok_or_else(|| {
        Failure::new(ExitStatus::BadInput, "record_not_usable", "--record").with("errors", errors)
    })
}

/// A CV certificate from its file, in binary or PEM.
fn trust_point(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read_file(path)?;
    let pem = core::str::from_utf8(&bytes).ok();
    let pem = pem.and_then(|text| from_pem(text, "CARD VERIFIABLE CERTIFICATE"));
    Ok(pem.unwrap_or(bytes))
}

/// Digits, each as likely as the others.
fn random_digits(count: usize, random: &mut dyn CryptoRng) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(String::with_capacity(count));
    while digits.len() < count {
        let mut byte = [0];
        random.fill_bytes(&mut byte);
        // 250 to 255 would make some digits likelier.
        if let [value @ ..250] = byte {
            digits.push(char::from(b'0' + value % 10));
        }
    }
    digits
}

impl Made {
    fn lines(&self) -> String {
        self.record.mrz.lines().collect::<Vec<_>>().join("\n")
    }

    /// What opens the card; the holder is synthetic.
    fn access(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let CardImage { can, pin, puk, .. } = &self.image;
        let mut access = vec![("mrz", self.lines())];
        access.extend(can.as_ref().map(|can| ("can", text(can.as_bytes()))));
        access.extend(pin.as_ref().map(|(pin, _)| ("pin", text(pin.as_bytes()))));
        access.extend(puk.as_ref().map(|(puk, _)| ("puk", text(puk.as_bytes()))));
        access
    }

    fn print(&self, context: &Context, path: &Path) -> Result<(), Failure> {
        let card = path.display().to_string();
        let profile = &self.record.profile.name;
        let folder = self.test_issuer.as_ref().map(|folder| folder.display().to_string());
        let trust = self.test_issuer.as_ref().map(|f| f.join("trust").display().to_string());
        if context.json {
            let access = self.access().into_iter();
            let access: serde_json::Map<String, Value> =
                access.map(|(name, value)| (name.to_owned(), value.into())).collect();
            return output::json(&json!({
                "schema": "cancuoc.card-new/1",
                "card": card,
                "serial": hex::encode_upper(self.serial),
                "profile": profile,
                "access": access,
                "issuer": folder.as_ref().map(|folder| json!({
                    "folder": folder,
                    "password": test_issuer::PASSWORD,
                    "trust": trust,
                })),
            }));
        }
        output::line(&context.text("card.personalised", &[("card", &card), ("profile", profile)]))?;
        for (name, value) in self.access() {
            for (index, line) in value.lines().enumerate() {
                let name = if index == 0 { name.to_uppercase() } else { String::new() };
                output::line(&format!("  {name:<4} {line}"))?;
            }
        }
        if let (Some(folder), Some(trust)) = (&folder, &trust) {
            let values = [("folder", folder.as_str()), ("password", test_issuer::PASSWORD)];
            output::line(&context.text("card.test_issuer", &values))?;
            // The default policy takes no BAC.
            let bac_only = self.image.pace.is_empty();
            let options = if bac_only { " --policy standard --allow-bac" } else { "" };
            let values = [("card", card.as_str()), ("trust", trust.as_str()), ("options", options)];
            output::line(&context.text("card.try", &values))?;
        }
        Ok(())
    }
}
