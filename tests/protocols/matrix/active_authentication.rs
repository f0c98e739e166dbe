//! Active Authentication: key and hash.

use cancuoc::issue::{AccessRule, ActiveAuthenticationKey};
use cancuoc::lds::{PublicKey, decode_dg15, encode_dg15};
use cancuoc::terminal::active_authentication::authenticate_actively;
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;

use super::Table;
use crate::cards::rsa_keys::{SIZES, rsa_key};
use crate::cards::{personalised, random};
use crate::chips::{bac_image, file, open_by_bac, read};

pub fn fill(table: &mut Table) {
    let columns = HashAlgorithm::ALL.map(|hash| hash.name().to_owned());
    table.part("Active Authentication", columns, |table| {
        for curve in Curve::ALL {
            let key = SecretScalar::random(curve, &mut random());
            table.row(format!("ECDSA {}", curve.name()));
            for hash in HashAlgorithm::ALL {
                let key = ActiveAuthenticationKey::Ecdsa { key: key.clone(), hash };
                let mark = table.run("ok", run(key, hash));
                table.cell(mark);
            }
        }
        for bits in SIZES {
            let key = rsa_key(bits);
            table.row(format!("RSA {bits}"));
            for hash in HashAlgorithm::ALL {
                let key = ActiveAuthenticationKey::Rsa { key: key.clone(), hash };
                let mark = table.run("ok", run(key, hash));
                table.cell(mark);
            }
        }
    });
}

/// ecdsa-plain-SHA1 to ecdsa-plain-SHA512 (BSI TR-03111 §5.2.1.1): with RSA the signature tells
/// the hash.
fn announced(hash: HashAlgorithm) -> ObjectIdentifier {
    let arc = HashAlgorithm::ALL.into_iter().position(|known| known == hash).unwrap() + 1;
    ObjectIdentifier::new(&format!("0.4.0.127.0.7.1.1.4.1.{arc}")).unwrap()
}

fn run(key: ActiveAuthenticationKey, hash: HashAlgorithm) -> Result<u64, String> {
    let mut image = bac_image();
    let public = match &key {
        ActiveAuthenticationKey::Ecdsa { key, .. } => PublicKey::Ec(key.public_point()),
        ActiveAuthenticationKey::Rsa { key, .. } => PublicKey::Rsa(key.public_key()),
    };
    let algorithm = matches!(public, PublicKey::Ec(_)).then(|| announced(hash));
    let dg15 = encode_dg15(&public);
    image.files.push(file(0x010F, AccessRule::AfterAccessControl, dg15.clone()));
    image.active_authentication = Some(key);
    let mut session = open_by_bac(personalised(&image)).map_err(|error| error.to_string())?;
    session.allow_extended_length(true);
    let read = read(&mut session, 0x010F).map_err(|error| error.to_string())?;
    let content = read.content().filter(|content| **content == dg15).ok_or("DG15")?;
    let key = decode_dg15(content).map_err(|error| error.to_string())?;
    let evidence = authenticate_actively(&mut session, &key, &mut random());
    let evidence = evidence.map_err(|error| error.to_string())?;
    let used = evidence.verify(&key, algorithm).map_err(|error| error.to_string())?;
    if used == hash { Ok(session.counters().apdus) } else { Err(format!("signed with {used:?}")) }
}
