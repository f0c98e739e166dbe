//! The files of the page, which are part of the program.

use std::collections::HashSet;

/// A file that is served as it is.
pub(super) struct Asset {
    pub path: &'static str,
    pub media_type: &'static str,
    pub text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All but the page itself, which is made for a language.
pub(super) const ASSETS: [Asset; 5] = [
    Asset { path: "/page.js", media_type: SCRIPT, text: include_str!("page/page.js") },
    Asset { path: "/lane.js", media_type: SCRIPT, text: include_str!("page/lane.js") },
    Asset { path: "/link.js", media_type: SCRIPT, text: include_str!("page/link.js") },
    Asset {
        path: "/page.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("page/page.css"),
    },
    Asset { path: "/icon.svg", media_type: "image/svg+xml", text: include_str!("page/icon.svg") },
];

const INDEX: &str = include_str!("page/index.html");

/// A text in both languages, each with its language tag: the one that stands first, then the other.
pub type Words = [(&'static str, String); 2];

/// The page with its texts: `{{key}}` becomes the text in both languages, `{{=key}}` the first one
/// alone, for attributes; `{{lang}}` is the tag of the first language.
#[must_use]
pub fn index(first: &'static str, words: impl Fn(&str) -> Words) -> String {
    let mut page = String::with_capacity(2 * INDEX.len());
    let mut rest = INDEX;
    while let Some((before, (key, after))) =
        rest.split_once("{{").and_then(|(b, r)| Some((b, r.split_once("}}")?)))
    {
        page.push_str(before);
        match key.strip_prefix('=') {
            _ if key == "lang" => page.push_str(first),
            Some(key) => {
                let [(_, text), _] = words(key);
                page.push_str(&escape(&text));
            }
            None => {
                let [one, two] = words(key);
                for ((lang, text), class) in [(one, "first"), (two, "second")] {
                    page.push_str(&format!(r#"<span class="{class}" lang="{lang}">"#));
                    page.push_str(&escape(&text));
                    page.push_str("</span> ");
                }
            }
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// The keys of the texts that the page has.
#[must_use]
pub fn index_keys() -> HashSet<&'static str> {
    let keys = INDEX.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0));
    keys.map(|key| key.trim_start_matches('=')).filter(|key| *key != "lang").collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_its_texts_in_both_languages_and_escaped() {
        let page = index("vi", |key| [("vi", format!("<{key}>")), ("en", key.to_owned())]);
        assert!(!page.contains("{{"));
        assert!(page.contains(r#"<html lang="vi">"#));
        let both = r#"<span class="first" lang="vi">&lt;checkpoint.title&gt;</span> <span class="second" lang="en">checkpoint.title</span>"#;
        assert!(page.contains(both), "{page}");
    }

    #[test]
    fn nothing_stands_in_line_and_nothing_comes_from_elsewhere() {
        let texts = ASSETS.iter().map(|asset| asset.text).chain([INDEX]);
        for text in texts {
            for word in
                ["style=", " onclick", " onload", "javascript:", "innerHTML", "eval(", "//cdn"]
            {
                assert!(!text.contains(word), "{word}");
            }
            // The names of XML's vocabularies are no places.
            let places = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!places.contains("http:") && !places.contains("https:"));
        }
        for script in INDEX.split("<script").skip(1) {
            assert!(script.contains(r#" src="/"#) && script.contains("></script>"), "{script}");
        }
    }
}
