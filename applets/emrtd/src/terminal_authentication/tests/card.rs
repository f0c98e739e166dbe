//! A personalised card, a terminal that talks to it, and the authorities above the terminal.

use alloc::vec;
use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, object};
use cancuoc_card_runtime::{Application, Command, Environment, Response};
use cancuoc_primitives::cipher::{self, BlockCipher};
use cancuoc_primitives::curve::{Curve, SecretScalar};

use crate::key_derivation::{AUTHENTICATION, ENCRYPTION, derive};
use crate::secure_messaging::SecureMessaging;
use crate::store::Location;
use crate::testing::{
    self, Certificate, DG3, DG4, DOMESTIC, INSPECTION_SYSTEM, Key, Memory, Random, whole,
};
use crate::{Emrtd, Session};

/// Document number and check digit of a synthetic holder.
pub const DOCUMENT_NUMBER: &[u8] = b"0790001234";
/// The terminal's compressed ephemeral key where Chip Authentication is taken for granted.
pub const EPHEMERAL: [u8; 32] = [7; 32];
const CIPHER: BlockCipher = BlockCipher::Aes128;

/// Synthetic authorities, and what their certificates say.
pub struct Pki {
    pub cvca: Key,
    pub document_verifier: Key,
    pub terminal: Key,
    pub cvca_name: &'static str,
    pub document_verifier_name: &'static str,
    pub terminal_name: &'static str,
    pub cvca_rights: u8,
    /// Role: domestic or foreign.
    pub document_verifier_role: u8,
    pub document_verifier_rights: u8,
    pub terminal_rights: u8,
}

impl Pki {
    pub fn new() -> Self {
        Self {
            cvca: Key::ec(Curve::P256, 3, 1),
            document_verifier: Key::ec(Curve::P256, 3, 2),
            terminal: Key::ec(Curve::P256, 3, 3),
            cvca_name: "VNCVCATEST00001",
            document_verifier_name: "VNDVTEST00001",
            terminal_name: "VNISTEST00001",
            cvca_rights: DG3 | DG4,
            document_verifier_role: DOMESTIC,
            document_verifier_rights: DG3 | DG4,
            terminal_rights: DG3 | DG4,
        }
    }

    pub fn cvca(&self) -> Certificate<'_> {
        Certificate {
            authority: self.cvca_name,
            holder: self.cvca_name,
            key: &self.cvca,
            parameters: true,
            authorization: testing::CVCA | self.cvca_rights,
            terminals: INSPECTION_SYSTEM,
            effective: "260101",
            expiration: "281231",
            extensions: &[],
        }
    }

    pub fn document_verifier(&self) -> Certificate<'_> {
        Certificate {
            holder: self.document_verifier_name,
            key: &self.document_verifier,
            parameters: false,
            authorization: self.document_verifier_role | self.document_verifier_rights,
            effective: "260301",
            expiration: "260531",
            ..self.cvca()
        }
    }

    pub fn terminal(&self) -> Certificate<'_> {
        Certificate {
            authority: self.document_verifier_name,
            holder: self.terminal_name,
            key: &self.terminal,
            parameters: false,
            authorization: self.terminal_rights,
            effective: "260401",
            expiration: "260430",
            ..self.cvca()
        }
    }
}

/// The card and the terminal's end of secure messaging.
pub struct Card {
    pub application: Emrtd,
    pub memory: Memory,
    random: Random,
    /// The terminal's compressed ephemeral key.
    pub ephemeral: Vec<u8>,
    /// Whether long commands are sent as chains.
    pub chained: bool,
    messaging: Option<TerminalMessaging>,
}

impl Card {
    /// With BAC, Chip Authentication and Terminal Authentication; the date is 2026-02-01.
    pub fn personalised(pki: &Pki) -> Self {
        Self::personalised_with(pki, 0x01 | 0x04 | 0x10)
    }

    pub fn personalised_with(pki: &Pki, protocols: u8) -> Self {
        let mut card = Self::blank(protocols);
        card.personalize(0x0501, &whole(&pki.cvca().sign(&pki.cvca)));
        card.personalize(0x0502, &[2, 6, 0, 2, 0, 1]);
        card.personalize(0x0503, DOCUMENT_NUMBER);
        card.personalize(0x0F01, &[]);
        card
    }

    /// Without trust point, date and chip identifier, and not yet open to readers.
    pub fn blank(protocols: u8) -> Self {
        let mut card = Self {
            application: Emrtd::default(),
            memory: Memory::default(),
            random: Random(1),
            ephemeral: EPHEMERAL.to_vec(),
            chained: false,
            messaging: None,
        };
        let files = [(1u8, 1, 0xD1u8, 8), (3, 2, 0xD3, 8), (4, 3, 0xD4, 8), (0x1C, 1, 0xCC, 36)];
        for (file, access, content, size) in files {
            card.personalize(0x0101, &[1, 1, file, file, access, 0, 0, size]);
            let content = vec![content; usize::from(size)];
            card.personalize(0x0102, &[&[1, 1, file, 0, 0, 0], &content[..]].concat());
        }
        card.personalize(0x0201, &[5; 20]);
        let secret = SecretScalar::random(Curve::P256, &mut Random(11));
        let key = [object(0x80, &[12]), object(0x83, &secret.to_bytes())].concat();
        card.personalize(0x0301, &key);
        let ca = [4, 0, 0x7F, 0, 7, 2, 2, 3, 2, 2];
        card.personalize(0x0401, &[object(0x80, &[protocols]), object(0x82, &ca)].concat());
        card
    }

