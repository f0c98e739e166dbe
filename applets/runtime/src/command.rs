//! Command APDUs as the card reads them (ISO/IEC 7816-3 §12.1.3).

use crate::StatusWord;

/// A command APDU.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// Class byte.
    pub cla: u8,
    /// Instruction byte.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data field.
    pub data: &'a [u8],
    /// Bytes that may be answered at most; `None` when Le is absent.
    pub ne: Option<usize>,
    /// Whether the lengths were in the extended form.
    pub extended: bool,
}

impl<'a> Command<'a> {
    /// Reads the bytes of a command APDU.
    ///
    /// # Errors
    /// 6700 when the length fields do not fit the bytes.
    pub fn parse(apdu: &'a [u8]) -> Result<Self, StatusWord> {
        let ([cla, ins, p1, p2], body) =
            apdu.split_first_chunk::<4>().ok_or(StatusWord::WRONG_LENGTH)?;
        let command = |data: &'a [u8], ne, extended| Self {
            cla: *cla,
            ins: *ins,
            p1: *p1,
            p2: *p2,
            data,
            ne,
            extended,
        };
        match body {
            [] => Ok(command(&[], None, false)),
            [le] => Ok(command(&[], Some(short_ne(*le)), false)),
            [0, high, low] => Ok(command(&[], Some(extended_ne(*high, *low)), true)),
            [0, high, low, rest @ ..] => {
                let lc = usize::from(u16::from_be_bytes([*high, *low]));
                let (data, le) = rest.split_at_checked(lc).ok_or(StatusWord::WRONG_LENGTH)?;
                match (lc, le) {
                    (1.., []) => Ok(command(data, None, true)),
                    (1.., [high, low]) => Ok(command(data, Some(extended_ne(*high, *low)), true)),
                    _ => Err(StatusWord::WRONG_LENGTH),
                }
            }
            [lc, rest @ ..] => {
                let (data, le) =
                    rest.split_at_checked(usize::from(*lc)).ok_or(StatusWord::WRONG_LENGTH)?;
                match (lc, le) {
                    (1.., []) => Ok(command(data, None, false)),
                    (1.., [le]) => Ok(command(data, Some(short_ne(*le)), false)),
                    _ => Err(StatusWord::WRONG_LENGTH),
                }
            }
        }
    }
}

fn short_ne(le: u8) -> usize {
    if le == 0 { 256 } else { usize::from(le) }
}

fn extended_ne(high: u8, low: u8) -> usize {
    match u16::from_be_bytes([high, low]) {
        0 => 65_536,
        n => usize::from(n),
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn reads_all_seven_cases() {
        let cases: [(&[u8], usize, Option<usize>, bool); 7] = [
            (&[0, 1, 2, 3], 0, None, false),
            (&[0, 1, 2, 3, 0], 0, Some(256), false),
            (&[0, 1, 2, 3, 1, 9], 1, None, false),
            (&[0, 1, 2, 3, 1, 9, 5], 1, Some(5), false),
            (&[0, 1, 2, 3, 0, 0, 0], 0, Some(65_536), true),
            (&[0, 1, 2, 3, 0, 0, 1, 9], 1, None, true),
            (&[0, 1, 2, 3, 0, 0, 1, 9, 1, 0], 1, Some(256), true),
        ];
        for (bytes, data, ne, extended) in cases {
            let c = Command::parse(bytes).ok().map(|c| (c.data.len(), c.ne, c.extended));
            assert_eq!(c, Some((data, ne, extended)), "{bytes:?}");
        }
    }

    #[test]
    fn refuses_lengths_that_do_not_fit() {
        for bytes in [
            &[0, 1, 2][..],
            &[0, 1, 2, 3, 2, 9],
            &[0, 1, 2, 3, 0, 0, 2, 9],
            &[0, 1, 2, 3, 1, 9, 0, 0],
        ] {
            assert!(Command::parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
