//! Commands with places in them: `63 04 size:2 fid`, `62( 04( mrz.number ) )`.

use zeroize::Zeroizing;

use super::PersoError;
use crate::apdu::tlv::{self, Tag};

/// The most words of a template.
const MAX_WORDS: usize = 64;
/// How deep objects may stand in each other.
const MAX_DEPTH: usize = 6;

/// Something that the image of a card has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    MrzNumber,
    MrzBirth,
    MrzExpiry,
    MrzKey,
    Can,
    Modulus,
    Exponent,
    ActiveScalar,
    ChipScalar,
}

impl Value {
    const ALL: [Self; 9] = [
        Self::MrzNumber,
        Self::MrzBirth,
        Self::MrzExpiry,
        Self::MrzKey,
        Self::Can,
        Self::Modulus,
        Self::Exponent,
        Self::ActiveScalar,
        Self::ChipScalar,
    ];

    /// How it is written in a template.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MrzNumber => "mrz.number",
            Self::MrzBirth => "mrz.birth",
            Self::MrzExpiry => "mrz.expiry",
            Self::MrzKey => "mrz.key",
            Self::Can => "can",
            Self::Modulus => "aa.modulus",
            Self::Exponent => "aa.exponent",
            Self::ActiveScalar => "aa.scalar",
            Self::ChipScalar => "ca.scalar",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.name() == name)
    }

    /// What a command may be left out without.
    pub(super) fn condition(name: &str) -> Option<Self> {
        match name {
            "mrz" => Some(Self::MrzKey),
            "can" => Some(Self::Can),
            "aa.rsa" => Some(Self::Modulus),
            "aa.ecdsa" => Some(Self::ActiveScalar),
            "ca" => Some(Self::ChipScalar),
            _ => None,
        }
    }
}

/// A part of a file as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) fid: u16,
    pub(super) sfi: u8,
    pub(super) size: usize,
    pub(super) offset: usize,
    pub(super) content: &'a [u8],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Bytes(Vec<u8>),
    Value(Value),
    FileIdentifier,
    ShortIdentifier,
    Size(usize),
    Offset(usize),
    Content,
    Object(u32, Vec<Word>),
}

/// Bytes with places in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Template(Vec<Word>);

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() > MAX_WORDS {
            return Err("too many words".to_owned());
        }
        let mut rest = words.as_slice();
        let parsed = parse_words(&mut rest, 0)?;
        if rest.is_empty() { Ok(Self(parsed)) } else { Err(") without (".to_owned()) }
    }

    /// Its length, where it does not depend on values.
    pub(super) fn fixed_length(&self) -> Option<usize> {
        let lengths = self.0.iter().map(|word| match word {
            Word::Bytes(bytes) => Some(bytes.len()),
            Word::FileIdentifier => Some(2),
            Word::ShortIdentifier => Some(1),
            Word::Size(length) | Word::Offset(length) => Some(*length),
            Word::Value(_) | Word::Content | Word::Object(..) => None,
        });
        lengths.sum()
    }

    /// Whether it names a file.
    pub(super) fn is_of_file(&self) -> bool {
        self.any(&|word| !matches!(word, Word::Bytes(_) | Word::Value(_) | Word::Object(..)))
    }

    /// Whether it carries content, so that the command is sent for each part of a file.
    pub(super) fn has_content(&self) -> bool {
        self.any(&|word| matches!(word, Word::Content))
    }

    /// The values that it writes.
    pub(super) fn values(&self) -> Vec<Value> {
        fn collect(words: &[Word], found: &mut Vec<Value>) {
            for word in words {
                match word {
                    Word::Value(value) => found.push(*value),
                    Word::Object(_, inner) => collect(inner, found),
                    _ => {}
                }
            }
        }
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found
    }

    fn any(&self, wanted: &dyn Fn(&Word) -> bool) -> bool {
        fn search(words: &[Word], wanted: &dyn Fn(&Word) -> bool) -> bool {
            words.iter().any(|word| match word {
                Word::Object(_, inner) => search(inner, wanted),
                word => wanted(word),
            })
        }
        search(&self.0, wanted)
    }

    /// The bytes, with `values` and a part of a file in their places.
    pub(super) fn fill(
        &self,
        values: &dyn Fn(Value) -> Option<Zeroizing<Vec<u8>>>,
        part: Option<Part<'_>>,
    ) -> Result<Zeroizing<Vec<u8>>, PersoError> {
        fill(&self.0, values, part)
    }
}

