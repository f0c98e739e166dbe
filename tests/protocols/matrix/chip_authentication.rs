//! Chip Authentication: domain parameters, cipher, and which of the two ways of commands.

use cancuoc::lds::{SecurityInfoKind, SecurityInfos};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::chip_authentication::{ChipAuthentication, ChipAuthenticationParameters};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::{DomainParameters, GroupSecret};

use super::{Table, label, standardised};
use crate::cards::{personalised, random};
use crate::chips::{
    CIPHERS, agreement, bac_image, chip_info, chip_key, chip_public_key, open_by_bac, prove_chip,
    read_com,
};

/// By MSE:Set KAT; by MSE:Set AT and GENERAL AUTHENTICATE; the only key, which has no identifier
/// and no ChipAuthenticationInfo.
const COLUMNS: [&str; 6] =
    ["KAT 3DES", "AT 3DES", "AT AES-128", "AT AES-192", "AT AES-256", "no info"];

pub fn fill(table: &mut Table) {
    table.part("Chip Authentication, a key each", COLUMNS.map(str::to_owned), |table| {
        for parameters in standardised() {
            table.row(label(&parameters));
            let mut card = Card::with_a_key_for_each_cipher(&parameters);
            let kat = card.run(BlockCipher::Tdes);
            let marks = [kat, card.run_by_set_at(BlockCipher::Tdes)];
            let marks = marks.into_iter().chain(
                CIPHERS.into_iter().filter(|c| *c != BlockCipher::Tdes).map(|c| card.run(c)),
            );
            for result in marks.collect::<Vec<_>>() {
                let mark = table.run("ok", result);
                table.cell(mark);
            }
            let mark = table.run("ok", Card::without_info(&parameters).run(BlockCipher::Tdes));
            table.cell(mark);
        }
    });
}

struct Card {
    card: SoftCard,
    /// What DG14 says.
    infos: SecurityInfos,
}

impl Card {
    fn with_a_key_for_each_cipher(parameters: &DomainParameters) -> Self {
        let mut image = bac_image();
        let mut infos = Vec::new();
        for (cipher, id) in CIPHERS.into_iter().zip(1..) {
            let key = GroupSecret::random(parameters, &mut random());
            infos.push(chip_info(agreement(parameters), cipher, Some(id)));
            infos.push(chip_public_key(&key.public_element(), Some(id)));
            image.chip_authentication.push(chip_key(&key, cipher, Some(id)));
        }
        Self { card: personalised(&image), infos: SecurityInfos::from_kinds(infos) }
    }

    fn without_info(parameters: &DomainParameters) -> Self {
        let mut image = bac_image();
        let key = GroupSecret::random(parameters, &mut random());
        image.chip_authentication.push(chip_key(&key, BlockCipher::Tdes, None));
        let infos = [chip_public_key(&key.public_element(), None)];
        Self { card: personalised(&image), infos: SecurityInfos::from_kinds(infos) }
    }

    /// What the reader makes of the key for this cipher.
    fn parameters(&self, cipher: BlockCipher) -> Result<ChipAuthenticationParameters, String> {
        let keys = self.infos.infos.iter().filter_map(|info| match &info.kind {
            SecurityInfoKind::ChipAuthenticationPublicKey(key) => Some(key),
            _ => None,
        });
        let mut found = keys
            .filter_map(|key| ChipAuthenticationParameters::of_key(&self.infos, key).ok())
            .flatten();
        found.find(|found| found.cipher == cipher).ok_or("no such key".to_owned())
    }

    fn run(&mut self, cipher: BlockCipher) -> Result<u64, String> {
        let parameters = self.parameters(cipher)?;
        self.card.power_on();
        let mut session = open_by_bac(&mut self.card).map_err(|error| error.to_string())?;
        prove_chip(&mut session, parameters)?;
        Ok(session.counters().apdus)
    }

    fn run_by_set_at(&mut self, cipher: BlockCipher) -> Result<u64, String> {
        let parameters = self.parameters(cipher)?;
        let key = parameters.card_key.clone();
        self.card.power_on();
        let mut session = open_by_bac(&mut self.card).map_err(|error| error.to_string())?;
        let mut protocol = ChipAuthentication::new(parameters, &mut random()).by_set_at();
        let pending = session.run_chained(&mut protocol).map_err(|error| error.to_string())?;
        session.start_secure_messaging(pending.session_keys().map_err(|e| e.to_string())?);
        read_com(&mut session)?;
        let evidence = pending.confirm(&session).ok_or("no answer under the new keys")?;
        let proven = evidence.proves_possession_of(&key);
        if proven { Ok(session.counters().apdus) } else { Err("not proven".to_owned()) }
    }
}
