//! Keystrokes of a document scanner, or of a person, become what opens a card.
//!
//! A scanner with a keyboard wedge types what it sees and presses Enter: an MRZ in three lines, in
//! two (passports), or in one; the text of a QR code; digits. Two Enters in a row, a tabulator for
//! Enter, symbology identifiers (`]Q1`, ISO/IEC 15424) and small letters are what scanners do too.

use std::time::Duration;

use zeroize::Zeroizing;

use super::given::{Given, GivenError, MAX_TEXT};
use crate::document::mrz::MrzFormat;

/// How long the first lines of an MRZ wait for the rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a line that was ended means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Nothing: an empty line.
    Nothing,
    /// A line of an MRZ whose other lines are still to come.
    More,
    /// A whole thing that opens a card.
    Given(Given),
    /// The answer to a question was yes.
    Agree,
    /// The answer to a question was no.
    Refuse,
    /// A text that opens no card.
    Wrong(GivenError),
}

/// Collects keystrokes.
#[derive(Debug, Default)]
pub struct Wedge {
    line: Zeroizing<String>,
    characters: usize,
    overflow: bool,
    /// Lines of an MRZ that have come so far.
    lines: Vec<Zeroizing<String>>,
    last: Duration,
}

impl Wedge {
    /// A character was typed. Control characters but the tabulator count for nothing.
    pub fn character(&mut self, character: char, now: Duration) -> Typed {
        if character == '\t' {
            return if self.characters == 0 { Typed::Nothing } else { self.enter(now) };
        }
        if character.is_control() {
            return Typed::Nothing;
        }
        if self.line.len() + character.len_utf8() > MAX_TEXT {
            self.overflow = true;
        } else {
            if self.line.capacity() == 0 {
                // Reserved at once: growing would leave copies behind that nobody wipes.
                self.line.reserve_exact(MAX_TEXT);
            }
            self.line.push(character);
            self.characters += 1;
        }
        Typed::Nothing
    }

    /// Takes the last character of the line back.
    pub fn backspace(&mut self) {
        if self.line.pop().is_some() {
            self.characters -= 1;
        }
    }

    /// The line was ended.
    pub fn enter(&mut self, now: Duration) -> Typed {
        let overflow = std::mem::take(&mut self.overflow);
        let line = std::mem::take(&mut self.line);
        self.characters = 0;
        if overflow {
            self.lines.clear();
            return Typed::Wrong(GivenError::TooLong);
        }
        self.line(&line, now)
    }

    /// A whole line came, from whatever reads lines.
    pub fn line(&mut self, text: &str, now: Duration) -> Typed {
        self.expire(now);
        if text.len() > MAX_TEXT {
            self.lines.clear();
            return Typed::Wrong(GivenError::TooLong);
        }
        let text = clean(text);
        if text.is_empty() {
            return Typed::Nothing;
        }
        if let Some(answer) = answer(text) {
            return answer;
        }
        let length = text.len();
        match MrzFormat::ALL.iter().find(|format| format.line_length() == length && is_mrz(text)) {
            Some(format) => self.mrz_line(text, *format, now),
            None => {
                self.lines.clear();
                Given::parse(text).map_or_else(Typed::Wrong, Typed::Given)
            }
        }
    }

    fn mrz_line(&mut self, text: &str, format: MrzFormat, now: Duration) -> Typed {
        if self.lines.first().is_some_and(|first| first.len() != text.len()) {
            self.lines.clear();
        }
        self.lines.push(Zeroizing::new(text.to_owned()));
        self.last = now;
        if self.lines.len() * format.line_length() < format.length() {
            return Typed::More;
        }
        let lines = std::mem::take(&mut self.lines);
        Given::parse_lines(&lines).map_or_else(Typed::Wrong, Typed::Given)
    }

    /// Forgets lines of an MRZ whose rest does not come.
    pub fn expire(&mut self, now: Duration) {
        if now.saturating_sub(self.last) > PATIENCE {
            self.lines.clear();
        }
    }

    /// Forgets everything typed.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Characters of the line that is being typed.
    #[must_use]
    pub const fn characters(&self) -> usize {
        self.characters
    }

    /// Lines of an MRZ that have come.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.len()
    }
}

/// The text without white space around it, and without a symbology identifier before it.
fn clean(text: &str) -> &str {
    let text = text.trim_start_matches('\u{FEFF}').trim_matches(|c: char| {
        // Group separators and the like are wrapped around by some scanners.
        c.is_whitespace() || c.is_control()
    });
    match text.strip_prefix(']') {
        Some(rest) => rest.get(2..).unwrap_or_default(),
        None => text,
    }
}

fn is_mrz(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'<')
}

