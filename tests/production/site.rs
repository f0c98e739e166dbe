//! A small production site for a test: issuer, journal, records, cards.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cancuoc::globalplatform::KeySet;
use cancuoc::globalplatform::session::CardIdentity;
use cancuoc::issue::{LoadError, Loader, Terms};
use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue, issue_crl,
};
use cancuoc::production::intake::{Intake, JsonLines};
use cancuoc::production::journal::{
    Act, Digest, Journal, Location, NewChip, NewRecord, NewRun, RecordId, RunName, StationId,
};
use cancuoc::production::state::Environment;
use cancuoc::production::station::{
    CardKeySource, KeySourceError, Line, Outcome, Seal, SealError, Station, StationError, Watcher,
};
use cancuoc::softcard::{BlankOptions, SoftCard};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc::trust::TrustStore;
use cancuoc::verify::Policy;
use cancuoc_primitives::curve::Curve;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub const KIND: &str = "cancuoc-2021";
/// Version of the keys that cards leave with.
pub const NEW_VERSION: u8 = 0x31;

pub fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// Transport keys are the test keys; production keys are others of another version.
pub struct Keys;

impl CardKeySource for Keys {
    fn transport(&self, _: &CardIdentity) -> Result<KeySet, KeySourceError> {
        KeySet::test_keys().map_err(|error| KeySourceError::NoKeys(error.to_string()))
    }

    fn production(&self, _: &CardIdentity) -> Result<Option<KeySet>, KeySourceError> {
        let (enc, mac, dek) = ([0xA1; 16], [0xA2; 16], [0xA3; 16]);
        let keys = KeySet::new(NEW_VERSION, &enc, &mac, &dek);
        keys.map(Some).map_err(|error| KeySourceError::NoKeys(error.to_string()))
    }
}

/// Payloads as they are.
pub struct Unsealed;

impl Seal for Unsealed {
    fn open(
        &self,
        _: &RunName,
        _: &RecordId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(Zeroizing::new(sealed.to_vec()))
    }
}

struct Specimens;

impl Loader for Specimens {
    fn load(&self, path: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/");
        std::fs::read(format!("{folder}{path}")).map_err(|_| LoadError::NotFound)
    }
}

/// Number of the record with this index.
pub fn number(index: usize) -> String {
    format!("001200{index:06}")
}

/// A line of a batch.
pub fn record_line(index: usize) -> String {
    let text = include_str!("../../testvectors/specimen/record.json");
    let mut record: Value = serde_json::from_str(text).unwrap();
    record["fields"]["personal_number"] = json!(number(index));
    let id = format!("R{index}");
    json!({ "schema": "cancuoc.batch-record/1", "id": id, "record": record }).to_string()
}

pub struct Site {
    pub folder: tempfile::TempDir,
    pub signer: SoftwareKey,
    pub certificate: Vec<u8>,
    pub trust: TrustStore,
    pub run: RunName,
    pub terms: Terms,
    /// Seconds that the clock is ahead; it goes on by a second at each look.
    clock: AtomicI64,
}

fn start() -> Timestamp {
    "2026-11-27T02:00:00Z".parse().unwrap()
}

impl Site {
    /// A site with a run of this many records and nothing in stock.
    pub fn with_records(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (signer, certificate, trust) = issuer(&folder.path().join("trust"));
        let run = RunName::new("run-1").unwrap();
        let clock = AtomicI64::new(0);
        let terms = Terms::default();
        let site = Self { folder, signer, certificate, trust, run, terms, clock };
        let mut journal = site.journal();
        let office = StationId::new("office").unwrap();
        let new = NewRun { name: site.run.clone(), profile: KIND.to_owned(), handed_out: None };
        journal.open_run(Act::new(&office, site.now()), &new).unwrap();
        site.import(&mut journal, 0..count);
        site
    }

    pub fn import(&self, journal: &mut Journal, indexes: std::ops::Range<usize>) {
        let lines: Vec<String> = indexes.map(record_line).collect();
        let text = lines.join("\n");
        let mut rows = JsonLines::new(text.as_bytes());
        let today = jiff::civil::date(2026, 11, 27);
        let mut intake = Intake::new(&mut rows, &Specimens, today);
        let mut records = std::iter::from_fn(|| {
            let item = intake.next_item().unwrap()?;
            let accepted = item.accepted.unwrap_or_else(|| panic!("{:?}", item.findings));
            Some(Ok(NewRecord {
                id: RecordId::new(accepted.id).unwrap(),
                number_hash: Digest::of(accepted.number.as_str().as_bytes()),
                payload_digest: Digest::of(&accepted.payload),
                payload: accepted.payload.to_vec(),
            }))
        });
        let office = StationId::new("office").unwrap();
        journal.import(Act::new(&office, self.now()), &self.run, &mut records).unwrap();
    }

    pub fn now(&self) -> Timestamp {
        start() + self.clock.fetch_add(1, Ordering::Relaxed).seconds()
    }

    pub fn journal(&self) -> Journal {
        let location = Location::Sqlite(self.folder.path().join("journal.db"));
        Journal::open(&location, Environment::Test, None).unwrap()
    }

