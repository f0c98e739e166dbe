//! Files that hold several objects in PEM (RFC 7468).

/// The contents of the first `most` PEM blocks in a text, whatever their labels. A block that is not
/// well-formed is passed over.
#[must_use]
pub fn pem_blocks(text: &str, most: usize) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    for rest in text.split("-----BEGIN ").skip(1).take(most) {
        let Some((block, after)) = rest.split_once("-----END ") else { continue };
        let end = after.split("-----").next().unwrap_or_default();
        let block = format!("-----BEGIN {block}-----END {end}-----\n");
        blocks.extend(der::pem::decode_vec(block.as_bytes()).ok().map(|(_, bytes)| bytes));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "text\n-----BEGIN A-----\nAQI=\n-----END A-----\n\
                       -----BEGIN B-----\nAw==\n-----END B-----\n";

    #[test]
    fn takes_as_many_blocks_as_it_may() {
        assert_eq!(pem_blocks(TWO, 9), [vec![1, 2], vec![3]]);
        assert_eq!(pem_blocks(TWO, 1), [vec![1, 2]]);
    }

    #[test]
    fn passes_over_what_is_no_block() {
        let text = format!("-----BEGIN A-----\n!\n-----END A-----\n{TWO}-----BEGIN C-----\nAQ==");
        assert_eq!(pem_blocks(&text, 9), [vec![1, 2], vec![3]]);
    }
}