    pub fn personalize(&mut self, identifier: u16, data: &[u8]) {
        assert_eq!(self.try_personalize(identifier, data), 0x9000, "{identifier:04X}");
    }

    pub fn try_personalize(&mut self, identifier: u16, data: &[u8]) -> u16 {
        let environment = &mut Environment { memory: &mut self.memory, random: &mut self.random };
        match self.application.personalize(environment, identifier, data) {
            Ok(()) => 0x9000,
            Err(status) => status.0,
        }
    }

    pub fn session(&mut self) -> &mut Session {
        &mut self.application.session
    }

    /// A session as it is after BAC and Chip Authentication, without their cryptography.
    pub fn open(&mut self) {
        let session = self.session();
        session.directory.location = Location::Lds1;
        session.secure_messaging = Some(SecureMessaging::new(CIPHER, b"bac"));
        session.chip_authentication_key = Some(EPHEMERAL.to_vec());
    }

    /// The same with real secure messaging and Chip Authentication.
    pub fn open_by_chip_authentication(&mut self, seed: u64) {
        self.open();
        self.session().chip_authentication_key = None;
        self.messaging = Some(TerminalMessaging::new(b"bac"));
        self.chip_authentication(seed);
    }

    pub fn chip_authentication(&mut self, seed: u64) {
        let oid = object(0x80, &[4, 0, 0x7F, 0, 7, 2, 2, 3, 2, 2]);
        assert_eq!(self.send(0x22, 0x41, 0xA4, &oid, None).status.0, 0x9000);
        let own = SecretScalar::random(Curve::P256, &mut Random(seed));
        let public = own.public_point();
        let data = object(0x7C, &object(0x80, public.as_bytes()));
        assert_eq!(self.send(0x86, 0, 0, &data, Some(256)).status.0, 0x9000);
        let chip = SecretScalar::random(Curve::P256, &mut Random(11)).public_point();
        let shared = chip.multiply(&own).unwrap();
        self.messaging = Some(TerminalMessaging::new(&shared.x_coordinate()));
        self.ephemeral = public.x_coordinate();
    }

    /// A command as the application gets it.
    pub fn process(&mut self, apdu: &[u8]) -> Response {
        let environment = &mut Environment { memory: &mut self.memory, random: &mut self.random };
        let command = Command::parse(apdu).ok().unwrap();
        self.application.process(environment, &command)
    }

    pub fn send(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8], ne: Option<usize>) -> Response {
        if !self.chained || data.len() < 60 {
            return self.send_class([0, ins, p1, p2], data, ne);
        }
        let (first, last) = data.split_at(data.len() - data.len() % 60);
        for part in first.chunks(60) {
            assert_eq!(self.send_class([0x10, ins, p1, p2], part, None).status.0, 0x9000);
        }
        self.send_class([0, ins, p1, p2], last, ne)
    }

    pub fn send_class(&mut self, header: [u8; 4], data: &[u8], ne: Option<usize>) -> Response {
        if let Some(mut messaging) = self.messaging.take() {
            let apdu = messaging.wrap(header, data, ne);
            let response = self.process(&apdu);
            let response = messaging.unwrap(&response);
            self.messaging = Some(messaging);
            return response;
        }
        let [cla, ins, p1, p2] = header;
        let command = Command { cla, ins, p1, p2, data, ne, extended: false };
        let environment = &mut Environment { memory: &mut self.memory, random: &mut self.random };
        self.application.execute(environment, &command, 65_536)
    }

    pub fn select_application(&mut self) -> u16 {
        self.send(0xA4, 0x04, 0x0C, &crate::AID, None).status.0
    }

    pub fn select(&mut self, file: u16) -> u16 {
        self.send(0xA4, 0x02, 0x0C, &file.to_be_bytes(), None).status.0
    }

    /// READ BINARY by short identifier.
    pub fn read_binary(&mut self, p1: u8) -> Response {
        self.send(0xB0, p1, 0, &[], Some(256))
    }

    /// READ BINARY with odd instruction by file identifier.
    pub fn read_binary_odd(&mut self, file: u16) -> Response {
        let [p1, p2] = file.to_be_bytes();
        self.send(0xB1, p1, p2, &[0x54, 1, 0], Some(256))
    }

    pub fn set_dst(&mut self, name: &str) -> u16 {
        self.send(0x22, 0x81, 0xB6, &object(0x83, name.as_bytes()), None).status.0
    }

    pub fn verify(&mut self, certificate: &[u8]) -> u16 {
        self.send(0x2A, 0x00, 0xBE, certificate, None).status.0
    }

    /// MSE:Set DST and PSO: VERIFY CERTIFICATE.
    pub fn present(&mut self, certificate: &Certificate<'_>, signer: &Key) -> u16 {
        match self.set_dst(certificate.authority) {
            0x9000 => self.verify(&certificate.sign(signer)),
            status => status,
        }
    }

    pub fn present_chain(&mut self, pki: &Pki) {
        assert_eq!(self.present(&pki.document_verifier(), &pki.cvca), 0x9000);
        assert_eq!(self.present(&pki.terminal(), &pki.document_verifier), 0x9000);
    }

    pub fn set_at(&mut self, name: &str) -> u16 {
        self.send(0x22, 0x81, 0xA4, &object(0x83, name.as_bytes()), None).status.0
    }

    pub fn challenge(&mut self) -> Vec<u8> {
        self.send(0x84, 0, 0, &[], Some(8)).data
    }

    pub fn external_authenticate(&mut self, signature: &[u8]) -> u16 {
        self.send(0x82, 0, 0, signature, None).status.0
    }

    /// GET CHALLENGE and EXTERNAL AUTHENTICATE as after BAC.
    pub fn prove(&mut self, key: &Key) -> u16 {
        let challenge = self.challenge();
        let message = [DOCUMENT_NUMBER, &challenge, &self.ephemeral].concat();
        self.external_authenticate(&key.sign(&message))
    }

    /// All of Terminal Authentication.
    pub fn authenticate(&mut self, pki: &Pki) -> u16 {
        self.present_chain(pki);
        assert_eq!(self.set_at(pki.terminal_name), 0x9000);
        self.prove(&pki.terminal)
    }

    /// Content of EF.CVCA.
    pub fn ef_cvca(&self) -> &[u8] {
        let key = crate::store::content_key(Location::Lds1, 0x011C);
        &self.memory.records[&key]
    }

    /// The card's date, YYMMDD.
    pub fn date(&self) -> Vec<u8> {
        self.memory.records[&crate::store::CARD_DATE].iter().map(|digit| digit + b'0').collect()
    }
}

