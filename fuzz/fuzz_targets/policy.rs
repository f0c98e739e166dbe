//! Policies of verifiers: no panic, and one that is taken keeps the bounds of a policy.
#![no_main]

use cancuoc::verify::Policy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(policy) = Policy::from_toml(text) else { return };
    let (access, issuer) = (&policy.access, &policy.passive_authentication);
    let (chip, active) = (&policy.chip_authentication, &policy.active_authentication);
    assert!(!access.pace_mappings.is_empty() && !access.pace_ciphers.is_empty());
    assert!(!issuer.signature_hashes.is_empty() && !issuer.data_group_hashes.is_empty());
    for bits in [
        access.minimum_dh_bits,
        issuer.minimum_rsa_bits,
        chip.minimum_dh_bits,
        active.minimum_rsa_bits,
    ] {
        assert!((1024..=16_384).contains(&bits));
    }
    let accepted = &policy.verdict.chip_proofs;
    assert!(policy.verdict.required_chip_proofs.iter().all(|proof| accepted.contains(proof)));
});
