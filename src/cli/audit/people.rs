//! `audit people`: who has which roles, and who changed it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::key_files::read_der;
use super::super::pki::write_new;
use super::super::{Context, ExitStatus, Failure, output};
use super::source::read;
use crate::error::ErrorCode;
use crate::lds::PublicKey;
use crate::pki::SignerError;
use crate::production::Digest;
use crate::production::roles::{People, PeopleChange, PeopleHistory, Person, Role, RoleError};

/// The people of a production site: their roles and public keys.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Begin(BeginArguments),
    List(ListArguments),
    Add(AddArguments),
    Remove(RemoveArguments),
    Apply(ApplyArguments),
}

/// Begin a list, with at least two supervisors; nothing is replaced.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit people begin --people people.jsonl --person chi:supervisor:chi.pub \\\n      \
    --person dung:supervisor:dung.pub --person an:operator:an.pub")]
struct BeginArguments {
    /// File of the list.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Somebody: name, roles with commas between them, file of the public key. May be given several
    /// times.
    #[arg(long, value_name = "NAME:ROLES:FILE", required = true)]
    person: Vec<String>,
}

/// Show who has which roles; every change of the list is verified.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit people list --people people.jsonl\n  \
    cancuoc audit people list --people people.jsonl --first 5f0c…e1 --json")]
struct ListArguments {
    /// File of the list.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Digest of the first version, as `begin` told it.
    #[arg(long, value_name = "SHA-256")]
    first: Option<String>,
}

/// Propose to add somebody, or to give somebody other roles or another key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit people add --people people.jsonl --person lan:operator:lan.pub --out change.json\n  \
    cancuoc audit approve change.json --people people.jsonl --person chi --key chi.key\n  \
    cancuoc audit approve change.json --people people.jsonl --person dung --key dung.key\n  \
    cancuoc audit people apply --people people.jsonl change.json")]
struct AddArguments {
    /// File of the list.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Somebody: name, roles with commas between them, file of the public key. May be given several
    /// times.
    #[arg(long, value_name = "NAME:ROLES:FILE", required = true)]
    person: Vec<String>,
    /// File for the proposal, to be approved by two supervisors within a day.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Propose to remove somebody.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit people remove --people people.jsonl --person an --out change.json")]
struct RemoveArguments {
    /// File of the list.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Whom. May be given several times.
    #[arg(long, value_name = "NAME", required = true)]
    person: Vec<String>,
    /// File for the proposal, to be approved by two supervisors within a day.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Put a proposal that two supervisors approved into the list.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit people apply --people people.jsonl change.json")]
struct ApplyArguments {
    /// File of the list.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// The proposal.
    #[arg(value_name = "FILE")]
    change: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Begin(arguments) => begin(context, arguments),
        Command::List(arguments) => list(context, arguments),
        Command::Add(arguments) => add(context, arguments),
        Command::Remove(arguments) => remove(context, arguments),
        Command::Apply(arguments) => apply(context, arguments),
    }
}

/// What is malformed is bad input; what is not allowed is refused.
pub(super) fn failure(path: &Path, error: &RoleError) -> Failure {
    let exit = match error {
        RoleError::Malformed { .. } | RoleError::Unknown(_) | RoleError::OtherKey(_) => {
            ExitStatus::BadInput
        }
        RoleError::Signer(SignerError::Unavailable(_)) => ExitStatus::Unavailable,
        _ => ExitStatus::Protected,
    };
    Failure::new(exit, error.code(), error.to_string()).with("file", path.display())
}

/// The list, verified.
pub(super) fn load(path: &Path) -> Result<PeopleHistory, Failure> {
    PeopleHistory::decode(&read(path)?, None).map_err(|e| failure(path, &e))
}

fn person(text: &str) -> Result<Person, Failure> {
    let usage = || Failure::usage(format!("--person {text}: NAME:ROLES:FILE"));
    let mut parts = text.splitn(3, ':');
    let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or_else(usage);
    let (name, roles, path) = (part()?, part()?, Path::new(part()?));
    let role = |name: &str| {
        Role::from_name(name).ok_or_else(|| {
            let known = Role::ALL.map(Role::as_str).join(", ");
            Failure::usage(format!("--person {text}: {name}? {known}"))
        })
    };
    let roles = roles.split(',').map(role).collect::<Result<BTreeSet<_>, _>>()?;
    let (key, _) = PublicKey::from_spki_der(&read_der(path)?)
        .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e).with("file", path.display()))?;
    Ok(Person::new(name, roles, &key, key_algorithm(&key)))
}

/// What a key signs with, where nothing else says so.
fn key_algorithm(key: &PublicKey) -> crate::lds::SignatureAlgorithm {
    use cancuoc_primitives::hash::HashAlgorithm;

    use crate::lds::SignatureAlgorithm;
    match key {
        PublicKey::Ec(point) => SignatureAlgorithm::Ecdsa(match point.curve().field_bits() {
            ..=256 => HashAlgorithm::Sha256,
            257..=384 => HashAlgorithm::Sha384,
            _ => HashAlgorithm::Sha512,
        }),
        _ => SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256),
    }
}

fn begin(context: &Context, arguments: &BeginArguments) -> Result<ExitStatus, Failure> {
    let people = arguments.person.iter().map(|text| person(text)).collect::<Result<_, _>>()?;
    let people = People::first(people, Timestamp::now());
    let people = people.map_err(|e| failure(&arguments.people, &e))?;
    let history = PeopleHistory::begin(people);
    write_new(&arguments.people, history.encode())?;
    show(context, &history)
}