/// The terminal's end of secure messaging with AES-128 (ICAO 9303-11 §9.8).
struct TerminalMessaging {
    encryption: Vec<u8>,
    authentication: Vec<u8>,
    counter: u128,
}

impl TerminalMessaging {
    fn new(secret: &[u8]) -> Self {
        Self {
            encryption: derive(CIPHER, secret, ENCRYPTION).to_vec(),
            authentication: derive(CIPHER, secret, AUTHENTICATION).to_vec(),
            counter: 0,
        }
    }

    fn iv(&self) -> Vec<u8> {
        cipher::encrypt_block(CIPHER, &self.encryption, &self.counter.to_be_bytes()).unwrap()
    }

    fn mac(&self, message: &[u8]) -> Vec<u8> {
        let input = cipher::pad(&[&self.counter.to_be_bytes(), message].concat(), 16);
        cipher::cmac(CIPHER, &self.authentication, &input).unwrap()[..8].to_vec()
    }

    fn wrap(&mut self, header: [u8; 4], data: &[u8], ne: Option<usize>) -> Vec<u8> {
        self.counter += 1;
        let [cla, ins, p1, p2] = header;
        let header = [cla | 0x0C, ins, p1, p2];
        let mut objects = Vec::new();
        if !data.is_empty() {
            let padded = cipher::pad(data, 16);
            let cryptogram =
                cipher::cbc_encrypt(CIPHER, &self.encryption, &self.iv(), &padded).unwrap();
            match ins & 1 {
                1 => tlv::put(&mut objects, 0x85, &cryptogram),
                _ => tlv::put(&mut objects, 0x87, &[&[1], &cryptogram[..]].concat()),
            }
        }
        if let Some(ne) = ne {
            tlv::put(&mut objects, 0x97, &[ne as u8]);
        }
        let mut message = header.to_vec();
        if !objects.is_empty() {
            message = [cipher::pad(&message, 16), objects.clone()].concat();
        }
        let mac = self.mac(&message);
        tlv::put(&mut objects, 0x8E, &mac);
        let [high, low] = (objects.len() as u16).to_be_bytes();
        [&header[..], &[0, high, low], &objects, &[0, 0]].concat()
    }

    fn unwrap(&mut self, response: &Response) -> Response {
        self.counter += 1;
        let mac = tlv::find(&response.data, 0x8E).unwrap();
        let message = &response.data[..response.data.len() - 10];
        assert_eq!(self.mac(message), mac);
        let cryptogram = tlv::find(message, 0x87).map(|value| &value[1..]);
        let data = match cryptogram.or_else(|| tlv::find(message, 0x85)) {
            Some(cryptogram) => {
                let padded =
                    cipher::cbc_decrypt(CIPHER, &self.encryption, &self.iv(), cryptogram).unwrap();
                cipher::unpad(&padded).unwrap().to_vec()
            }
            None => Vec::new(),
        };
        let status = tlv::find(message, 0x99).unwrap();
        assert_eq!(status, response.status.0.to_be_bytes());
        Response { data, status: response.status }
    }
}
