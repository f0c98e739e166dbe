//! `demo`: a whole life of a card in one go, on the real PC/SC stack where there is one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cancuoc_primitives::curve::Curve;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::finding::RecordFolder;
use super::issuing;
use super::verify::{Outcome, verify_card};
use super::{Context, ExitStatus, Failure, output};
use crate::document::AccessKeys;
use crate::globalplatform::NotReadBack;
use crate::globalplatform::personalize::Inspection;
use crate::globalplatform::read_back::TerminalInspection;
use crate::issue::forge::{ForgedIssuer, Forgery};
use crate::issue::prepare::{DocumentSigner, prepare};
use crate::issue::{CardImage, Record, review};
use crate::pki::{KeyKind, to_pem};
use crate::softcard::{BlankOptions, SoftCard, vpcd};
use crate::terminal::AccessPlan;
use crate::transport::CardTransport;
use crate::transport::pcsc::{self, PcscCard};
use crate::trust::TrustStore;

const RECORD: &str = include_str!("../../testvectors/specimen/record.json");
const PORTRAIT: &[u8] = include_bytes!("../../testvectors/specimen/portrait.jpg");
/// How long the reader may take to notice a card.
const PATIENCE: Duration = Duration::from_secs(10);

/// A whole life of a card in one go, without hardware: make, plug in, read, verify, forge.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc demo                   in a new folder under the system's temporary folder\n  \
    cancuoc demo play/ --lang vi   in the folder play, in Vietnamese")]
pub(super) struct Arguments {
    /// Folder for the files: must be absent or empty.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Where a card is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    Pcsc,
    InProcess,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let folder = prepare_folder(arguments.folder.as_deref())?;
    let demo = Demo { context, stack: find_stack(), folder };
    demo.say("demo.start", &[("folder", &demo.folder.display().to_string())])?;
    if demo.stack == Stack::InProcess {
        demo.say("demo.no_pcsc", &[])?;
    }
    let (genuine, clone, altered) = demo.run()?;
    demo.finish(&genuine, &clone, &altered)
}

/// The folder, made where it is absent; one with files in it is left alone.
fn prepare_folder(folder: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(folder) = folder else {
        let new = tempfile::Builder::new().prefix("cancuoc-demo-").tempdir();
        return new
            .map(tempfile::TempDir::keep)
            .map_err(|e| Failure::file(&std::env::temp_dir(), &e));
    };
    output::create_private_folder(folder).map_err(|e| Failure::file(folder, &e))?;
    let mut entries = std::fs::read_dir(folder).map_err(|e| Failure::file(folder, &e))?;
    if entries.next().is_some() {
        return Err(Failure::new(ExitStatus::Protected, "demo_folder_not_empty", "not empty")
            .with("path", folder.display()));
    }
    Ok(folder.to_owned())
}

/// Whether a virtual PC/SC reader without a card waits for one.
fn find_stack() -> Stack {
    let free = pcsc::readers().is_ok_and(|readers| {
        readers.iter().any(|r| r.name.contains("Virtual PCD 00 00") && r.atr.is_none())
    });
    if free { Stack::Pcsc } else { Stack::InProcess }
}

struct Demo<'a> {
    context: &'a Context,
    stack: Stack,
    folder: PathBuf,
}

