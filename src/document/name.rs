//! Names in the MRZ: transliteration (ICAO 9303-3 §4.1, §4.6 and §6) and truncation (9303-5 §4.2.3).
//!
//! Vietnamese names stand as surname, middle name, given name; the first word becomes the primary
//! identifier, all others the secondary one: `NGUYEN<<THI<MAU`. A record may say otherwise, for a
//! surname of two words or a name that has no surname.

use core::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::ErrorCode;

/// Characters of the name field in a TD1 document.
pub const TD1_NAME_LENGTH: usize = 30;

/// Longest name read, in characters. DG13 names are far shorter.
const MAX_CHARACTERS: usize = 400;

/// Why a name cannot be written in an MRZ. The name itself is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// No letter is left.
    #[error("the name has no letter that an MRZ could hold")]
    Empty,
    /// Longer than any name.
    #[error("the name has more than {MAX_CHARACTERS} characters")]
    TooLong,
    /// A character for which ICAO 9303-3 §6 has no transliteration.
    #[error("character {position} of the name (U+{code_point:04X}) has no MRZ transliteration")]
    Character {
        /// Position in the text, from 1.
        position: usize,
        /// The character.
        code_point: u32,
    },
}

impl ErrorCode for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "name_empty",
            Self::TooLong => "name_too_long",
            Self::Character { .. } => "name_character",
        }
    }
}

/// A name in MRZ letters, not yet cut to a field.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct MrzName {
    primary: Vec<String>,
    secondary: Vec<String>,
}

impl MrzName {
    /// Transliterates a full name in Vietnamese order: the first word is the surname.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn from_full_name(name: &str) -> Result<Self, NameError> {
        let name = name.trim();
        let (surname, rest) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
        let offset = surname.chars().count() + 1;
        let primary = components(surname, 0)?;
        let secondary = components(rest, offset)?;
        // A first word without letters, a lone hyphen say, is no surname.
        let name = if primary.is_empty() {
            Self { primary: secondary, secondary: Vec::new() }
        } else {
            Self { primary, secondary }
        };
        if name.primary.is_empty() { Err(NameError::Empty) } else { Ok(name) }
    }

    /// Transliterates a name whose parts are known. `secondary` may be empty.
    ///
    /// # Errors
    /// [`NameError`]; [`NameError::Empty`] when the primary identifier has no letter.
    pub fn from_parts(primary: &str, secondary: &str) -> Result<Self, NameError> {
        let name = Self { primary: components(primary, 0)?, secondary: components(secondary, 0)? };
        if name.primary.is_empty() { Err(NameError::Empty) } else { Ok(name) }
    }

    /// The whole name as an MRZ would hold it if there were room: `NGUYEN<<THI<MAU`.
    #[must_use]
    pub fn untruncated(&self) -> String {
        let primary = self.primary.join("<");
        if self.secondary.is_empty() {
            primary
        } else {
            format!("{primary}<<{}", self.secondary.join("<"))
        }
    }

    /// The name field of a TD1 document, without fillers at its end.
    #[must_use]
    pub fn td1(&self) -> String {
        self.fit(TD1_NAME_LENGTH)
    }

    /// The name in at most `length` characters, without fillers at its end.
    ///
    /// A name that is too long fills all positions, the last one with a letter, which marks a
    /// possible truncation. Of a long primary identifier enough is cut for `<<` and the first
    /// letter of the secondary one. Then the secondary identifier is cut; where the cut would fall
    /// on a filler, the component before it gives up a letter for the initial of the next one.
    #[must_use]
    pub fn fit(&self, length: usize) -> String {
        let whole = self.untruncated();
        if whole.len() <= length {
            return whole;
        }
        if self.secondary.is_empty() {
            return cut_components(&self.primary, length);
        }
        // At least one letter of the secondary identifier stays.
        let primary = cut_components(&self.primary, length.saturating_sub(3));
        let room = length.saturating_sub(primary.len() + 2);
        format!("{primary}<<{}", cut_components(&self.secondary, room))
    }
}

impl fmt::Debug for MrzName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzName(***)")
    }
}

/// Components joined by `<` in at most `length` characters, ending in a letter and as long as
/// that allows.
fn cut_components(components: &[String], length: usize) -> String {
    let joined = components.join("<");
    if joined.len() <= length {
        return joined;
    }
    let bytes = joined.as_bytes();
    if length == 0 || bytes.get(length - 1) != Some(&b'<') {
        return joined.get(..length).unwrap_or_default().to_owned();
    }
    // The cut would fall on a filler: make room for the initial of the next component.
    let mut shortened = components.to_vec();
    let before = joined.get(..length - 1).unwrap_or_default().split('<').count();
    let donor = shortened.iter_mut().take(before).rev().find(|component| component.len() > 1);
    match donor {
        Some(component) => {
            component.pop();
            shortened.join("<").get(..length).unwrap_or_default().to_owned()
        }
        // Initials only: nothing can be shortened, so the last position stays empty.
        None => joined.get(..length - 1).unwrap_or_default().to_owned(),
    }
}

