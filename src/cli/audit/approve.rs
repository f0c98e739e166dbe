//! `audit approve`: somebody signs that an act may be done.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::key_files::load_key;
use super::super::{Context, ExitStatus, Failure, output, secret, text};
use super::people::{failure, load, print_differences};
use super::source::read;
use crate::production::roles::{
    ActKind, ApprovalFile, People, PeopleChange, Statement, Wanted, authorize,
};

/// Approve an act that needs several people: begin an approval, or add a signature to one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit approve release.json --act release --subject REC-17 --run R-2026-11 \\\n      \
    --people people.jsonl --person chi --key chi.key\n  \
    cancuoc audit approve release.json --people people.jsonl --person an --key an.key\n  \
    cancuoc audit approve change.json --people people.jsonl --person dung --key dung.key --password env:PW\n\n\
    Exit codes: 0 signed, 6 a file or name is wrong, 7 this person may not approve it.")]
pub(super) struct Arguments {
    /// The approval, or a proposal of `audit people`; made where it is absent and --act is given.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The act: release, unlock, import_keys, change_site_key, open_session.
    #[arg(long, value_name = "ACT", requires = "subject", value_parser = act)]
    act: Option<ActKind>,
    /// On what: a record, a run, a station, the digest of a document.
    #[arg(long, value_name = "NAME", requires = "act")]
    subject: Option<String>,
    /// In which run.
    #[arg(long, value_name = "RUN", requires = "act")]
    run: Option<String>,
    /// For how many minutes it is worth something, at most a day.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1_440))]
    minutes: u16,
    /// File of the list of people.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Who signs, by the name in the list.
    #[arg(long, value_name = "NAME")]
    person: String,
    /// The person's key: encrypted PKCS #8 in PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Password of the key; -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

fn act(name: &str) -> Result<ActKind, String> {
    let known = ActKind::from_name(name).filter(|act| *act != ActKind::ChangePeople);
    known.ok_or_else(|| "release, unlock, import_keys, change_site_key, open_session".to_owned())
}

/// What is signed: an approval, or a proposal that holds one.
enum Document {
    Approval(ApprovalFile),
    Change(Box<PeopleChange>),
}

impl Document {
    fn approval(&mut self) -> &mut ApprovalFile {
        match self {
            Self::Approval(approval) => approval,
            Self::Change(change) => &mut change.approval,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Approval(approval) => approval.encode(),
            Self::Change(change) => change.encode(),
        }
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let path = &arguments.file;
    let history = load(&arguments.people)?;
    let people = history.current();
    let mut document = open(arguments, people)?;
    if !context.json {
        show(context, &mut document, people)?;
    }
    let password = secret::read(context, "--password", &arguments.password)?;
    let key = load_key(&arguments.key, &password)?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let approved = document.approval().approve(people, &arguments.person, &key, &mut random);
    approved.map_err(|e| failure(path, &e))?;
    let written = output::write_private(path, &document.encode());
    written.map_err(|e| Failure::file(path, &e))?;
    report(context, document.approval(), people, path)
}

/// Reads the file, or begins an approval.
fn open(arguments: &Arguments, people: &People) -> Result<Document, Failure> {
    let path = &arguments.file;
    let wrong = |error| failure(path, &error);
    let wanted = arguments.act.zip(arguments.subject.as_deref());
    let wanted =
        wanted.map(|(act, subject)| Wanted { act, subject, run: arguments.run.as_deref() });
    let Some(wanted) = wanted else {
        let bytes = read(path)?;
        if let Ok(change) = PeopleChange::decode(&bytes) {
            if change.people.previous != people.digest() {
                let error = "made for another version of the list";
                return Err(Failure::new(ExitStatus::Protected, "people_history", error));
            }
            // What is shown of the people must be what is signed.
            let digest = change.people.digest().to_string();
            if change.approval.statement.subject != digest {
                return Err(wrong(crate::production::roles::RoleError::Other("list of people")));
            }
            return Ok(Document::Change(Box::new(change)));
        }
        return ApprovalFile::decode(&bytes).map(Document::Approval).map_err(wrong);
    };
    if path.exists() {
        let failure = Failure::new(ExitStatus::Protected, "pki_file_exists", "exists");
        return Err(failure.with("path", path.display()));
    }
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let life = SignedDuration::from_mins(arguments.minutes.into());
    let statement = Statement::new(&wanted, Timestamp::now(), life, &mut random);
    statement.map(|statement| Document::Approval(ApprovalFile::new(statement))).map_err(wrong)
}

/// What is about to be signed.
fn show(context: &Context, document: &mut Document, people: &People) -> Result<(), Failure> {
    if let Document::Change(change) = document {
        print_differences(context, people, &change.people)?;
    }
    let statement = &document.approval().statement;
    let act = context.text(&format!("act.{}", statement.act.as_str()), &[]);
    let run = statement.run.as_deref().unwrap_or("-");
    let expires = statement.expires.to_string();
    let subject = text::plain(&statement.subject);
    let values = [("act", &*act), ("subject", &subject), ("run", run), ("expires", &expires)];
    output::line(&context.text("audit.statement", &values))
}

/// Who signed so far, and whether it is enough.
fn report(
    context: &Context,
    approval: &ApprovalFile,
    people: &People,
    path: &Path,
) -> Result<ExitStatus, Failure> {
    let statement = &approval.statement;
    let wanted =
        Wanted { act: statement.act, subject: &statement.subject, run: statement.run.as_deref() };
    let decided = authorize(people, approval, &wanted, Timestamp::now());
    let names: Vec<&str> = approval.approvals.iter().map(|a| a.person.as_str()).collect();
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.audit-approve/1",
            "file": path.display().to_string(),
            "act": statement.act,
            "subject": statement.subject,
            "run": statement.run,
            "expires": statement.expires.to_string(),
            "approved_by": names,
            "complete": decided.is_ok(),
            "missing": decided.err().map(|error| error.to_string()),
        }))?;
        return Ok(ExitStatus::Done);
    }
    let names = names.join(", ");
    match decided {
        Ok(_) => output::line(&context.text("audit.approved", &[("people", &names)]))?,
        Err(error) => {
            let detail = error.to_string();
            let values = [("people", &*names), ("detail", &detail)];
            output::line(&context.text("audit.approved_partly", &values))?;
        }
    }
    Ok(ExitStatus::Done)
}
