//! `card`: software cards: blank stock, personalised ones, what they are, forgeries.

mod new;
mod profiles;
mod test_issuer;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::finding::{self, RecordFolder};
use super::issuing::{self, NotReadBack};
use super::{Context, ExitStatus, Failure, output, secret};
use crate::issue::forge::{ForgedIssuer, Forgery};
use crate::issue::prepare::{DocumentSigner, prepare};
use crate::issue::review;
use crate::lds::FileId;
use crate::pki::{IssuerDirectory, country_of_name};
use crate::softcard::{
    Access, ApplicationLifeCycle, BlankOptions, CardLifeCycle, Location, SoftCard, TrustSummary,
};
use crate::trust::X509;

/// Make and show software cards.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Arguments),
    Profiles(profiles::Arguments),
    Show(ShowArguments),
    Forge(ForgeArguments),
}

/// Show a card's life cycle and files; no secrets, no content.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc card show test.card\n  \
    cancuoc card show test.card --json")]
struct ShowArguments {
    /// The card's file.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// Make a forged card, which a verifier must refuse.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc card forge clone.card --kind clone --record holder.json --issuer pki/ --password env:PW\n  \
    cancuoc card forge good.card --kind none --record holder.json --issuer pki/ --password env:PW")]
struct ForgeArguments {
    /// File for the card; must not exist.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// What is wrong with the card.
    #[arg(long, value_enum)]
    kind: Kind,
    /// The record of the holder.
    #[arg(long, value_name = "REC")]
    record: PathBuf,
    /// Folder of the issuer whose cards are forged.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// Password of the issuer's keys; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// All data of a genuine card in a chip without its private keys.
    Clone,
    /// A letter of the national data is another one.
    AlteredDg13,
    /// Signed by somebody who calls himself the issuer.
    ForeignDs,
    /// Signed with a document signer certificate that had expired.
    ExpiredDs,
    /// A data group more than the security object lists.
    UnsignedDg,
    /// Nothing: the good twin of the forgeries.
    None,
}

impl Kind {
    const fn forgery(self) -> Option<Forgery> {
        match self {
            Self::Clone => Some(Forgery::Clone),
            Self::AlteredDg13 => Some(Forgery::AlteredDg13),
            Self::ForeignDs => Some(Forgery::ForeignDs),
            Self::ExpiredDs => Some(Forgery::ExpiredDs),
            Self::UnsignedDg => Some(Forgery::UnsignedDg),
            Self::None => None,
        }
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::New(arguments) => new::run(context, arguments),
        Command::Profiles(arguments) => profiles::run(context, arguments),
        Command::Show(arguments) => show(context, arguments),
        Command::Forge(arguments) => forge(context, arguments),
    }
}

fn card_failure(error: crate::softcard::SoftCardError) -> Failure {
    let exists = matches!(&error, crate::softcard::SoftCardError::File { source, .. }
        if source.kind() == std::io::ErrorKind::AlreadyExists);
    let exit = if exists { ExitStatus::Protected } else { ExitStatus::Card };
    Failure::from_error(exit, &error)
}

fn serial() -> [u8; 4] {
    let mut serial = [0; 4];
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    rand_core::Rng::fill_bytes(&mut random, &mut serial);
    serial
}

const fn card_state(state: CardLifeCycle) -> &'static str {
    match state {
        CardLifeCycle::OpReady => "OP_READY",
        CardLifeCycle::Initialized => "INITIALIZED",
        CardLifeCycle::Secured => "SECURED",
        CardLifeCycle::CardLocked => "CARD_LOCKED",
        CardLifeCycle::Terminated => "TERMINATED",
    }
}

const fn application_state(state: ApplicationLifeCycle) -> &'static str {
    match state {
        ApplicationLifeCycle::Blank => "blank",
        ApplicationLifeCycle::Personalised => "personalised",
        ApplicationLifeCycle::Locked => "locked",
    }
}

