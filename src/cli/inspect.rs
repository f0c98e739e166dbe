//! `inspect`: what files are and what they say, offline.

mod biometric;
mod certificate;
pub(super) mod cv;
mod describe;
mod dump;
mod input;
mod kind;
mod lists;
mod render;
mod signed;
mod verify;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{Context, ExitStatus, Failure, output, picture};
use kind::Kind;
use verify::{Check, Status};

/// Decode files offline: EFs, security objects, certificates, lists, keys, pictures, MRZ, QR text.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc inspect EF_SOD.bin                       what a security object says\n  \
    cancuoc inspect --verify EF_SOD.bin DG*.bin      and whether signature and hashes fit\n  \
    cancuoc inspect --verify csca.cer ds.cer a.crl   certificates, each by its issuer\n  \
    cancuoc inspect --verify VNCVCA00001.cvcert gate.chain   a terminal's chain up to its CVCA\n  \
    cancuoc inspect --verify csca-germany.cer DE_ML.ml   a master list, its signer, its certificates
  \
    cancuoc inspect --json DG2.bin | jq .files[0].content\n\n\
    --verify proves integrity alone; whether a card is genuine is for cancuoc verify to say.\n\
    Exit code with --verify: 1 when a check failed, 3 when something could not be checked.")]
pub(super) struct Arguments {
    /// Files to inspect, - for standard input; binary, PEM or hexadecimal text.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Verify what is signed, with the certificates and data groups among the files.
    #[arg(long)]
    verify: bool,
}

/// A file, or a part of one, with what it is.
struct Subject {
    name: String,
    form: input::Form,
    kind: Kind,
    bytes: Vec<u8>,
}

/// What was found out about a subject.
struct Inspection {
    /// The description, or why there is none.
    content: Result<Value, Failure>,
    checks: Vec<Check>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut subjects = Vec::new();
    for path in &arguments.files {
        subjects.extend(input::read(path)?.into_iter().flat_map(cv::split).map(Subject::new));
    }
    let inspect = |subject: &Subject| Inspection {
        content: describe::describe(subject.kind, &subject.bytes),
        checks: if arguments.verify { verify::verify(subject, &subjects) } else { Vec::new() },
    };
    let inspections: Vec<Inspection> = subjects.iter().map(inspect).collect();
    if context.json {
        let files: Vec<Value> = subjects
            .iter()
            .zip(&inspections)
            .map(|(subject, inspection)| inspection.to_json(context, subject, arguments.verify))
            .collect();
        output::json(&json!({ "schema": "cancuoc.inspect/1", "files": files }))?;
    } else {
        for (subject, inspection) in subjects.iter().zip(&inspections) {
            inspection.print(context, subject)?;
        }
    }
    Ok(status(&inspections))
}

/// Bad input before failed checks before skipped ones.
fn status(inspections: &[Inspection]) -> ExitStatus {
    let has = |status| inspections.iter().flat_map(|i| &i.checks).any(|c| c.status == status);
    if inspections.iter().any(|i| i.content.is_err()) {
        ExitStatus::BadInput
    } else if has(Status::Failed) {
        ExitStatus::NotGenuine
    } else if has(Status::Skipped) {
        ExitStatus::Inconclusive
    } else {
        ExitStatus::Done
    }
}

impl Subject {
    fn new(input: input::Input) -> Self {
        let kind = Kind::of(&input.bytes);
        Self { name: input.name, form: input.form, kind, bytes: input.bytes }
    }

    /// The name of what it is, for people.
    fn title(&self, context: &Context) -> String {
        match self.kind {
            Kind::DataGroup(number) => number.file().name(),
            kind => context.text(&format!("inspect.kind.{}", kind.name()), &[]),
        }
    }
}

impl Inspection {
    fn to_json(&self, context: &Context, subject: &Subject, verify: bool) -> Value {
        let mut value = json!({
            "file": subject.name,
            "form": subject.form.name(),
            "kind": subject.kind.name(),
            "length": subject.bytes.len(),
        });
        match &self.content {
            Ok(content) => value["content"] = content.clone(),
            Err(failure) => {
                value["error"] = json!({
                    "code": failure.code,
                    "message": failure.message(context.lang),
                    "detail": failure.detail,
                });
                value["tlv"] = dump::dump(&subject.bytes);
            }
        }
        if verify {
            value["checks"] = self.checks.iter().map(Check::to_json).collect();
        }
        value
    }

    fn print(&self, context: &Context, subject: &Subject) -> Result<(), Failure> {
        let bold = anstyle::Style::new().bold();
        let length = subject.bytes.len().to_string();
        let length = context.text("inspect.bytes", &[("count", &length)]);
        let (name, title) = (render::printable(&subject.name), subject.title(context));
        output::line(&format!("{bold}{name}{bold:#}: {title} ({length})"))?;
        for line in self.lines(context, subject) {
            output::line(&line)?;
        }
        if let Some(portrait) = biometric::portrait(subject.kind, &subject.bytes) {
            picture::print(&portrait, context.graphics.resolve());
        }
        for check in &self.checks {
            output::line(&check_line(context, check))?;
        }
        Ok(())
    }

    fn lines(&self, context: &Context, subject: &Subject) -> Vec<String> {
        match &self.content {
            Ok(Value::Object(members)) => render::object(context, members, 2),
            Ok(_) => Vec::new(),
            Err(failure) => {
                let red = anstyle::AnsiColor::Red.on_default().bold();
                let label = context.text("label.error", &[]);
                let message = render::printable(&failure.message(context.lang));
                let mut lines = vec![format!("  {red}{label}:{red:#} {message}")];
                let tree = json!({ "tlv": dump::dump(&subject.bytes) });
                if let Value::Object(members) = &tree
                    && subject.kind != Kind::Unknown
                {
                    lines.extend(render::object(context, members, 2));
                }
                lines
            }
        }
    }
}

fn check_line(context: &Context, check: &Check) -> String {
    let color = match check.status {
        Status::Passed => anstyle::AnsiColor::Green,
        Status::Failed => anstyle::AnsiColor::Red,
        Status::Skipped => anstyle::AnsiColor::Yellow,
    };
    let style = color.on_default().bold();
    let status = context.text(&format!("inspect.status.{}", check.status.name()), &[]);
    let what = context.text(&format!("inspect.check.{}", check.id), &[]);
    let detail = render::printable(&check.detail);
    let reason = check.code.and_then(|code| {
        super::text::find(context.lang, &format!("error.{code}"), &[("detail", &detail)])
    });
    format!("  {style}{status}{style:#} {what}: {}", reason.unwrap_or(detail))
}
