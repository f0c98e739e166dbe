//! The files to inspect: read under a limit, and taken out of PEM or hexadecimal text.

use std::io::Read;
use std::path::Path;

use super::Failure;
use crate::lds::{definite_lengths, pem_blocks};

/// The largest file that is read: the whole directory of ICAO has some 80 MB.
const MAX_LENGTH: u64 = 256 << 20;
/// Most PEM blocks in one file.
const MAX_BLOCKS: usize = 1_000;

/// How the bytes stood in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Binary,
    Pem,
    Hexadecimal,
    /// In BER's indefinite lengths, given definite ones.
    Ber,
}

impl Form {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Pem => "pem",
            Self::Hexadecimal => "hexadecimal",
            Self::Ber => "ber",
        }
    }
}

/// Something to inspect.
pub(super) struct Input {
    /// Path as given, with the number of the block where a file has several.
    pub name: String,
    pub form: Form,
    pub bytes: Vec<u8>,
}

/// Reads a file, `-` for standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Input>, Failure> {
    let mut bytes = Vec::new();
    let limit = MAX_LENGTH + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::file(path, &error))?;
    if bytes.len() as u64 > MAX_LENGTH {
        let error = std::io::Error::other("longer than 256 MiB");
        return Err(Failure::file(path, &error));
    }
    Ok(unwrap(&path.display().to_string(), bytes))
}

fn unwrap(name: &str, bytes: Vec<u8>) -> Vec<Input> {
    if let Some(text) = std::str::from_utf8(&bytes).ok().map(str::trim) {
        let blocks = pem_blocks(text, MAX_BLOCKS);
        if let [block] = &blocks[..] {
            return vec![Input { name: name.into(), form: Form::Pem, bytes: block.clone() }];
        }
        if !blocks.is_empty() {
            let numbered = blocks.into_iter().enumerate();
            let input =
                |(n, bytes)| Input { name: format!("{name}#{}", n + 1), form: Form::Pem, bytes };
            return numbered.map(input).collect();
        }
        let digits: String = text.split_whitespace().collect();
        if digits.len() >= 4
            && let Ok(bytes) = hex::decode(&digits)
        {
            return vec![Input { name: name.into(), form: Form::Hexadecimal, bytes }];
        }
    }
    if let (&[0x30, 0x80, ..], Ok(definite)) = (&bytes[..], definite_lengths("file", &bytes)) {
        return vec![Input { name: name.into(), form: Form::Ber, bytes: definite.into_owned() }];
    }
    vec![Input { name: name.into(), form: Form::Binary, bytes }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_block_out_of_a_pem_file() {
        let text = "text\n-----BEGIN A-----\nAQI=\n-----END A-----\n-----BEGIN B-----\nAw==\n-----END B-----\n";
        let inputs = unwrap("x.pem", text.into());
        let found: Vec<_> = inputs.iter().map(|i| (i.name.as_str(), &i.bytes[..])).collect();
        assert_eq!(found, [("x.pem#1", &[1, 2][..]), ("x.pem#2", &[3][..])]);
    }

    #[test]
    fn reads_hexadecimal_text() {
        let inputs = unwrap("x", b"6D 02\n0500\n".to_vec());
        assert_eq!(
            (inputs[0].form, &inputs[0].bytes[..]),
            (Form::Hexadecimal, &[0x6D, 2, 5, 0][..])
        );
    }

    #[test]
    fn leaves_other_bytes_as_they_are() {
        let inputs = unwrap("x", vec![0x60, 0, 0xFF]);
        assert_eq!((inputs[0].form, &inputs[0].bytes[..]), (Form::Binary, &[0x60, 0, 0xFF][..]));
    }
}
