//! PACE: mapping, domain parameters, cipher, password.

use cancuoc::document::AccessKeys;
use cancuoc::issue::{CardImage, ChipAuthenticationKey, ChipKeyUse, PaceConfiguration};
use cancuoc::lds::{Mapping, PaceInfo, PaceProtocol, SecurityInfoKind};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::pace::{PaceFilter, verify_cam};
use cancuoc::terminal::{AccessPlan, Session, open_card};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::{DomainParameters, GroupSecret};

use super::{Table, UNDEFINED, label, standardised};
use crate::cards::{personalised, random};
use crate::chips::{
    CIPHERS, agreement, bac_image, card_access, chip_key, keys, public_key, read_com,
};

const MAPPINGS: [Mapping; 3] = [Mapping::Generic, Mapping::Integrated, Mapping::ChipAuthentication];
/// MRZ, CAN, PIN, PUK.
const PASSWORDS: [&str; 4] = ["M", "C", "I", "U"];
/// Its prime is 1 modulo 4, which the point encoding of Integrated Mapping cannot take.
const P224: u8 = 10;

pub fn fill(table: &mut Table) {
    let columns = CIPHERS.map(|cipher| cipher.name().to_owned());
    table.part("PACE by M(RZ) C(AN) P(I)N P(U)K", columns, |table| {
        for parameters in standardised() {
            let mut card = Card::over(&parameters);
            for mapping in MAPPINGS {
                if mapping == Mapping::ChipAuthentication && !parameters.is_ec() {
                    continue;
                }
                table.row(format!("{:<4}{}", mapping.name(), label(&parameters)));
                for cipher in CIPHERS {
                    cell(table, &mut card, mapping, cipher);
                }
            }
        }
    });
}

/// Whether ICAO 9303-11 has the variant (§4.4.3.3.2, §4.4.3.3.3, §9.2.7).
fn is_defined(parameters: &DomainParameters, mapping: Mapping, cipher: BlockCipher) -> bool {
    match mapping {
        Mapping::Generic => true,
        Mapping::Integrated => parameters.id() != Some(P224),
        Mapping::ChipAuthentication => parameters.is_ec() && cipher != BlockCipher::Tdes,
    }
}

fn cell(table: &mut Table, card: &mut Card, mapping: Mapping, cipher: BlockCipher) {
    if !is_defined(&card.parameters, mapping, cipher) {
        return table.cell(UNDEFINED);
    }
    let protocol = PaceProtocol { agreement: agreement(&card.parameters), mapping, cipher };
    let marks = PASSWORDS.map(|password| table.run(password, card.run(protocol, password)));
    table.cell(marks.concat());
}

/// A card with every variant over one set of domain parameters and every password.
struct Card {
    card: SoftCard,
    parameters: DomainParameters,
    static_key: GroupSecret,
}

impl Card {
    fn over(parameters: &DomainParameters) -> Self {
        let id = parameters.id().unwrap();
        let static_key = GroupSecret::random(parameters, &mut random());
        let variants = MAPPINGS.into_iter().flat_map(|m| CIPHERS.map(|c| (m, c)));
        let protocols: Vec<PaceProtocol> = variants
            .filter(|(mapping, cipher)| is_defined(parameters, *mapping, *cipher))
            .map(|(mapping, cipher)| PaceProtocol {
                agreement: agreement(parameters),
                mapping,
                cipher,
            })
            .collect();
        let info = |protocol: &PaceProtocol| {
            let parameter_id = Some(u32::from(id));
            SecurityInfoKind::Pace(PaceInfo { protocol: *protocol, version: 2, parameter_id })
        };
        let configuration = |protocol: &PaceProtocol| PaceConfiguration {
            protocol: protocol.oid(),
            domain_parameter_id: id,
        };
        let mut image = bac_image();
        image.files.push(card_access(protocols.iter().map(info)));
        let AccessKeys { can, pin, puk, .. } = keys();
        let image = CardImage {
            can,
            pin: pin.map(|pin| (pin, 3)),
            puk: puk.map(|puk| (puk, 10)),
            pace: protocols.iter().map(configuration).collect(),
            chip_authentication: vec![ChipAuthenticationKey {
                uses: ChipKeyUse { chip_authentication: !parameters.is_ec(), pace_cam: true },
                ..chip_key(&static_key, BlockCipher::Aes128, Some(id))
            }],
            ..image
        };
        Self { card: personalised(&image), parameters: parameters.clone(), static_key }
    }

    fn run(&mut self, protocol: PaceProtocol, password: &str) -> Result<u64, String> {
        let AccessKeys { can, mrz, pin, puk } = keys();
        let keys = match password {
            "M" => AccessKeys { mrz, ..AccessKeys::default() },
            "C" => AccessKeys { can, ..AccessKeys::default() },
            "I" => AccessKeys { pin, ..AccessKeys::default() },
            _ => AccessKeys { puk, ..AccessKeys::default() },
        };
        let mut plan = AccessPlan::pace(keys);
        plan.pace.filter = Some(PaceFilter::new(move |info, _| {
            if info.protocol == protocol { Ok(()) } else { Err("another".to_owned()) }
        }));
        self.card.power_on();
        let mut session = Session::new(&mut self.card);
        let outcome =
            open_card(&mut session, &plan, &mut random()).map_err(|error| error.to_string())?;
        let ran = outcome.pace.ok_or("no PACE")?;
        if (ran.protocol, &ran.domain) != (protocol, &self.parameters) {
            return Err(format!("another variant ran: {ran:?}"));
        }
        if protocol.mapping == Mapping::ChipAuthentication {
            let evidence = outcome.chip_authentication_mapping.ok_or("no evidence")?;
            let key = public_key(&self.static_key.public_element());
            verify_cam(&evidence, &key).map_err(|error| error.to_string())?;
        }
        read_com(&mut session)?;
        Ok(session.counters().apdus)
    }
}
