//! The page. Every text that comes from a card or file is escaped where it is put in: [`Html`] has no
//! other way in.

use serde_json::Value;

use super::{Both, PROGRAM, Report, advice, certificates, meaning};
use crate::cli::text::{Lang, plain};
use crate::cli::verify::show;
use crate::verify::{Check, Verdict};

const STYLE: &str = include_str!("style.css");

/// HTML that is whole: made of fixed markup and escaped text.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Fixed markup of this program.
    fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text.
    fn text(&mut self, text: &str) -> &mut Self {
        for c in plain(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A sentence in both languages, of which the page shows one or both.
    fn both(&mut self, both: &Both) -> &mut Self {
        self.raw("<span class=\"vi\" lang=\"vi\">").text(&both.vi);
        self.raw("</span><span class=\"en\" lang=\"en\">").text(&both.en).raw("</span>")
    }

    fn key(&mut self, key: &str) -> &mut Self {
        self.both(&Both::of(key))
    }

    /// Text of a card, whose direction of writing touches nothing beside it.
    fn isolated(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    fn row(&mut self, key: &str, value: &str) -> &mut Self {
        self.raw("<tr><th>").key(key).raw("</th><td>").isolated(value).raw("</td></tr>\n")
    }

    fn heading(&mut self, key: &str) -> &mut Self {
        self.raw("<h2>").key(key).raw("</h2>\n")
    }
}

/// The whole page.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut html = Html::default();
    html.raw("<!DOCTYPE html>\n<html lang=\"vi\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
    html.raw("img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width\">\n");
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.raw("<title>cancuoc</title>\n<style>\n").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    language_switch(&mut html);
    html.raw("<main>\n");
    verdict(&mut html, report);
    what_to_do(&mut html, report);
    holder(&mut html, report);
    checks(&mut html, &report.outcome.report.checks);
    inspection(&mut html, report);
    all_certificates(&mut html, report);
    files(&mut html, report);
    html.raw("<footer>").key("report.notice");
    html.raw("<p>").text(PROGRAM).raw(" · ").text(&show::seconds(&report.created.to_string()));
    html.raw("</p></footer>\n</main>\n</body>\n</html>\n");
    html.0
}

/// Both languages, or one: by style alone.
fn language_switch(html: &mut Html) {
    html.raw("<input type=\"radio\" name=\"language\" id=\"both\" checked>");
    html.raw("<label for=\"both\">Tiếng Việt + English</label>\n");
    html.raw(
        "<input type=\"radio\" name=\"language\" id=\"vi\"><label for=\"vi\">Tiếng Việt</label>\n",
    );
    html.raw(
        "<input type=\"radio\" name=\"language\" id=\"en\"><label for=\"en\">English</label>\n",
    );
}

fn verdict(html: &mut Html, report: &Report<'_>) {
    let verdict = report.verdict();
    html.raw(match verdict {
        Verdict::Genuine => "<header class=\"genuine\">",
        Verdict::Forged => "<header class=\"forged\">",
        Verdict::Inconclusive => "<header class=\"inconclusive\">",
    });
    html.raw("<h1>").key(&format!("verdict_name.{}", verdict.as_str())).raw("</h1>\n<p>");
    html.key(&format!("verdict.{}", verdict.as_str())).raw("</p>");
    // A page is printed and shown to others: what is uncertain stands where the verdict does.
    for check in report.outcome.report.warnings() {
        html.raw("<p class=\"warning\">⚠ ").both(&meaning(check.code)).raw("</p>");
    }
    html.raw("</header>\n");
}

/// The reasons of the verdict, the failed ones first.
fn what_to_do(html: &mut Html, report: &Report<'_>) {
    let checks = &report.outcome.report.checks;
    let told = |check: &&Check| !check.has_failed() && show::bears_on(check, report.verdict());
    let failed = checks.iter().filter(|check| check.has_failed());
    let reasons = failed.chain(checks.iter().filter(told));
    let reasons: Vec<_> = reasons.filter_map(|check| Some((check, advice(check.code)?))).collect();
    lacking(html, report);
    if reasons.is_empty() {
        return;
    }
    html.heading("report.what_to_do").raw("<ul class=\"reasons\">\n");
    for (check, advice) in reasons {
        html.raw("<li><strong>").both(&meaning(check.code)).raw("</strong>");
        html.raw("<p>").both(&advice).raw("</p></li>\n");
    }
    html.raw("</ul>\n");
}

/// What an inconclusive verdict lacks.
fn lacking(html: &mut Html, report: &Report<'_>) {
    let lines = |lang| show::lacking(lang, &report.outcome.report);
    let lines: Vec<_> = lines(Lang::Vi).into_iter().zip(lines(Lang::En)).collect();
    if lines.is_empty() {
        return;
    }
    html.heading("report.lacking").raw("<ul class=\"lacking\">\n");
    for (vi, en) in lines {
        html.raw("<li>").both(&Both { vi, en }).raw("</li>\n");
    }
    html.raw("</ul>\n");
}

fn holder(html: &mut Html, report: &Report<'_>) {
    let fields = show::holder_fields(&report.outcome.files);
    let portrait = report.portrait();
    if fields.is_empty() && portrait.is_none() {
        return;
    }
    html.heading("report.holder").raw("<section class=\"holder\">\n");
    if let Some(portrait) = portrait {
        html.raw("<img alt=\"\" src=\"").text(&portrait).raw("\">\n");
    }
    html.raw("<table>\n");
    for (name, value) in fields {
        match name {
            Some(name) => html.row(&format!("field.{name}"), &value),
            None => html.raw("<tr><td class=\"mrz\">").text(&value).raw("</td></tr>\n"),
        };
    }
    html.raw("</table>\n</section>\n");
}

fn checks(html: &mut Html, checks: &[Check]) {
    html.heading("report.checks").raw("<table class=\"checks\">\n<thead><tr>");
    for key in ["verify.header.check", "verify.header.result", "verify.header.reason"] {
        html.raw("<th>").key(key).raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for check in checks {
        let shown = if check.is_warning() { "warning" } else { check.status_name() };
        html.raw(match shown {
            "passed" => "<tr class=\"passed\">",
            "failed" => "<tr class=\"failed\">",
            "warning" => "<tr class=\"warning\">",
            _ => "<tr class=\"open\">",
        });
        html.raw("<td>").key(&format!("check_name.{}", check.id.as_str()));
        html.raw("<code>").text(check.id.as_str()).raw("</code></td><td>");
        html.key(&format!("check_status.{shown}")).raw("</td><td>").both(&meaning(check.code));
        html.raw("<code>").text(check.code).raw("</code>");
        let facts = facts(check);
        if !facts.is_empty() {
            html.raw("<small>").isolated(&facts).raw("</small>");
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody></table>\n");
}

/// What a check rests on, in a line.
fn facts(check: &Check) -> String {
    let value = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    let told = check.detail().iter().filter(|(_, v)| says(v));
    let facts: Vec<String> = told.map(|(name, v)| format!("{name}: {}", value(v))).collect();
    facts.join(" · ")
}

/// Policy, time, and how the card was opened.
fn inspection(html: &mut Html, report: &Report<'_>) {
    let outcome = report.outcome;
    html.heading("report.inspection").raw("<table>\n");
    html.row("report.judged_at", &show::seconds(&outcome.now.to_string()));
    html.row("report.policy", &outcome.policy);
    if let Some(access) = outcome.access_json() {
        let names = ["protocol", "mapping", "domain", "cipher", "password"];
        let parts: Vec<&str> = names.iter().filter_map(|name| access[*name].as_str()).collect();
        html.row("report.access", &parts.join(", "));
    }
    if let Some(session) = &outcome.session {
        let millis = |micros: u64| format!("{:.0} ms", micros as f64 / 1000.0);
        let (sent, received) = (session.sent_bytes, session.received_bytes);
        let wire = format!("{} APDU, {sent} + {received} B", session.apdus);
        html.row("report.wire", &wire);
        let times = format!("{} + {}", millis(session.access_micros), millis(session.read_micros));
        html.row("report.times", &times);
    }
    if let Some(evidence) = &outcome.replayed {
        let text = |name: &str| evidence[name].as_str().unwrap_or_default().to_owned();
        html.row("report.recorded_by", &text("program"));
        html.row("report.recorded_at", &show::seconds(&text("recorded_at")));
        html.raw("<tr><th>").key("report.recorded_verdict").raw("</th><td>");
        html.key(&format!("verdict_name.{}", text("recorded_verdict"))).raw("</td></tr>\n");
        if let Some(fingerprint) = evidence["signed_by"]["fingerprint"].as_str() {
            html.row("report.signed_by", fingerprint);
        }
    }
    html.raw("</table>\n");
}

fn all_certificates(html: &mut Html, report: &Report<'_>) {
    let all = certificates::all(report.outcome);
    if all.is_empty() {
        return;
    }
    html.heading("report.certificates");
    for certificate in all {
        let text = |name: &str| certificate[name].as_str().unwrap_or_default().to_owned();
        html.raw("<h3>").key(&format!("report.{}", text("kind"))).raw("</h3>\n<table>\n");
        for name in ["subject", "issuer", "serial", "key", "sha256"] {
            html.row(&format!("report.{name}"), &text(name));
        }
        let (from, until) = (text("valid_from"), text("valid_until"));
        let validity = format!("{} – {}", show::seconds(&from), show::seconds(&until));
        html.row("report.validity", &validity).raw("</table>\n");
    }
}

fn files(html: &mut Html, report: &Report<'_>) {
    html.heading("report.files").raw("<table class=\"files\">\n");
    for file in report.files() {
        html.raw("<tr><td>").text(file["name"].as_str().unwrap_or_default()).raw("</td><td>");
        if let Some(bytes) = file["bytes"].as_u64() {
            html.text(&format!("{bytes} B"));
        }
        html.raw("</td><td><code>");
        match (file["sha256"].as_str(), file["state"].as_str()) {
            (Some(hash), _) => html.text(&format!("SHA-256 {hash}")),
            (_, Some(state)) => html.key(&format!("report.file_{state}")),
            _ => &mut *html,
        };
        html.raw("</code></td></tr>\n");
    }
    html.raw("</table>\n");
}
