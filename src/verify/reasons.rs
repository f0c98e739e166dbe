//! Every reason code that a check can have, and what whoever stands at the card does about it.
//!
//! The sentences stand in `i18n/`: `check.CODE` says what a reason means; `check_hint.CODE`, or else
//! `advice.NAME`, what to do. The tables in `docs/` are made from this list.

use Advice::{
    AskIssuer, Consequence, Copied, Forged, Nothing, Own, Policy, ReadAgain, Surface, Unsupported,
};

/// What to do about a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing: it is no fault.
    Nothing,
    /// Look at the reasons of the other checks: this one follows from them.
    Consequence,
    /// Keep the card and follow the procedure for forged documents.
    Forged,
    /// The same: it is a copy.
    Copied,
    /// The issuer did not keep the rules, or it was not the issuer: ask.
    AskIssuer,
    /// The policy decides.
    Policy,
    /// This program cannot check it.
    Unsupported,
    /// Read the card once more.
    ReadAgain,
    /// Compare what was typed or scanned with the card.
    Surface,
    /// What the sentence of this very reason says.
    Own,
}

impl Advice {
    /// Key of its sentence in the catalogue.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Nothing => "advice.nothing",
            Self::Consequence => "advice.consequence",
            Self::Forged => "advice.forged",
            Self::Copied => "advice.copy",
            Self::AskIssuer => "advice.ask_issuer",
            Self::Policy => "advice.policy",
            Self::Unsupported => "advice.unsupported",
            Self::ReadAgain => "advice.read_again",
            Self::Surface => "advice.surface",
            Self::Own => "advice.own",
        }
    }
}