fn parse_words(rest: &mut &[&str], depth: usize) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    while let Some((word, behind)) = rest.split_first() {
        if *word == ")" {
            return Ok(words);
        }
        *rest = behind;
        let Some(tag) = word.strip_suffix('(') else {
            words.push(parse_word(word)?);
            continue;
        };
        if depth == MAX_DEPTH {
            return Err("objects stand too deep in each other".to_owned());
        }
        let tag = parse_tag(tag).ok_or_else(|| format!("{tag:?} is no tag"))?;
        let inner = parse_words(rest, depth + 1)?;
        *rest = match rest.split_first() {
            Some((_, behind)) => behind,
            None => return Err("( without )".to_owned()),
        };
        words.push(Word::Object(tag, inner));
    }
    Ok(words)
}

/// A tag of one or two bytes.
fn parse_tag(text: &str) -> Option<u32> {
    match hex::decode(text).ok()?.as_slice() {
        [tag] if tag & 0x1F != 0x1F && *tag != 0 => Some(u32::from(*tag)),
        [first, second] if first & 0x1F == 0x1F && *second > 0x1E && *second < 0x80 => {
            Some(u32::from(u16::from_be_bytes([*first, *second])))
        }
        _ => None,
    }
}

fn parse_word(word: &str) -> Result<Word, String> {
    let wrong = || format!("{word:?} is neither bytes in hexadecimal nor a place");
    let number = |text: &str| text.parse().ok().filter(|length| (1..=4).contains(length));
    if let Some(length) = word.strip_prefix("size:") {
        return number(length).map(Word::Size).ok_or_else(wrong);
    }
    if let Some(length) = word.strip_prefix("offset:") {
        return number(length).map(Word::Offset).ok_or_else(wrong);
    }
    match word {
        "fid" => return Ok(Word::FileIdentifier),
        "sfi" => return Ok(Word::ShortIdentifier),
        "content" => return Ok(Word::Content),
        _ => {}
    }
    if let Some(value) = Value::from_name(word) {
        return Ok(Word::Value(value));
    }
    hex::decode(word).map(Word::Bytes).map_err(|_| wrong())
}

fn fill(
    words: &[Word],
    values: &dyn Fn(Value) -> Option<Zeroizing<Vec<u8>>>,
    part: Option<Part<'_>>,
) -> Result<Zeroizing<Vec<u8>>, PersoError> {
    let mut out = Zeroizing::new(Vec::with_capacity(256));
    for word in words {
        match (word, part) {
            (Word::Bytes(bytes), _) => out.extend_from_slice(bytes),
            (Word::Value(value), _) => {
                let what = value.name();
                let value = values(*value).ok_or(PersoError::Absent { what })?;
                out.extend_from_slice(&value);
            }
            (Word::Object(tag, inner), _) => {
                let inner = fill(inner, values, part)?;
                out.extend_from_slice(&Zeroizing::new(tlv::encode(Tag(*tag), &inner)));
            }
            (Word::FileIdentifier, Some(part)) => out.extend(part.fid.to_be_bytes()),
            (Word::ShortIdentifier, Some(part)) => out.push(part.sfi),
            (Word::Size(length), Some(part)) => number(&mut out, part.size, *length, "size")?,
            (Word::Offset(length), Some(part)) => number(&mut out, part.offset, *length, "offset")?,
            (Word::Content, Some(part)) => out.extend_from_slice(part.content),
            // Only commands of files name files; their parts are always there.
            (_, None) => return Err(PersoError::Absent { what: "file" }),
        }
    }
    Ok(out)
}

fn number(
    out: &mut Vec<u8>,
    value: usize,
    length: usize,
    what: &'static str,
) -> Result<(), PersoError> {
    let bytes = (value as u64).to_be_bytes();
    let (head, tail) = bytes.split_at(bytes.len() - length);
    if head.iter().any(|byte| *byte != 0) {
        return Err(PersoError::DoesNotFit { what });
    }
    out.extend_from_slice(tail);
    Ok(())
}