/// The components of one identifier. `offset` characters stand before `text`.
fn components(text: &str, offset: usize) -> Result<Vec<String>, NameError> {
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        return Err(NameError::TooLong);
    }
    let mut components = vec![String::new()];
    // A diaeresis or ring that comes as a character of its own changes how the letter before it
    // is written: compose first.
    for (index, character) in text.nfc().enumerate() {
        let unknown =
            NameError::Character { position: offset + index + 1, code_point: u32::from(character) };
        match transliterate(character).ok_or(unknown)? {
            Written::Letters(letters) => {
                if let Some(last) = components.last_mut() {
                    last.push_str(&letters);
                }
            }
            Written::Separator => components.push(String::new()),
            Written::Nothing => {}
        }
    }
    components.retain(|component| !component.is_empty());
    Ok(components)
}

enum Written {
    Letters(String),
    Separator,
    Nothing,
}

/// One character of a name, in composed form (NFC) or a combining mark.
fn transliterate(character: char) -> Option<Written> {
    let written = match character {
        'A'..='Z' => Written::Letters(character.to_string()),
        'a'..='z' => Written::Letters(character.to_ascii_uppercase().to_string()),
        // Hyphens separate components, apostrophes and full stops vanish (9303-3 §4.6).
        '-' | '\u{2010}' | '\u{2011}' | ',' => Written::Separator,
        '\'' | '\u{2019}' | '\u{02BC}' | '\u{2018}' | '.' => Written::Nothing,
        _ if character.is_whitespace() => Written::Separator,
        _ if is_combining_mark(character) => Written::Nothing,
        _ => Written::Letters(letters(character)?),
    };
    Some(written)
}

/// The letters for one beyond `A` to `Z`.
fn letters(character: char) -> Option<String> {
    let mut upper = character.to_uppercase();
    // ß has no single capital letter here, and ŉ becomes two.
    let capital = upper.next().filter(|_| upper.next().is_none()).unwrap_or(character);
    if let Some(letters) = latin(capital).or_else(|| cyrillic(capital)) {
        return Some(letters.to_owned());
    }
    // All others of the table lose their marks: the letters of Vietnamese among them.
    let mut base = capital.nfd().filter(|c| !is_combining_mark(*c));
    let letter = base.next().filter(char::is_ascii_uppercase);
    letter.filter(|_| base.next().is_none()).map(String::from)
}

/// Latin letters that are not just their base letter (ICAO 9303-3 §6 A).
fn latin(capital: char) -> Option<&'static str> {
    Some(match capital {
        'Ä' | 'Æ' | 'Ǽ' => "AE",
        'Å' | 'Ǻ' => "AA",
        'Ö' | 'Ø' | 'Ǿ' | 'Œ' => "OE",
        'Ü' => "UE",
        'Ð' | 'Đ' => "D",
        'Þ' => "TH",
        'ß' | 'ẞ' => "SS",
        'Ħ' => "H",
        'ı' => "I",
        'Ĳ' => "IJ",
        'ĸ' => "Q",
        'Ŀ' | 'Ł' => "L",
        'ŉ' | 'Ŋ' => "N",
        'Ŧ' => "T",
        _ => return None,
    })
}

