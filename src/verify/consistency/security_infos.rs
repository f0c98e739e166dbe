//! What the card announces in EF.CardAccess, and what its issuer signed of it in DG14 and
//! EF.CardSecurity (ICAO 9303-11 §9.2.9 to §9.2.11). The order of the infos means nothing.

use crate::lds::{
    CardSecurity, ChipAuthenticationPublicKeyInfo, LdsError, PublicKey, SecurityInfo,
    SecurityInfoKind, SecurityInfos, security_infos_of_dg14,
};
use crate::terminal::pace::PaceParameters;
use crate::verify::{Check, CheckId, ChipEvidence, Evidence};

/// EF.CardAccess is not protected: what it offers must stand in DG14 too, and it must not hide a
/// variant of PACE that DG14 has.
pub(super) fn card_access_dg14(
    card_access: Option<&[u8]>,
    dg14: Option<&[u8]>,
    chip: &ChipEvidence,
) -> Check {
    let id = CheckId::ConsistencyCardAccessDg14;
    let decode = |bytes| SecurityInfos::decode("EF.CardAccess", bytes);
    let (access, signed) = match (card_access, dg14) {
        (Some(access), Some(signed)) => (decode(access), security_infos_of_dg14(signed)),
        // The card was opened by BAC: it had no EF.CardAccess, or nobody asked for it.
        (None, Some(signed)) if chip.used_bac() => {
            (Ok(SecurityInfos::default()), security_infos_of_dg14(signed))
        }
        _ => return Check::skipped(id, "file_not_read"),
    };
    let (access, signed) = match both(access, signed) {
        Ok(parsed) => parsed,
        Err(error) => return malformed(id, &error),
    };
    if chip.used_bac() && signed.pace().next().is_some() {
        // BAC is used only where the card offers no PACE: here somebody took the offer away.
        let evidence = Evidence::new("signed", names(signed.infos.iter().filter(|i| is_pace(i))))
            .and("announced", names(access.infos.iter().filter(|i| is_pace(i))));
        return Check::failed(id, "pace_dropped_to_bac", evidence);
    }
    compare(id, &access, &signed)
}

/// EF.CardSecurity must say of PACE what EF.CardAccess and DG14 say, and its keys must not
/// contradict those of DG14.
pub(super) fn card_security(
    card_security: Option<&CardSecurity>,
    card_access: Option<&[u8]>,
    dg14: Option<&[u8]>,
) -> Check {
    let id = CheckId::ConsistencyCardSecurity;
    let Some(card_security) = card_security else { return Check::skipped(id, "file_not_read") };
    let signed = &card_security.infos;
    if let Some(bytes) = card_access {
        let check = match SecurityInfos::decode("EF.CardAccess", bytes) {
            Ok(access) => compare(id, &access, signed),
            Err(error) => malformed(id, &error),
        };
        if !check.has_passed() {
            return check;
        }
    }
    let Some(bytes) = dg14 else {
        return Check::passed(id, Evidence::new("infos", signed.infos.len()));
    };
    let dg14 = match security_infos_of_dg14(bytes) {
        Ok(dg14) => dg14,
        Err(error) => return malformed(id, &error),
    };
    let in_one: Vec<_> = signed.infos.iter().filter(|i| is_pace(i) && !has(&dg14, i)).collect();
    let in_other: Vec<_> = dg14.infos.iter().filter(|i| is_pace(i) && !has(signed, i)).collect();
    if !in_one.is_empty() || !in_other.is_empty() {
        let evidence = Evidence::new("only_in_card_security", names(in_one))
            .and("only_in_dg14", names(in_other));
        return Check::failed(id, "card_security_differs_from_dg14", evidence);
    }
    // Two keys under one identifier, or both without: one of the files is another card's.
    let other_keys = keys(&dg14);
    let differs = keys(signed).iter().any(|(info, key)| {
        let mut same_id = other_keys
            .iter()
            .filter(|(other, _)| (other.agreement, &other.key_id) == (info.agreement, &info.key_id))
            .peekable();
        same_id.peek().is_some() && !same_id.any(|(_, other)| other == key)
    });
    if differs {
        let evidence = Evidence::new("files", ["EF.CardSecurity", "EF.DG14"].to_vec());
        return Check::failed(id, "card_security_key_differs", evidence);
    }
    Check::passed(id, Evidence::new("infos", signed.infos.len()))
}

/// The keys of Chip Authentication, each as what can be compared, however a file tells its group: by
/// name, by number, or by all its numbers, as DG14 must (ICAO 9303-11 §9.2, §9.5.2) and many an
/// EF.CardSecurity does not. A key that cannot be read is its bytes.
fn keys(
    infos: &SecurityInfos,
) -> Vec<(&ChipAuthenticationPublicKeyInfo, Result<PublicKey, &[u8]>)> {
    let read = |info: &'_ ChipAuthenticationPublicKeyInfo| PublicKey::from_spki_der(&info.spki);
    let key = |info| (info, read(info).map(|(key, _)| key).map_err(|_| info.spki.as_slice()));
    infos.chip_authentication_keys().map(key).collect()
}

/// Compares what is announced with what is signed.
fn compare(id: CheckId, access: &SecurityInfos, signed: &SecurityInfos) -> Check {
    let unsigned: Vec<_> = access.infos.iter().filter(|i| !has(signed, i)).collect();
    let hidden: Vec<_> = signed.infos.iter().filter(|i| is_pace(i) && !has(access, i)).collect();
    let fail = |code, facts| Check::failed(id, code, facts);
    if is_weaker(access, signed) {
        let facts = Evidence::new("hidden", names(hidden)).and("unsigned", names(unsigned));
        return fail("card_access_weaker_than_signed", facts);
    }
    let changed = |info: &&&SecurityInfo| hidden.iter().any(|signed| signed.oid == info.oid);
    if unsigned.iter().any(|info| changed(&info)) {
        return fail("card_access_changed", Evidence::new("protocols", names(unsigned)));
    }
    if !unsigned.is_empty() {
        return fail("card_access_not_signed", Evidence::new("protocols", names(unsigned)));
    }
    if !hidden.is_empty() {
        return fail("card_access_hides_pace", Evidence::new("protocols", names(hidden)));
    }
    Check::passed(id, Evidence::new("infos", access.infos.len()))
}

/// Whether the strongest PACE that is announced is weaker than the strongest that is signed: what
/// somebody in between changes to have a weaker one used.
fn is_weaker(access: &SecurityInfos, signed: &SecurityInfos) -> bool {
    let rank = |infos| PaceParameters::select(infos).ok().map(|parameters| parameters.rank());
    rank(access) < rank(signed)
}

fn has(infos: &SecurityInfos, wanted: &SecurityInfo) -> bool {
    infos.infos.iter().any(|info| info.raw() == wanted.raw())
}

fn is_pace(info: &SecurityInfo) -> bool {
    matches!(info.kind, SecurityInfoKind::Pace(_) | SecurityInfoKind::PaceDomainParameters(_))
}

fn names<'a>(infos: impl IntoIterator<Item = &'a SecurityInfo>) -> Vec<String> {
    infos.into_iter().map(|info| info.oid.to_string()).collect()
}

fn both(
    access: Result<SecurityInfos, LdsError>,
    signed: Result<SecurityInfos, LdsError>,
) -> Result<(SecurityInfos, SecurityInfos), LdsError> {
    Ok((access?, signed?))
}

fn malformed(id: CheckId, error: &LdsError) -> Check {
    let evidence = Evidence::new("error", error.to_string());
    Check::failed(id, "security_infos_malformed", evidence)
}

#[cfg(test)]
mod tests;
