//! `card forge`: one forged card of a record, or the whole deck.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{card_failure, deck, serial};
use crate::cli::finding::{self, RecordFolder};
use crate::cli::{Context, ExitStatus, Failure, issuing, output, secret};
use crate::globalplatform::NotReadBack;
use crate::issue::forge::{ForgedIssuer, Forgery};
use crate::issue::prepare::{DocumentSigner, prepare};
use crate::issue::review;
use crate::lds::country_of_name;
use crate::pki::IssuerDirectory;
use crate::softcard::{BlankOptions, SoftCard};
use crate::trust::X509;

/// Make a forged card, which a verifier must refuse, or a whole deck of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc card forge --deck deck/                 every forgery, its good twin, and what to say to each\n  \
    cancuoc card forge --deck deck/ --only N15      the rows that begin so\n  \
    cancuoc card forge --list                       what is in the deck; --json for scripts\n  \
    cancuoc card forge clone.card --kind clone --record holder.json --issuer pki/ --password env:PW\n  \
    cancuoc card forge good.card --kind none --record holder.json --issuer pki/ --password env:PW")]
pub(super) struct Arguments {
    /// File for the card; must not exist.
    #[arg(value_name = "PATH", required_unless_present_any = ["deck", "list"], requires_all = ["kind", "record", "issuer"])]
    path: Option<PathBuf>,
    /// What is wrong with the card.
    #[arg(long, value_enum, requires = "path")]
    kind: Option<Kind>,
    /// The record of the holder.
    #[arg(long, value_name = "REC", requires = "path")]
    record: Option<PathBuf>,
    /// Folder of the issuer whose cards are forged.
    #[arg(long, value_name = "DIR", requires = "path")]
    issuer: Option<PathBuf>,
    /// Password of the issuer's keys; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
    /// Make every card of the deck in a new folder, with what to trust and deck.json.
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    deck: Option<PathBuf>,
    /// Say what is in the deck and make nothing.
    #[arg(long, conflicts_with_all = ["path", "deck"])]
    list: bool,
    /// Only cards whose names begin so, such as N15, and their good twins; repeat for more.
    #[arg(long, value_name = "ROW", conflicts_with = "path")]
    only: Vec<String>,
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
    if let Some(folder) = &arguments.deck {
        return deck::make(context, folder, &arguments.only);
    }
    match (&arguments.path, arguments.kind, &arguments.record, &arguments.issuer) {
        (Some(path), Some(kind), Some(record), Some(issuer)) => {
            let one = One { path, kind, record, issuer, password: &arguments.password };
            one.forge(context)
        }
        _ => deck::list(context, &arguments.only),
    }
}

/// One forged card.
struct One<'a> {
    path: &'a Path,
    kind: Kind,
    record: &'a Path,
    issuer: &'a Path,
    password: &'a str,
}

impl One<'_> {
    fn forge(&self, context: &Context) -> Result<ExitStatus, Failure> {
        let bad = |e: &dyn crate::error::ErrorCode| Failure::from_error(ExitStatus::BadInput, e);
        let source = std::fs::read(self.record).map_err(|e| Failure::file(self.record, &e))?;
        let folder = self.record.parent().map(ToOwned::to_owned).unwrap_or_default();
        let now = jiff::Timestamp::now();
        let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
        let review = review(&source, &RecordFolder::new(folder), today);
        let Some(record) = review.record else {
            for found in &review.findings {
                eprintln!("{}", finding::line(context.lang, found));
            }
            return Err(Failure::new(ExitStatus::BadInput, "record_not_usable", "--record"));
        };
        let password = secret::read(context, "--password", self.password)?;
        let directory = IssuerDirectory::new(self.issuer);
        let signer = directory.document_signer(&password).map_err(|e| bad(&e))?;
        let csca = directory.key("csca", &password).map_err(|e| bad(&e))?;
        let csca_certificate = directory.certificate("csca").map_err(|e| bad(&e))?;
        let csca_certificate = X509::decode(&csca_certificate).map_err(|e| bad(&e))?;
        let country = country_of_name(&csca_certificate.subject).unwrap_or_else(|| "VN".to_owned());
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        let document_signer =
            DocumentSigner { signer: &signer.key, certificate: &signer.certificate };
        let mut image = prepare(&record, document_signer, now, &mut random).map_err(|e| bad(&e))?;
        if let Some(forgery) = self.kind.forgery() {
            let issuer =
                ForgedIssuer { csca: &csca, name: &csca_certificate.subject, country: &country };
            forgery.apply(&mut image, issuer, now, &mut random).map_err(|e| bad(&e))?;
        }
        let mut card =
            SoftCard::create(self.path, &BlankOptions::test(serial())).map_err(card_failure)?;
        issuing::write_card(&mut card, &image, &mut NotReadBack, &mut random)?;
        let kind = self.kind.forgery().map_or("none", Forgery::name);
        let path = self.path.display().to_string();
        if context.json {
            output::json(&json!({ "schema": "cancuoc.card-forge/1", "card": path, "kind": kind }))?;
        } else {
            output::line(&context.text("card.forged", &[("card", &path), ("kind", kind)]))?;
        }
        Ok(ExitStatus::Done)
    }
}
