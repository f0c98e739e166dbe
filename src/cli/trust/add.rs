//! `trust add`: puts files into the folder, if they may be trusted.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::describe::Described;
use super::folder::{TrustFolder, contents, provenance, read, sha256};
use super::{Context, ExitStatus, Failure, output};
use crate::error::ErrorCode;
use crate::lds::name_text;
use crate::trust::{Content, FileLists, Object, Refusal, Survey, TrustStore, X509, replaced};

/// Add certificates, master lists, revocation lists, defect lists or LDIF to a trust folder.
///
/// A CSCA's certificate is trusted because you say so: --anchor. Everything else must lead to one: a
/// master list is refused as a whole unless its signer was issued by a CSCA that you trust on its own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc trust add --anchor csca-germany.cer --trust csca/   once its fingerprint was compared\n  \
    cancuoc trust add DE_ML.ml --trust csca/ --from 'bsi.bund.de, 28 May'\n  \
    cancuoc trust add link.cer csca.crl icaopkd-001.ldif --trust csca/\n\n\
    Exit codes: 0 added, 6 a file is malformed or does not lead to what is trusted, \
    7 refused: there already, older, or an anchor without --anchor.")]
pub(super) struct Arguments {
    /// Files to add.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The trust folder, made if absent.
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Trust the CSCA certificates among the files on their own: only once their fingerprints were
    /// compared with what their State published.
    #[arg(long)]
    anchor: bool,
    /// Where the files came from and how that was checked; kept in the index.
    #[arg(long, value_name = "TEXT")]
    from: Option<String>,
}

/// Most entries that cannot be used of a file as it is added; `trust list` tells all.
const SHOWN_PROBLEMS: usize = 10;

/// A file that is to be added.
struct Addition<'a> {
    source: &'a Path,
    bytes: Vec<u8>,
    objects: Vec<Object>,
    name: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let folder = TrustFolder::new(&arguments.trust);
    let mut additions = Vec::new();
    // Nothing is made or written before all files are read.
    for source in &arguments.files {
        let bytes = read(source)?;
        let objects = contents(source, &bytes)?.objects;
        additions.push(Addition { source, bytes, objects, name: String::new() });
    }
    folder.create()?;
    let _lock = folder.lock()?;
    let (mut store, mut index) = (folder.load()?, folder.index()?);
    let known = folder.lists(&index)?;
    let first = store.files().len();
    for addition in &mut additions {
        addition.check(&known, arguments.anchor)?;
        addition.name =
            folder.free_name(addition.source, addition.kind(), &addition.bytes, &index)?;
        store
            .add_file(Path::new(&addition.name), &addition.bytes)
            .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))?;
    }
    let cache = folder.cache();
    let survey = store.survey(Some(&cache));
    for (number, addition) in additions.iter().enumerate() {
        addition.check_trust(&store, &survey, first + number)?;
    }
    for addition in &additions {
        folder.write(&addition.name, &addition.bytes)?;
        let note = arguments.from.as_deref();
        let from = provenance(addition.source, &addition.bytes, note, arguments.anchor);
        index.files.insert(addition.name.clone(), from);
    }
    folder.write_index(&index)?;
    folder.write_cache(&cache);
    let described = Described { context, store: &store, survey: &survey };
    let added = (0..additions.len()).map(|number| added(&described, first + number));
    report(context, &added.collect::<Vec<_>>())
}

impl Addition<'_> {
    /// What the file is, for its name.
    fn kind(&self) -> &'static str {
        match &self.objects[..] {
            [object] if object.alone => object.content.kind(),
            objects if objects.iter().all(|object| object.alone) => "csca_certificate",
            _ => "ldif",
        }
    }

    fn failure(&self, exit: ExitStatus, code: &str, detail: impl Into<String>) -> Failure {
        Failure::new(exit, code, detail).with("path", self.source.display())
    }

    /// What the file alone says: anchors are asked for in so many words, and a list of an issuer that
    /// the folder has one of is a matter for `trust update`.
    fn check(&self, known: &[FileLists], anchor: bool) -> Result<(), Failure> {
        for object in self.objects.iter().filter(|object| object.alone) {
            let Content::Certificate { der, is_ca: true } = &object.content else { continue };
            let certificate = X509::decode(der)
                .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))?;
            if !anchor && certificate.verify(&certificate.key).is_ok() {
                let failure =
                    self.failure(ExitStatus::Protected, "trust_anchor_needed", sha256(der));
                return Err(failure.with("subject", name_text(&certificate.subject)));
            }
        }
        let own = FileLists::new(&self.name, &self.objects);
        if own.is_directory {
            return Ok(());
        }
        match replaced(&own, known) {
            Err(Refusal::Nothing) => Ok(()),
            Ok(old) => {
                let failure =
                    self.failure(ExitStatus::Protected, "trust_use_update", old.join(", "));
                Err(failure)
            }
            Err(refusal) => Err(refused(self.source, &refusal)),
        }
    }

    /// Whether what the file brings leads to what is trusted.
    fn check_trust(
        &self,
        store: &TrustStore,
        survey: &Survey<'_>,
        file: usize,
    ) -> Result<(), Failure> {
        let fail = |error: &dyn ErrorCode| {
            Failure::from_error(ExitStatus::BadInput, error).about(self.source.display())
        };
        // In the export of a directory each object stands for itself; what is broken is told.
        if !self.objects.iter().all(|object| object.alone) {
            return Ok(());
        }
        if let Some((_, problem)) = store.problems.iter().find(|(p, _)| *p == Path::new(&self.name))
        {
            return Err(fail(problem));
        }
        let own = survey.certificates.iter().filter(|c| c.pinned.contains(&file));
        for certificate in own {
            certificate.trust.as_ref().map_err(|distrust| fail(distrust))?;
        }
        for list in survey.lists.iter().filter(|list| list.file == file) {
            list.state.as_ref().map_err(|fault| fail(fault))?;
        }
        for list in survey.defects.iter().filter(|list| list.file == file) {
            list.state.as_ref().map_err(|fault| fail(fault))?;
        }
        match survey.crls.iter().find(|crl| crl.file == file && crl.signer.is_none()) {
            Some(crl) => {
                let issuer = name_text(&crl.crl.issuer);
                Err(self.failure(ExitStatus::BadInput, "crl_issuer_unknown", issuer))
            }
            None => Ok(()),
        }
    }
}