impl Demo<'_> {
    fn say(&self, key: &str, values: &[(&str, &str)]) -> Result<(), Failure> {
        let text = self.context.text(key, values);
        if self.context.json {
            // Only the result goes to standard output.
            let _ = writeln!(std::io::stderr(), "{text}");
            Ok(())
        } else {
            output::line(&text)
        }
    }

    fn heading(&self, key: &str) -> Result<(), Failure> {
        let style = anstyle::Style::new().bold();
        let text = self.context.text(key, &[]);
        if self.context.json {
            let _ = writeln!(std::io::stderr(), "{text}");
            return Ok(());
        }
        output::line(&format!("\n{style}{text}{style:#}"))
    }

    fn run(&self) -> Result<(Outcome, Outcome, Outcome), Failure> {
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        let now = Timestamp::now();

        self.heading("demo.pki")?;
        let issuer = issuing::new_issuer(
            &issuing::IssuerRequest {
                country: "VN",
                organization: "cancuoc demo",
                name: "Specimen CSCA",
                csca: KeyKind::Ec(Curve::BrainpoolP384r1),
                document_signer: KeyKind::Ec(Curve::P256),
                now,
            },
            &mut random,
        )?;
        let trust = self.save_trust(&issuer)?;

        self.heading("demo.personalize")?;
        let record = self.record()?;
        let signer = DocumentSigner { signer: &issuer.ds, certificate: &issuer.ds_certificate };
        let image = prepare(&record, signer, now, &mut random)
            .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
        let mut readback_random = rand_core::UnwrapErr(getrandom::SysRng);
        let mut inspection = TerminalInspection::new(&mut readback_random);
        let card = self.personalize("genuine.card", &image, &mut inspection)?;

        self.heading("demo.genuine")?;
        let keys = AccessKeys { can: image.can.clone(), ..AccessKeys::default() };
        let plan = AccessPlan::pace(keys);
        let genuine = self.verify(card, &plan, &trust)?;

        let mut forged = |name: &str, heading: &str, forgery: Forgery| {
            self.heading(heading)?;
            let fake = ForgedIssuer { csca: &issuer.csca, name: &issuer.csca_name, country: "VN" };
            // The same data once more, with the same keys: a forger changes one thing.
            let mut image = image.clone();
            forgery
                .apply(&mut image, fake, now, &mut random)
                .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
            let card = self.personalize(name, &image, &mut NotReadBack)?;
            self.verify(card, &plan, &trust)
        };
        let clone = forged("clone.card", "demo.clone", Forgery::Clone)?;
        let altered = forged("altered-dg13.card", "demo.altered", Forgery::AlteredDg13)?;
        Ok((genuine, clone, altered))
    }

    /// Writes the anchor and revocation list as a verifier's trust folder.
    fn save_trust(&self, issuer: &issuing::Issuer) -> Result<TrustStore, Failure> {
        let folder = self.folder.join("trust");
        output::create_private_folder(&folder).map_err(|e| Failure::file(&folder, &e))?;
        let pem = to_pem("CERTIFICATE", &issuer.csca_certificate);
        for (name, bytes) in [("csca.crt", pem.as_bytes()), ("csca.crl", issuer.crl.as_slice())] {
            let path = folder.join(name);
            output::write_private(&path, bytes).map_err(|e| Failure::file(&path, &e))?;
        }
        TrustStore::load(&folder).map_err(|e| Failure::file(&folder, &e))
    }

    /// The specimen holder, written beside the card as an example of a record.
    fn record(&self) -> Result<Record, Failure> {
        let folder = self.folder.join("holder");
        output::create_private_folder(&folder).map_err(|e| Failure::file(&folder, &e))?;
        for (name, bytes) in [("record.json", RECORD.as_bytes()), ("portrait.jpg", PORTRAIT)] {
            let path = folder.join(name);
            output::write_private(&path, bytes).map_err(|e| Failure::file(&path, &e))?;
        }
        let today = jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let review = review(RECORD.as_bytes(), &RecordFolder::new(folder), today);
        review.record.ok_or_else(|| {
            Failure::new(ExitStatus::Defect, "defect", format!("{:?}", review.findings))
        })
    }

    /// Makes a blank card in a file and writes the image onto it.
    fn personalize(
        &self,
        name: &str,
        image: &CardImage,
        inspection: &mut dyn Inspection,
    ) -> Result<SoftCard, Failure> {
        let path = self.folder.join(name);
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        let mut serial = [0; 4];
        rand_core::Rng::fill_bytes(&mut random, &mut serial);
        let mut card = SoftCard::create(&path, &BlankOptions::test(serial))
            .map_err(|e| Failure::from_error(ExitStatus::Card, &e))?;
        let report = issuing::write_card(&mut card, image, inspection, &mut random)?;
        let overhead = report.overhead().unwrap_or_default();
        self.say(
            "demo.personalized",
            &[
                ("card", &path.display().to_string()),
                ("bytes", &report.file_bytes.to_string()),
                ("overhead", &format!("{overhead:.3}")),
            ],
        )?;
        Ok(card)
    }

    fn verify(
        &self,
        card: SoftCard,
        plan: &AccessPlan,
        trust: &TrustStore,
    ) -> Result<Outcome, Failure> {
        let outcome = match self.stack {
            Stack::InProcess => {
                let mut card = card;
                card.power_on();
                verify_card(self.context, Box::new(card), plan, trust)?
            }
            Stack::Pcsc => {
                let plugged = Plugged::new(card);
                let card: Box<dyn CardTransport> = Box::new(plugged.connect()?);
                self.say("demo.plugged", &[])?;
                verify_card(self.context, card, plan, trust)?
            }
        };
        if !self.context.json {
            outcome.print(self.context)?;
        }
        Ok(outcome)
    }

    fn finish(
        &self,
        genuine: &Outcome,
        clone: &Outcome,
        altered: &Outcome,
    ) -> Result<ExitStatus, Failure> {
        let verdict = |o: &Outcome| o.report.verdict().as_str();
        let as_expected =
            [verdict(genuine), verdict(clone), verdict(altered)] == ["genuine", "forged", "forged"];
        let folder = self.folder.display().to_string();
        if self.context.json {
            output::json(&json!({
                "schema": "cancuoc.demo/1",
                "folder": folder,
                "pcsc": self.stack == Stack::Pcsc,
                "genuine": verdict(genuine),
                "clone": verdict(clone),
                "altered_dg13": verdict(altered),
                "as_expected": as_expected,
            }))?;
        }
        if !as_expected {
            return Err(Failure::new(ExitStatus::Defect, "defect", "a verdict is not as expected"));
        }
        self.heading("demo.next")?;
        self.say("demo.try", &[("folder", &folder)])?;
        Ok(ExitStatus::Done)
    }
}

/// A card in the virtual reader, pulled out when dropped.
struct Plugged {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Plugged {
    fn new(mut card: SoftCard) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            if let Err(error) = vpcd::serve(&mut card, vpcd::DEFAULT_ADDRESS, &flag, |_| {}) {
                tracing::warn!("vpcd: {error}");
            }
        });
        Self { stop, thread: Some(thread) }
    }

    /// The card as a PC/SC program sees it.
    fn connect(&self) -> Result<PcscCard, Failure> {
        let end = Instant::now() + PATIENCE;
        loop {
            match PcscCard::connect(Some("Virtual PCD 00 00")) {
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
                result => return result.map_err(|e| super::reader::transport(&e)),
            }
        }
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // The reader takes a moment to notice; the next card must not come before.
        let end = Instant::now() + PATIENCE;
        while find_stack() == Stack::InProcess && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
