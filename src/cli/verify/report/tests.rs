use super::super::super::Lang;
use super::*;
use crate::apdu::tlv::{Tag, encode};
use crate::document::CardProfile;
use crate::document::dg13::{Dg13Builder, FieldInput};
use crate::lds::{DgNumber, FileId, encode_dg1};
use crate::trust::TrustStore;
use crate::verify::{ChipEvidence, DocumentFiles, Expected, Inspection, Policy, inspect};

const MRZ: &[u8] =
    b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

fn context() -> Context {
    let options = <crate::cli::GlobalOptions as clap::FromArgMatches>::from_arg_matches(
        &<crate::cli::GlobalOptions as Args>::augment_args(clap::Command::new("x"))
            .get_matches_from(["x"]),
    );
    Context::new(&options.unwrap(), Lang::En)
}

/// The result for a document whose holder has that name.
fn outcome(name: &str) -> Outcome {
    let layout = &CardProfile::can_cuoc_2021().dg13;
    let mut builder = Dg13Builder::new(layout);
    let field = layout.by_name("full_name").unwrap();
    builder.set(field, &FieldInput::Text(name.to_owned()));
    let mut files = DocumentFiles::default();
    let file = |number| DgNumber::new(number).unwrap().file();
    files.files.insert(file(1), encode_dg1(MRZ));
    files.files.insert(file(13), builder.build().unwrap().as_bytes().to_vec());
    files.files.insert(FileId::SOD, encode(Tag(0x77), b"<script>"));
    files.protected.push(file(3));
    let (trust, expected, policy) = (TrustStore::default(), Expected::default(), Policy::strict());
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let inspection = Inspection { trust: &trust, now, expected: &expected, policy };
    let chip = ChipEvidence::default();
    let report = inspect(&files, &chip, &inspection);
    Outcome {
        report,
        policy: policy.name.clone(),
        now,
        files,
        chip,
        session: None,
        reading: None,
        replayed: None,
        verify_micros: 0,
    }
}

fn page(name: &str) -> String {
    let (outcome, context) = (outcome(name), context());
    let created = Timestamp::UNIX_EPOCH;
    html::page(&Report { outcome: &outcome, context: &context, created })
}

#[test]
fn a_page_holds_both_languages_verdict_reasons_and_data() {
    let page = page("Nguyễn Thị Mẫu");
    for text in [
        "KHÔNG thật",
        "NOT genuine",
        "Nguyễn Thị Mẫu",
        "sod_malformed",
        "đối tượng bảo mật sai cấu trúc",
        "the security object is malformed",
        "Do not accept the card",
        "EF.DG13",
        "2026-11-23 12:00:00 UTC",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn nothing_of_a_card_becomes_markup() {
    let name = "</bdi><script>alert(1)</script><img src=x onerror='x'>&amp;\u{202E}\u{1B}[2J\"";
    let page = page(name);
    for markup in ["<script", "<img src=x", "onerror='", "\u{202E}", "\u{1B}", "</bdi><s"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&amp;amp;\u{FFFD}\u{FFFD}[2J&quot;"));
}

#[test]
fn a_page_needs_nothing_from_elsewhere_and_runs_nothing() {
    let page = page("x");
    assert!(page.contains("default-src 'none'"));
    for outside in ["http://", "https://", "url(", "@import", "<script", "<link", "<iframe", " on"]
    {
        let allowed = outside == " on" && !page.contains(" onload") && !page.contains(" onclick");
        assert!(allowed || !page.contains(outside), "{outside}");
    }
}

#[test]
fn every_tag_that_opens_is_closed() {
    let page = page("<b>");
    for tag in ["main", "header", "section", "table", "tr", "td", "th", "span", "ul", "li", "bdi"] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn json_says_the_same_in_both_languages() {
    let (outcome, context) = (outcome("Nguyễn Thị Mẫu"), context());
    let report = Report { outcome: &outcome, context: &context, created: Timestamp::UNIX_EPOCH };
    let json = report.to_json();
    assert_eq!(json["schema"], "cancuoc.report/1");
    assert_eq!(json["verdict"], "forged");
    let sod = json["checks"].as_array().unwrap().iter().find(|c| c["id"] == "pa.sod_structure");
    let sod = sod.unwrap();
    assert_eq!(sod["message"]["vi"], "đối tượng bảo mật sai cấu trúc");
    assert!(sod["advice"]["en"].as_str().unwrap().starts_with("Do not accept"));
    assert_eq!(json["document"]["dg13"]["full_name"], "Nguyễn Thị Mẫu");
    assert_eq!(json["files"].as_array().unwrap().len(), 4);
}

#[test]
fn takes_pages_and_json_only() {
    let form = |name: &str| Form::of(Path::new(name));
    assert_eq!(form("a.html"), Some(Form::Html));
    assert_eq!(form("a.HTM"), Some(Form::Html));
    assert_eq!(form("a.json"), Some(Form::Json));
    assert_eq!((form("a.pdf"), form("html")), (None, None));
}
