//! Terminal Authentication: keys and hash of the chain of certificates.

use std::sync::Arc;

use cancuoc::cvc::TaAlgorithm;
use cancuoc::lds::SignatureAlgorithm;
use cancuoc::terminal::chip_authentication::ChipAuthenticationParameters;
use cancuoc::terminal::public_key::compress_public_key;
use cancuoc::terminal::terminal_authentication::{TerminalBinding, authenticate_terminal};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;

use super::{Table, UNDEFINED};
use crate::authorities::{Chain, Key, ec_key};
use crate::cards::random;
use crate::cards::rsa_keys::{RsaSigner, rsa_key};
use crate::chips::{DOCUMENT_NUMBER, EacCard, content, open_by_bac, prove_chip, read};

/// Sizes of RSA keys in BSI TR-03110-3 §A.6.4.
const RSA_SIZES: [usize; 5] = [1024, 1280, 1536, 2048, 3072];

pub fn fill(table: &mut Table) {
    let columns = HashAlgorithm::ALL.map(|hash| hash.name().to_owned());
    table.part("Terminal Authentication", columns, |table| {
        for curve in Curve::ALL {
            table.row(format!("ECDSA {}", curve.name()));
            for hash in HashAlgorithm::ALL {
                let mark = table.run("ok", run(|| ec_key(curve, hash)));
                table.cell(mark);
            }
        }
        for bits in RSA_SIZES {
            let pkcs1 = SignatureAlgorithm::RsaPkcs1;
            let pss = |hash: HashAlgorithm| SignatureAlgorithm::RsaPss {
                hash,
                salt_len: hash.output_len(),
            };
            table.row(format!("RSA {bits} v1.5"));
            rsa_row(table, bits, pkcs1);
            table.row(format!("RSA {bits} PSS"));
            rsa_row(table, bits, pss);
        }
    });
}

fn rsa_row(table: &mut Table, bits: usize, of: impl Fn(HashAlgorithm) -> SignatureAlgorithm) {
    for hash in HashAlgorithm::ALL {
        let algorithm = of(hash);
        // PSS needs room for hash, salt and two bytes (RFC 8017 §9.1.1).
        let fits = match algorithm {
            SignatureAlgorithm::RsaPss { .. } => 2 * hash.output_len() + 2 <= bits / 8,
            _ => true,
        };
        let known = TaAlgorithm::from_signature_algorithm(algorithm).and_then(TaAlgorithm::oid);
        if known.is_none() || !fits {
            table.cell(UNDEFINED);
            continue;
        }
        let key: Key = Arc::new(RsaSigner { key: rsa_key(bits), algorithm });
        let mark = table.run("ok", run(|| key.clone()));
        table.cell(mark);
    }
}

fn run(key: impl FnMut() -> Key) -> Result<u64, String> {
    let chain = Chain::new(key);
    let EacCard { card, infos } = EacCard::trusting(&chain.cvca);
    let parameters = ChipAuthenticationParameters::select(&infos).map_err(|e| e.to_string())?;
    let mut session = open_by_bac(card).map_err(|error| error.to_string())?;
    let evidence = prove_chip(&mut session, parameters.ok_or("no key")?)?;
    let binding = TerminalBinding {
        chip_identifier: DOCUMENT_NUMBER.as_bytes().to_vec(),
        terminal_key: compress_public_key(&evidence.terminal_public_key()),
    };
    let trusted = [chain.cvca.reference().clone()];
    let credentials = chain.credentials();
    authenticate_terminal(&mut session, &credentials, &trusted, binding, &mut random())
        .map_err(|error| error.to_string())?;
    for number in [3, 4] {
        let read = read(&mut session, 0x0100 | u16::from(number));
        let read = read.map_err(|error| error.to_string())?;
        if read.content() != Some(&content(number)) {
            return Err(format!("DG{number}: {read:?}"));
        }
    }
    Ok(session.counters().apdus)
}
