//! BER-TLV data objects as the card reads and writes them.
