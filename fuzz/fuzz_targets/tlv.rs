//! BER-TLV data objects, nested as deep as any parser follows them.
#![no_main]

use cancuoc::apdu::tlv::{MAX_DEPTH, Reader};

fn walk(mut reader: Reader<'_>, depth: usize) {
    while let Ok(Some(tlv)) = reader.read_optional() {
        if tlv.tag.is_constructed() && depth < MAX_DEPTH {
            walk(tlv.children(), depth + 1);
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| walk(Reader::new(data), 0));