fn show(context: &Context, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let mut card = SoftCard::open(&arguments.path).map_err(card_failure)?;
    let summary = card.summary();
    let files: Vec<_> = summary
        .files
        .iter()
        .map(|file| {
            let name = match file.location {
                Location::MasterFile if file.identifier == FileId::SOD.0 => {
                    "EF.CardSecurity".to_owned()
                }
                // The same identifier is EF.CardAccess in the master file.
                Location::Lds1 if file.identifier == FileId::CARD_ACCESS.0 => "EF.CVCA".to_owned(),
                _ => FileId(file.identifier).name(),
            };
            let access = match file.access {
                Access::Always => "always",
                Access::AfterAccessControl => "after-access-control",
                Access::Dg3Right => "dg3-right",
                Access::Dg4Right => "dg4-right",
            };
            (name, file.size, access)
        })
        .collect();
    let (state, application) = (card_state(summary.card), application_state(summary.application));
    let trust = summary.trust.as_ref().map(trust_lines);
    if context.json {
        let files: Vec<_> = files
            .iter()
            .map(|(name, size, access)| json!({ "file": name, "size": size, "access": access }))
            .collect();
        output::json(&json!({
            "schema": "cancuoc.card-show/1",
            "card": state,
            "application": application,
            "files": files,
            "trust_points": trust.as_ref().map(|(references, _)| references),
            "card_date": trust.as_ref().map(|(_, date)| date),
        }))?;
        return Ok(ExitStatus::Done);
    }
    output::line(&context.text("card.state", &[("card", state), ("application", application)]))?;
    for (name, size, access) in files {
        output::line(&format!("{name:<14} {size:>7} B  {access}"))?;
    }
    if let Some((references, date)) = trust {
        let references = references.join(", ");
        let values = [("references", &references[..]), ("date", &date[..])];
        output::line(&context.text("card.trust", &values))?;
    }
    Ok(ExitStatus::Done)
}

/// Names of the trust points, the newest first, and the card's date as YYYY-MM-DD.
fn trust_lines(trust: &TrustSummary) -> (Vec<String>, String) {
    // ISO/IEC 8859-1 is the first 256 characters of Unicode.
    let name = |reference: &Vec<u8>| reference.iter().map(|byte| char::from(*byte)).collect();
    let [y1, y2, m1, m2, d1, d2] = trust.date;
    let date = format!("20{y1}{y2}-{m1}{m2}-{d1}{d2}");
    (trust.references.iter().map(name).collect(), date)
}

fn forge(context: &Context, arguments: &ForgeArguments) -> Result<ExitStatus, Failure> {
    let bad = |e: &dyn crate::error::ErrorCode| Failure::from_error(ExitStatus::BadInput, e);
    let source =
        std::fs::read(&arguments.record).map_err(|e| Failure::file(&arguments.record, &e))?;
    let folder = arguments.record.parent().map(ToOwned::to_owned).unwrap_or_default();
    let now = jiff::Timestamp::now();
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    let review = review(&source, &RecordFolder::new(folder), today);
    let Some(record) = review.record else {
        for found in &review.findings {
            eprintln!("{}", finding::line(context.lang, found));
        }
        return Err(Failure::new(ExitStatus::BadInput, "record_not_usable", "--record"));
    };
    let password = secret::read(context, "--password", &arguments.password)?;
    let directory = IssuerDirectory::new(&arguments.issuer);
    let signer = directory.document_signer(&password).map_err(|e| bad(&e))?;
    let csca = directory.key("csca", &password).map_err(|e| bad(&e))?;
    let csca_certificate = directory.certificate("csca").map_err(|e| bad(&e))?;
    let csca_certificate = X509::decode(&csca_certificate).map_err(|e| bad(&e))?;
    let country = country_of_name(&csca_certificate.subject).unwrap_or_else(|| "VN".to_owned());
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let document_signer = DocumentSigner { signer: &signer.key, certificate: &signer.certificate };
    let mut image = prepare(&record, document_signer, now, &mut random).map_err(|e| bad(&e))?;
    if let Some(forgery) = arguments.kind.forgery() {
        let issuer =
            ForgedIssuer { csca: &csca, name: &csca_certificate.subject, country: &country };
        forgery.apply(&mut image, issuer, now, &mut random).map_err(|e| bad(&e))?;
    }
    let mut card =
        SoftCard::create(&arguments.path, &BlankOptions::test(serial())).map_err(card_failure)?;
    issuing::write_card(&mut card, &image, &mut NotReadBack, &mut random)?;
    let kind = arguments.kind.forgery().map_or("none", Forgery::name);
    let path = arguments.path.display().to_string();
    if context.json {
        output::json(&json!({ "schema": "cancuoc.card-forge/1", "card": path, "kind": kind }))?;
    } else {
        output::line(&context.text("card.forged", &[("card", &path), ("kind", kind)]))?;
    }
    Ok(ExitStatus::Done)
}