/// A reason code and what to do about it.
pub type Reason = (&'static str, Advice);

/// All reasons in groups, each with the key of its heading.
pub const REASONS: &[(&str, &[Reason])] = &[
    (
        "reason_group.none",
        &[
            ("ok", Nothing),
            ("not_used", Nothing),
            ("no_chip", Own),
            ("not_offered", Nothing),
            ("not_asked", Nothing),
            ("not_given", Nothing),
            ("file_not_read", Consequence),
        ],
    ),
    (
        "reason_group.chip",
        &[
            ("pace_not_offered", Own),
            ("key_not_bound", Own),
            ("chip_key_compromised", Own),
            ("protocol_unsupported", Unsupported),
            ("chip_authentication_failed", Own),
            ("active_authentication_failed", Own),
            ("aa_signature_length", Copied),
            ("aa_signature_invalid", Copied),
            ("aa_key_length", Copied),
            ("aa_recovered_header", Copied),
            ("aa_recovered_trailer", Copied),
            ("aa_hash_not_announced", AskIssuer),
            ("aa_key_algorithm", AskIssuer),
            ("aa_algorithm_unknown", Unsupported),
            ("card_security_not_read", ReadAgain),
            ("cam_key_of_no_document", Own),
            ("cam_key_domain", Copied),
            ("cam_data_invalid", Copied),
            ("cam_key_mismatch", Copied),
            ("terminal_not_accepted", Own),
        ],
    ),
    (
        "reason_group.signature",
        &[
            ("sod_missing", Forged),
            ("sod_malformed", Forged),
            ("sod_unusable", Consequence),
            ("sod_content_type", Forged),
            ("sod_no_signer", Forged),
            ("sod_several_signers", Forged),
            ("lds_object_malformed", Forged),
            ("lds_object_version", Forged),
            ("hash_algorithm_unsupported", Unsupported),
            ("algorithm_broken", Forged),
            ("dg_number_invalid", Forged),
            ("dg_number_repeated", Forged),
            ("dg_hash_length", Forged),
            ("dg1_not_signed", Forged),
            ("digest_algorithm_unsupported", Unsupported),
            ("digest_algorithm_mismatch", Forged),
            ("signed_attributes_missing", Forged),
            ("signed_attributes_malformed", Forged),
            ("content_type_mismatch", Forged),
            ("message_digest_mismatch", Forged),
            ("message_digest_missing", Forged),
            ("signature_invalid", Forged),
            ("signature_malformed", Forged),
            ("signature_out_of_range", Forged),
            ("signature_key_mismatch", Forged),
            ("signature_algorithm_unsupported", Unsupported),
            ("pss_parameters_unsupported", Forged),
            ("algorithm_malformed", Forged),
            ("trailing_bytes", Own),
        ],
    ),
    (
        "reason_group.certificates",
        &[
            ("ds_certificate_not_found", Forged),
            ("ds_certificate_ambiguous", Forged),
            ("no_ds_certificate", Consequence),
            ("certificate_malformed", Forged),
            ("public_key_malformed", Forged),
            ("public_key_algorithm_unsupported", Unsupported),
            ("curve_unsupported", Unsupported),
            ("explicit_parameters_unknown", Forged),
            ("domain_parameters_unknown", Forged),
            ("prime_field_invalid", Forged),
            ("public_key_number_invalid", Forged),
            ("public_key_point_invalid", Forged),
            ("rsa_key_invalid", Forged),
            ("ds_not_yet_valid", Own),
            ("ds_expired_at_signing", Own),
            ("ds_expired", Own),
            ("outside_key_usage_period", AskIssuer),
            ("signed_in_the_future", Own),
            ("csca_unknown", Own),
            ("csca_signature_invalid", Own),
            ("csca_of_other_country", Forged),
            ("issuing_state_mismatch", Forged),
            ("csca_not_valid_at_issue", AskIssuer),
            ("path_too_long", Forged),
            ("no_trusted_csca", Consequence),
            ("crl_missing", Own),
            ("crl_signature_invalid", Own),
            ("crl_expired", Own),
            ("crl_partial", Own),
            ("ds_revoked", Own),
            ("ds_revoked_by_defect_list", Own),
            ("certificate_not_v3", AskIssuer),
            ("serial_number_not_positive_or_too_long", AskIssuer),
            ("signature_algorithms_differ", Forged),
            ("issuer_and_subject_country_differ", AskIssuer),
            ("unknown_critical_extension", AskIssuer),
            ("extended_key_usage_not_allowed", Forged),
            ("extension_malformed", Forged),
            ("extension_repeated", AskIssuer),
            ("private_key_usage_period_missing", AskIssuer),
            ("key_usage_missing", AskIssuer),
            ("key_usage_without_cert_sign", Forged),
            ("basic_constraints_not_as_profiled", AskIssuer),
            ("not_a_ca", Forged),
            ("subject_key_identifier_missing", AskIssuer),
            ("document_signer_may_sign_certificates", Forged),
            ("key_usage_not_critical", AskIssuer),
            ("key_usage_without_digital_signature", Forged),
            ("document_signer_is_a_ca", Forged),
            ("authority_key_identifier_missing", AskIssuer),
        ],
    ),
    (
        "reason_group.data",
        &[
            ("dg_hash_mismatch", Own),
            ("dg_not_in_sod", Own),
            ("dg_missing", Forged),
            ("dg_denied", Forged),
            ("dg_unreadable", ReadAgain),
            ("com_malformed", Forged),
            ("com_hides_data_group", Forged),
            ("com_lists_unsigned", Forged),
            ("lds_version_mismatch", Forged),
            ("security_infos_malformed", Forged),
            ("card_access_not_signed", Forged),
            ("card_access_hides_pace", Forged),
            ("card_access_changed", Forged),
            ("card_access_weaker_than_signed", Own),
            ("pace_dropped_to_bac", Own),
            ("card_security_malformed", Forged),
            ("card_security_differs_from_dg14", Forged),
            ("card_security_key_differs", Forged),
            ("dg13_not_decoded", Unsupported),
            ("dg13_irregular", AskIssuer),
            ("dg1_dg13_differ", Forged),
            ("not_comparable", Own),
            ("mrz_not_decoded", Consequence),
            ("mrz_differs", Surface),
            ("number_differs", Surface),
            ("qr_differs", Surface),
            ("qr_name_spelling", Own),
            ("mrz_malformed", Forged),
            ("mrz_check_digit", Forged),
            ("mrz_impossible_date", Forged),
            ("mrz_numbers_differ", Forged),
            ("mrz_irregular", AskIssuer),
            ("birth_in_future", Own),
            ("issue_in_future", Own),
            ("document_expired", Own),
            ("expiry_malformed", Forged),
            ("dg2_malformed", Own),
            ("biometric_format_unknown", Own),
            ("face_record_malformed", Own),
            ("portrait_not_decodable", Own),
            ("portrait_missing", Own),
        ],
    ),
    (
        "reason_group.evidence",
        &[
            ("recorded", Own),
            ("recorded_hashes", Own),
            ("proof_left_out", Own),
            ("evidence_not_signed", Own),
            ("evidence_signer_unknown", Own),
            ("evidence_policy_own", Own),
        ],
    ),
    (
        "reason_group.policy",
        &[
            ("policy_bac", Policy),
            ("policy_pace_mapping", Policy),
            ("policy_pace_key_agreement", Policy),
            ("policy_pace_cipher", Policy),
            ("policy_pace_domain_parameters", Policy),
            ("policy_signature_hash", Policy),
            ("policy_certificate_hash", Policy),
            ("policy_data_group_hash", Policy),
            ("policy_ds_key", Policy),
            ("policy_csca_key", Policy),
            ("policy_ca_key_agreement", Policy),
            ("policy_ca_cipher", Policy),
            ("policy_ca_domain_parameters", Policy),
            ("policy_aa_algorithm", Policy),
            ("policy_aa_hash", Policy),
            ("policy_aa_key", Policy),
        ],
    ),
];

/// What to do about a reason code; nothing where there is no such code.
#[must_use]
pub fn find(code: &str) -> Option<Reason> {
    REASONS.iter().flat_map(|(_, reasons)| reasons.iter()).find(|(c, _)| *c == code).copied()
}