/// Cyrillic letters (ICAO 9303-3 §6 B, without the exceptions of single languages).
fn cyrillic(capital: char) -> Option<&'static str> {
    Some(match capital {
        'А' => "A",
        'Б' => "B",
        'В' => "V",
        'Г' | 'Ѓ' | 'Ґ' => "G",
        'Д' | 'Ђ' => "D",
        'Е' | 'Ё' | 'Э' => "E",
        'Ж' => "ZH",
        'З' => "Z",
        'И' | 'І' | 'Й' | 'Ї' => "I",
        'К' | 'Ќ' => "K",
        'Л' => "L",
        'М' => "M",
        'Н' => "N",
        'О' => "O",
        'П' => "P",
        'Р' => "R",
        'С' => "S",
        'Т' => "T",
        'У' | 'Ў' => "U",
        'Ф' => "F",
        'Х' => "KH",
        'Ц' => "TS",
        'Ч' => "CH",
        'Ш' => "SH",
        'Щ' => "SHCH",
        'Ъ' | 'Є' => "IE",
        'Ы' => "Y",
        'Ю' => "IU",
        'Я' => "IA",
        'Ѕ' | 'Џ' => "DZ",
        'Ј' => "J",
        'Љ' => "LJ",
        'Њ' => "NJ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn td1(name: &str) -> String {
        MrzName::from_full_name(name).unwrap().td1()
    }

    #[test]
    fn writes_surname_middle_and_given_name() {
        assert_eq!(td1("Nguyễn Thị Mẫu"), "NGUYEN<<THI<MAU");
        assert_eq!(td1("Trần Văn Mẫu"), "TRAN<<VAN<MAU");
    }

    #[test]
    fn knows_every_letter_of_vietnamese() {
        let vowels = [
            ("aàảãáạăằẳẵắặâầẩẫấậ", 'A'),
            ("eèẻẽéẹêềểễếệ", 'E'),
            ("iìỉĩíị", 'I'),
            ("oòỏõóọôồổỗốộơờởỡớợ", 'O'),
            ("uùủũúụưừửữứự", 'U'),
            ("yỳỷỹýỵ", 'Y'),
            ("dđ", 'D'),
        ];
        for (letters, base) in vowels {
            for letter in letters.chars() {
                for form in [letter.to_string(), letter.to_uppercase().to_string()] {
                    assert_eq!(td1(&form), base.to_string(), "{letter}");
                    assert_eq!(td1(&form.nfd().collect::<String>()), base.to_string(), "{letter}");
                }
            }
        }
    }

    #[test]
    fn writes_a_name_of_one_word_as_primary_identifier() {
        assert_eq!(td1("Đức"), "DUC");
    }

    #[test]
    fn lets_a_record_say_what_the_surname_is() {
        let name = MrzName::from_parts("Tôn Nữ", "Thị Mẫu").unwrap();
        assert_eq!(name.td1(), "TON<NU<<THI<MAU");
    }

    #[test]
    fn separates_at_hyphens_and_joins_at_apostrophes() {
        assert_eq!(td1("Niê H'Mẫu Y-Đăm"), "NIE<<HMAU<Y<DAM");
        assert_eq!(td1("Ksor H’Lan"), "KSOR<<HLAN");
    }

    #[test]
    fn writes_letters_of_other_languages_by_the_icao_tables() {
        assert_eq!(td1("Müller Jörg Åse"), "MUELLER<<JOERG<AASE");
        assert_eq!(td1("Weiß Łukasz Þór Ñuño"), "WEISS<<LUKASZ<THOR<NUNO");
        assert_eq!(td1("Щербаков Юрий"), "SHCHERBAKOV<<IURII");
    }

    #[test]
    fn composes_before_it_looks_a_letter_up() {
        assert_eq!(td1("Mu\u{308}ller"), "MUELLER");
    }

    #[test]
    fn says_which_character_cannot_be_written() {
        let error = NameError::Character { position: 10, code_point: 0x31 };
        assert_eq!(MrzName::from_full_name("Trần Văn 1"), Err(error));
        let error = NameError::Character { position: 1, code_point: 0x9673 };
        assert_eq!(MrzName::from_full_name("陳"), Err(error));
    }

    #[test]
    fn refuses_a_name_without_letters() {
        for name in ["", "  ", "-", "' '"] {
            assert_eq!(MrzName::from_full_name(name), Err(NameError::Empty), "{name:?}");
        }
    }

    #[test]
    fn cuts_a_long_secondary_identifier_at_the_last_position() {
        let name = MrzName::from_parts("Nguyen", "Hoang Thi Phuong Thao Nguyen").unwrap();
        assert_eq!(name.td1(), "NGUYEN<<HOANG<THI<PHUONG<THA<N");
    }

    #[test]
    fn leaves_room_for_an_initial_after_a_long_primary_identifier() {
        let name = MrzName::from_parts("Bennelong Wooloomooloo Warrandyte", "Dingo").unwrap();
        assert_eq!(name.td1(), "BENNELONG<WOOLOOMOOLOO<WARR<<D");
    }

    #[test]
    fn keeps_a_name_that_fills_the_field_exactly() {
        let name = MrzName::from_parts("NGUYENNGUYENNGUYEN", "PHUONGTHAO").unwrap();
        assert_eq!(name.td1(), "NGUYENNGUYENNGUYEN<<PHUONGTHAO");
    }

    proptest! {
        #[test]
        fn never_panics_and_writes_mrz_characters_only(name in "\\PC{0,60}", length in 0usize..50) {
            if let Ok(name) = MrzName::from_full_name(&name) {
                let written = name.fit(length);
                prop_assert!(written.len() <= length.max(3));
                prop_assert!(written.bytes().all(|b| b.is_ascii_uppercase() || b == b'<'));
            }
        }

        #[test]
        fn ends_a_truncated_name_with_a_letter_in_the_last_position(
            primary in "[A-Z]{1,12}( [A-Z]{1,12}){0,3}", secondary in "[A-Z]{2,12}( [A-Z]{1,12}){0,5}"
        ) {
            let name = MrzName::from_parts(&primary, &secondary).unwrap();
            let written = name.td1();
            let whole = name.untruncated();
            if whole.len() <= 30 {
                prop_assert_eq!(written, whole);
            } else {
                prop_assert!(!written.ends_with('<') && !written.contains("<<<"));
                prop_assert_eq!(written.matches("<<").count(), 1);
                // Shorter only when the primary identifier was nothing but initials.
                let initials = primary.split(' ').all(|c| c.len() == 1);
                prop_assert!(written.len() == 30 || initials || written.len() == 29, "{}", written);
            }
        }

        #[test]
        fn composed_and_decomposed_names_are_written_alike(name in "[a-zàảãáạăằẳẵắặâầẩẫấậđéêếệịơờớưừỹÄÖÜÅñ]{1,10} [a-zàảãáạăằẳẵắặâầẩẫấậđéêếệịơờớưừỹ]{1,10}") {
            let nfd: String = name.nfd().collect();
            prop_assert_eq!(MrzName::from_full_name(&name), MrzName::from_full_name(&nfd));
        }
    }
}