/// Why a list does not take the place of another.
pub(super) fn refused(source: &Path, refusal: &Refusal) -> Failure {
    let fail = |code, detail: String| Failure::new(ExitStatus::Protected, code, detail);
    let failure = match refusal {
        Refusal::Older { of, have, given } => {
            fail("trust_older", of.clone()).with("have", have).with("given", given)
        }
        Refusal::Same => fail("trust_same", "not newer".to_owned()),
        Refusal::Nothing => fail("trust_nothing_to_update", "no such list".to_owned()),
    };
    failure.with("path", source.display())
}

/// What a file brought.
pub(super) fn added(described: &Described<'_>, file: usize) -> Value {
    let survey = described.survey;
    let in_file = |files: &[usize]| files.contains(&file);
    let certificates = survey.certificates.iter().filter(|c| in_file(c.files));
    let trusted = certificates.clone().filter(|c| c.trust.is_ok()).count();
    let anchors = certificates.clone().filter(|c| c.pinned.contains(&file));
    let holds: serde_json::Map<String, Value> = described
        .store
        .files()
        .get(file)
        .map(|f| f.holds.iter().map(|(kind, n)| ((*kind).to_owned(), json!(n))).collect())
        .unwrap_or_default();
    let lists = survey.lists.iter().filter(|l| l.file == file).map(|l| described.list(l));
    json!({
        "file": described.file(file),
        "holds": holds,
        "trusted": trusted,
        "not_trusted": certificates.clone().count() - trusted,
        "certificates": anchors.map(|c| described.certificate(c)).collect::<Vec<_>>(),
        "master_lists": lists.collect::<Vec<_>>(),
        "problems": described.problems_of(file),
    })
}

fn report(context: &Context, added: &[Value]) -> Result<ExitStatus, Failure> {
    if context.json {
        output::json(&json!({ "schema": "cancuoc.trust-add/1", "added": added }))?;
        return Ok(ExitStatus::Done);
    }
    for file in added {
        print(context, "trust.added", file)?;
    }
    Ok(ExitStatus::Done)
}

/// The sentence for a file that came, and a line for each part of it that people look at.
pub(super) fn print(context: &Context, key: &str, file: &Value) -> Result<(), Failure> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let values = [
        ("file", text(&file["file"])),
        ("trusted", text(&file["trusted"])),
        ("not_trusted", text(&file["not_trusted"])),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    output::line(&context.text(key, &values))?;
    for certificate in file["certificates"].as_array().into_iter().flatten() {
        let subject = text(&certificate["subject"]);
        output::line(&format!("  {subject}\n    SHA-256 {}", text(&certificate["sha256"])))?;
    }
    for list in file["master_lists"].as_array().into_iter().flatten() {
        let values = [("country", text(&list["country"])), ("date", text(&list["signed_at"]))];
        let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        output::line(&format!("  {}", context.text("trust.list_of", &values)))?;
        if let Some(message) = list["reason"]["message"].as_str() {
            output::line(&format!("    {message}"))?;
        }
    }
    let problems = file["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
    for problem in problems.iter().take(SHOWN_PROBLEMS) {
        output::line(&format!("  → {}", text(&problem["message"])))?;
    }
    if let Some(more @ 1..) = problems.len().checked_sub(SHOWN_PROBLEMS) {
        let values = [("count", &*more.to_string())];
        output::line(&format!("  → {}", context.text("trust.more_problems", &values)))?;
    }
    if file["not_trusted"] != 0 {
        output::line(&format!("  {}", context.text("trust.not_trusted", &values)))?;
    }
    Ok(())
}