    /// Makes a blank card and takes its chip into the stock.
    pub fn blank(&self, serial: u32) -> SoftCard {
        let card = SoftCard::in_memory(&BlankOptions::test(serial.to_be_bytes())).unwrap();
        let chip = NewChip { serial: chip_of(serial), kind: KIND.to_owned() };
        let office = StationId::new("office").unwrap();
        let mut journal = self.journal();
        journal.add_chips(Act::new(&office, self.now()), &[chip], "delivery 1").unwrap();
        card
    }

    /// A head of this name works on the card.
    pub fn process(
        &self,
        station: &str,
        card: &mut dyn CardTransport,
    ) -> Result<Outcome, StationError> {
        self.process_with(&Unsealed, &self.signer, station, card)
    }

    pub fn process_with(
        &self,
        seal: &dyn Seal,
        signer: &(dyn Signer + Sync),
        station: &str,
        card: &mut dyn CardTransport,
    ) -> Result<Outcome, StationError> {
        self.with_line_of(seal, signer, |line| {
            let id = StationId::new(station).unwrap();
            let mut station = Station::new(line, id, self.journal(), Box::new(random()));
            let outcome = station.process(card, &mut Quiet);
            let _ = station.finish();
            outcome
        })
    }

    /// The line of this site.
    pub fn with_line<T>(&self, work: impl FnOnce(&Line<'_>) -> T) -> T {
        self.with_line_of(&Unsealed, &self.signer, work)
    }

    fn with_line_of<T>(
        &self,
        seal: &dyn Seal,
        signer: &(dyn Signer + Sync),
        work: impl FnOnce(&Line<'_>) -> T,
    ) -> T {
        let clock = || self.now();
        work(&Line {
            run: &self.run,
            kind: KIND,
            keys: &Keys,
            signer,
            certificate: &self.certificate,
            seal,
            terms: &self.terms,
            trust: &self.trust,
            policy: Policy::standard(),
            clock: &clock,
            inspect_every: 5,
            lease: Duration::from_secs(300),
            most_attempts: 3,
            open_stock: false,
        })
    }
}

/// The chip's serial as the journal knows it.
pub fn chip_of(serial: u32) -> cancuoc::production::journal::ChipSerial {
    let mut card = SoftCard::in_memory(&BlankOptions::test(serial.to_be_bytes())).unwrap();
    let mut link = cancuoc::globalplatform::link::Link::new(&mut card);
    cancuoc::globalplatform::session::select_issuer_domain(&mut link).unwrap();
    let identity = cancuoc::globalplatform::session::identify(&mut link).unwrap();
    let serial = identity.production.unwrap().chip_serial();
    cancuoc::production::journal::ChipSerial::new(serial).unwrap()
}

struct Quiet;

impl Watcher for Quiet {
    fn step(&mut self, _: &str, _: &'static str, _: usize, _: usize) {}
}

/// A card that is torn out after so many commands.
pub struct Torn<'a> {
    pub card: &'a mut SoftCard,
    pub left: Cell<usize>,
}

impl<'a> Torn<'a> {
    pub fn after(card: &'a mut SoftCard, commands: usize) -> Self {
        Self { card, left: Cell::new(commands) }
    }

    /// Whether it was torn out, or all commands came through.
    pub fn is_torn(&self) -> bool {
        self.left.get() == 0
    }
}

impl CardTransport for Torn<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let left = self.left.get();
        if left == 0 {
            return Err(TransportError::CardRemoved);
        }
        self.left.set(left - 1);
        let answer = CardTransport::transmit(self.card, command)?;
        // Torn out while it answered: the card did it, and nobody knows.
        if left == 1 { Err(TransportError::CardRemoved) } else { Ok(answer) }
    }

    fn atr(&self) -> &[u8] {
        CardTransport::atr(self.card)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        if self.is_torn() {
            return Err(TransportError::CardRemoved);
        }
        CardTransport::reset(self.card)
    }
}

fn issuer(trust: &Path) -> (SoftwareKey, Vec<u8>, TrustStore) {
    let csca = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let signer = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let name = country_name("VN", "Specimen", "CSCA test");
    let root = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &[1],
        issuer: &name,
        subject: &name,
        country: "VN",
        public_key: &csca.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &csca.public_key(),
        validity: Validity {
            not_before: moment("2026-01-01T00:00:00Z"),
            not_after: moment("2045-12-31T23:59:59Z"),
            key_not_after: moment("2030-12-31T23:59:59Z"),
        },
    };
    let subject = country_name("VN", "Specimen", "Document Signer");
    let document_signer = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[2],
        subject: &subject,
        public_key: &signer.public_key(),
        ..root
    };
    let root_certificate = issue(&root, &csca, &mut random()).unwrap();
    let certificate = issue(&document_signer, &csca, &mut random()).unwrap();
    let times = (moment("2026-11-01T00:00:00Z"), moment("2027-11-01T00:00:00Z"));
    let crl = issue_crl(&name, &[], 1, times, &csca, &mut random()).unwrap();
    std::fs::create_dir_all(trust).unwrap();
    std::fs::write(trust.join("csca.crt"), root_certificate).unwrap();
    std::fs::write(trust.join("csca.crl"), crl).unwrap();
    (signer, certificate, TrustStore::load(trust).unwrap())
}