fn list(context: &Context, arguments: &ListArguments) -> Result<ExitStatus, Failure> {
    let parse = |text: &String| {
        text.parse::<Digest>().map_err(|()| Failure::usage(format!("--first {text}: SHA-256")))
    };
    let first = arguments.first.as_ref().map(parse).transpose()?;
    let history = PeopleHistory::decode(&read(&arguments.people)?, first);
    show(context, &history.map_err(|e| failure(&arguments.people, &e))?)
}

fn show(context: &Context, history: &PeopleHistory) -> Result<ExitStatus, Failure> {
    let current = history.current();
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.audit-people/1",
            "version": current.version,
            "time": current.time.to_string(),
            "first": history.first(),
            "digest": current.digest(),
            "people": current.all().iter().map(to_json).collect::<Vec<_>>(),
        }))?;
        return Ok(ExitStatus::Done);
    }
    let header = ["person", "roles", "key"];
    let header = header.map(|name| context.text(&format!("audit.column.{name}"), &[]));
    let mut table = output::table(&header);
    for person in current.all() {
        table.add_row([person.id.clone(), roles(context, person), person.key().to_string()]);
    }
    output::line(&table.to_string())?;
    let (version, first) = (current.version.to_string(), history.first().to_string());
    let time = current.time.to_string();
    let values = [("version", &*version), ("time", &*time), ("first", &*first)];
    output::line(&context.text("audit.people_version", &values))?;
    Ok(ExitStatus::Done)
}

fn to_json(person: &Person) -> Value {
    json!({ "person": person.id, "roles": person.roles, "key": person.key() })
}

/// Roles in the language of the reader.
pub(super) fn roles(context: &Context, person: &Person) -> String {
    let name = |role: &Role| context.text(&format!("role.{role}"), &[]);
    person.roles.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn add(context: &Context, arguments: &AddArguments) -> Result<ExitStatus, Failure> {
    let new = arguments.person.iter().map(|text| person(text)).collect::<Result<Vec<_>, _>>()?;
    let history = load(&arguments.people)?;
    let kept = history.current().all().iter().filter(|old| new.iter().all(|n| n.id != old.id));
    let people = kept.chain(&new).cloned().collect();
    propose(context, &history, people, (&arguments.people, &arguments.out))
}

fn remove(context: &Context, arguments: &RemoveArguments) -> Result<ExitStatus, Failure> {
    let history = load(&arguments.people)?;
    for name in &arguments.person {
        history.current().find(name).map_err(|e| failure(&arguments.people, &e))?;
    }
    let kept = history.current().all().iter().filter(|old| !arguments.person.contains(&old.id));
    let people = kept.cloned().collect();
    propose(context, &history, people, (&arguments.people, &arguments.out))
}

fn propose(
    context: &Context,
    history: &PeopleHistory,
    people: Vec<Person>,
    (list, out): (&Path, &Path),
) -> Result<ExitStatus, Failure> {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let (now, life) = (Timestamp::now(), SignedDuration::from_hours(24));
    let change = PeopleChange::propose(history.current(), people, now, life, &mut random);
    let change = change.map_err(|e| failure(list, &e))?;
    write_new(out, &change.encode())?;
    let version = change.people.version;
    if context.json {
        let file = out.display().to_string();
        let changes = differences(history.current(), &change.people);
        output::json(&json!({
            "schema": "cancuoc.audit-people-change/1",
            "file": file, "version": version, "changes": changes,
        }))?;
        return Ok(ExitStatus::Done);
    }
    print_differences(context, history.current(), &change.people)?;
    output::line(&context.text("audit.proposed", &[("file", &out.display().to_string())]))?;
    Ok(ExitStatus::Done)
}

/// Who comes, goes, or changes.
fn differences(before: &People, after: &People) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for person in after.all() {
        match before.find(&person.id) {
            Err(_) => all.push(json!({ "added": to_json(person) })),
            Ok(old) if old != person => all.push(json!({ "changed": to_json(person) })),
            Ok(_) => {}
        }
    }
    let gone = before.all().iter().filter(|person| after.find(&person.id).is_err());
    all.extend(gone.map(|person| json!({ "removed": to_json(person) })));
    all
}

/// The same for people: what a supervisor sees before signing.
pub(super) fn print_differences(
    context: &Context,
    before: &People,
    after: &People,
) -> Result<(), Failure> {
    let line = |key: &str, person: &Person| {
        let (roles, digest) = (roles(context, person), person.key().to_string());
        let values = [("person", &*person.id), ("roles", &roles), ("key", &digest)];
        output::line(&context.text(key, &values))
    };
    for person in after.all() {
        match before.find(&person.id) {
            Err(_) => line("audit.person_added", person)?,
            Ok(old) if old != person => line("audit.person_changed", person)?,
            Ok(_) => {}
        }
    }
    let mut gone = before.all().iter().filter(|person| after.find(&person.id).is_err());
    gone.try_for_each(|person| line("audit.person_removed", person))
}

fn apply(context: &Context, arguments: &ApplyArguments) -> Result<ExitStatus, Failure> {
    let mut history = load(&arguments.people)?;
    let change = PeopleChange::decode(&read(&arguments.change)?);
    let change = change.map_err(|e| failure(&arguments.change, &e))?;
    let accepted = history.accept(&change, Timestamp::now());
    accepted.map_err(|e| failure(&arguments.change, &e))?;
    let written = output::write_private(&arguments.people, history.encode());
    written.map_err(|e| Failure::file(&arguments.people, &e))?;
    show(context, &history)
}