fn answer(text: &str) -> Option<Typed> {
    // Longer than any of the words: nothing that opens a card is put into lower case here.
    if text.len() > 16 {
        return None;
    }
    match text.to_lowercase().as_str() {
        "ok" | "y" | "yes" | "có" | "co" | "đồng ý" | "dong y" => Some(Typed::Agree),
        "n" | "no" | "không" | "khong" => Some(Typed::Refuse),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: [&str; 3] = [
        "IDVNM2000000185001200000018<<6",
        "0001018F4001016VNM<<<<<<<<<<<0",
        "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<",
    ];
    const QR: &str = "001200000018||Nguyễn Thị Mẫu|01012000|Nữ|Hà Nội|01072021";
    const NOW: Duration = Duration::ZERO;

    fn type_in(wedge: &mut Wedge, text: &str) -> Vec<Typed> {
        let mut out = Vec::new();
        for character in text.chars() {
            let typed = match character {
                '\r' | '\n' => wedge.enter(NOW),
                other => wedge.character(other, NOW),
            };
            out.extend((typed != Typed::Nothing).then_some(typed));
        }
        out
    }

    fn kind(typed: &Typed) -> &'static str {
        match typed {
            Typed::Given(given) => given.kind(),
            Typed::More => "more",
            _ => "other",
        }
    }

    #[test]
    fn takes_an_mrz_in_three_lines_and_in_one() {
        let mut wedge = Wedge::default();
        let typed = type_in(&mut wedge, &format!("{}\r", LINES.join("\r")));
        assert_eq!(typed.iter().map(kind).collect::<Vec<_>>(), ["more", "more", "mrz"]);
        let typed = type_in(&mut wedge, &format!("{}\n", LINES.concat()));
        assert_eq!(typed.iter().map(kind).collect::<Vec<_>>(), ["mrz"]);
    }

    #[test]
    fn takes_an_mrz_in_two_lines() {
        let mut wedge = Wedge::default();
        let td3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                   L898902C36UTO7408122F1204159ZE184226B<<<<<10\n";
        let typed = type_in(&mut wedge, td3);
        assert_eq!(typed.iter().map(kind).collect::<Vec<_>>(), ["more", "mrz"]);
    }

    #[test]
    fn takes_what_scanners_add() {
        let mut wedge = Wedge::default();
        // Carriage return and line feed both, a tabulator for Enter, small letters, identifiers.
        let typed = type_in(&mut wedge, &format!("{}\r\n", LINES.join("\r\n").to_lowercase()));
        assert_eq!(typed.last().map(kind), Some("mrz"));
        let typed = type_in(&mut wedge, &format!("]Q1{QR}\t"));
        assert_eq!(typed.iter().map(kind).collect::<Vec<_>>(), ["qr"]);
        let typed = type_in(&mut wedge, "\u{1D}000018\r");
        assert_eq!(typed.iter().map(kind).collect::<Vec<_>>(), ["can"]);
    }

    #[test]
    fn takes_characters_back() {
        let mut wedge = Wedge::default();
        type_in(&mut wedge, "0000189");
        wedge.backspace();
        assert_eq!((wedge.characters(), kind(&wedge.enter(NOW))), (6, "can"));
        wedge.backspace();
        assert_eq!(wedge.characters(), 0);
    }

    #[test]
    fn takes_answers_in_both_languages() {
        let mut wedge = Wedge::default();
        assert_eq!(
            type_in(&mut wedge, "ok\rĐồng ý\rKhông\r"),
            [Typed::Agree, Typed::Agree, Typed::Refuse]
        );
    }

    #[test]
    fn forgets_lines_whose_rest_does_not_come() {
        let mut wedge = Wedge::default();
        type_in(&mut wedge, &format!("{}\r{}\r", LINES[0], LINES[1]));
        let late = PATIENCE + Duration::from_secs(1);
        assert_eq!(wedge.line(LINES[2], late), Typed::More);
        assert_eq!(wedge.lines(), 1);
    }

    #[test]
    fn begins_anew_when_something_else_comes_between() {
        let mut wedge = Wedge::default();
        let typed = type_in(&mut wedge, &format!("{}\r000018\r{}\r", LINES[0], LINES.join("\r")));
        let kinds: Vec<_> = typed.iter().map(kind).collect();
        assert_eq!(kinds, ["more", "can", "more", "more", "mrz"]);
    }

    #[test]
    fn refuses_a_line_without_end() {
        let mut wedge = Wedge::default();
        type_in(&mut wedge, &"<".repeat(2 * MAX_TEXT));
        assert_eq!(wedge.enter(NOW), Typed::Wrong(GivenError::TooLong));
        assert_eq!(type_in(&mut wedge, "000018\r").iter().map(kind).collect::<Vec<_>>(), ["can"]);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_keeps_more_than_a_text(keys in prop::collection::vec(any::<char>(), 0..400)) {
            let mut wedge = Wedge::default();
            for key in keys {
                match key {
                    '\r' => { wedge.enter(NOW); }
                    '\u{8}' => wedge.backspace(),
                    other => { wedge.character(other, NOW); }
                }
                prop_assert!(wedge.line.len() <= MAX_TEXT && wedge.lines.len() < 3);
                prop_assert_eq!(wedge.characters(), wedge.line.chars().count());
            }
        }

        #[test]
        fn takes_a_card_whatever_was_typed_before(noise in "[ -~]{0,40}") {
            let mut wedge = Wedge::default();
            type_in(&mut wedge, &noise);
            wedge.clear();
            let typed = type_in(&mut wedge, &format!("{}\r", LINES.join("\r")));
            prop_assert_eq!(typed.last().map(kind), Some("mrz"));
        }
    }
}
