//! How long a command to this card through this reader may be.

use crate::issue::{CardImage, Location};
use crate::lds::AtrInfo;

/// The longest command data of a short APDU.
pub const SHORT_DATA: usize = 255;
/// Header, extended Lc and extended Le of a command APDU.
const EXTENDED_OVERHEAD: usize = 4 + 3 + 2;
/// The longest command data that any APDU carries.
const MAX_DATA: usize = 65_535;

/// The longest protected command data: of an extended APDU where reader and card take one, else of
/// a short one. A card tells by its ATR that it takes extended length; EF.ATR/INFO, which is part
/// of the image that the card's type determines, tells how much.
#[must_use]
pub fn longest_data(atr: &[u8], reader: usize, image: Option<&CardImage>) -> usize {
    if !announces_extended_length(atr) {
        return SHORT_DATA;
    }
    let card = image
        .and_then(|image| image.file(Location::MasterFile, 0x2F01))
        .and_then(|file| AtrInfo::decode(&file.content).ok())
        .and_then(|info| info.max_command_length)
        .map_or(usize::MAX, |length| length as usize);
    reader.min(card).saturating_sub(EXTENDED_OVERHEAD).clamp(SHORT_DATA, MAX_DATA)
}

/// Whether the historical bytes of an answer to reset say that the card takes extended Lc and Le
/// (ISO/IEC 7816-4 §8.1.1, third software function table).
#[must_use]
pub fn announces_extended_length(atr: &[u8]) -> bool {
    let capabilities = historical_bytes(atr).and_then(card_capabilities);
    capabilities.is_some_and(|bytes| bytes.get(2).is_some_and(|third| third & 0x40 != 0))
}

/// The historical bytes of an answer to reset (ISO/IEC 7816-3 §8.2).
fn historical_bytes(atr: &[u8]) -> Option<&[u8]> {
    let format = *atr.get(1)?;
    let count = usize::from(format & 0x0F);
    let mut indicator = format >> 4;
    let mut at = 2usize;
    // At most 32 characters: the loop ends with the input.
    while indicator != 0 {
        let present = indicator.count_ones() as usize;
        let next = if indicator & 0x8 != 0 { *atr.get(at + present - 1)? >> 4 } else { 0 };
        at += present;
        indicator = next;
    }
    atr.get(at..at + count)
}

/// Card capabilities, compact data object 7x, in historical bytes of category 80 or 00.
fn card_capabilities(historical: &[u8]) -> Option<&[u8]> {
    let (category, mut rest) = historical.split_first()?;
    match category {
        0x80 => {}
        0x00 => rest = rest.get(..rest.len().checked_sub(3)?)?,
        _ => return None,
    }
    while let Some((head, tail)) = rest.split_first() {
        let length = usize::from(head & 0x0F);
        let value = tail.get(..length)?;
        if head >> 4 == 0x7 {
            return Some(value);
        }
        rest = tail.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globalplatform::image::tests::image;
    use crate::issue::{AccessRule, ImageFile};
    use hex_literal::hex;
    use proptest::prelude::*;

    // T=1, historical bytes 80 73 C0 21 C0 (card capabilities with extended length), check byte.
    const EXTENDED: [u8; 10] = hex!("3B 85 80 01 80 73 C0 21 C0 D7");

    #[test]
    fn finds_extended_length_behind_interface_bytes() {
        assert!(announces_extended_length(&EXTENDED));
        // A JCOP sample's ATR: TA1, TD1, TD2, TA3, TB3 and text.
        assert!(!announces_extended_length(&hex!("3BFA1300008131FE454A434F503431563233319A")));
        assert!(!announces_extended_length(&hex!("3B 85 80 01 80 73 C0 21 80 97")));
        assert!(!announces_extended_length(&[]));
    }

    #[test]
    fn takes_the_smallest_of_what_reader_and_card_say() {
        let mut image = image();
        assert_eq!(longest_data(&[0x3B, 0], 65_544, Some(&image)), 255);
        assert_eq!(longest_data(&EXTENDED, 65_544, Some(&image)), 65_535);
        assert_eq!(longest_data(&EXTENDED, 261, Some(&image)), 255);
        let mut content = hex!("7F66 08 0202 0800 0202 0800").to_vec();
        content[2] = 8;
        image.files.push(ImageFile {
            location: Location::MasterFile,
            fid: 0x2F01,
            sfi: Some(1),
            access: AccessRule::Always,
            content,
        });
        assert_eq!(longest_data(&EXTENDED, 65_544, Some(&image)), 2048 - 9);
    }

    proptest! {
        #[test]
        fn reads_any_answer_to_reset(atr in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = announces_extended_length(&atr);
        }
    }
}
