//! The built-in profiles, hostile ones, and an applet that takes its files by commands.

use std::collections::BTreeMap;

use cancuoc_primitives::hash::HashAlgorithm;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::apdu::CommandApdu;
use crate::document::Mrz;
use crate::issue::{AccessRule, ActiveAuthenticationKey, CardImage, ImageFile, Location};
use crate::lds::encode_dg1;

const MRZ: &[u8] = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0\
NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

/// A card with BAC alone, as such applets know it.
pub(crate) fn image() -> CardImage {
    let file = |fid: u16, content: Vec<u8>| ImageFile {
        location: Location::Lds1,
        fid,
        sfi: Some(fid as u8 & 0x1F),
        access: AccessRule::AfterAccessControl,
        content,
    };
    CardImage {
        files: vec![
            file(0x011E, vec![0x60, 0x02, 0x5C, 0x00]),
            file(0x0101, encode_dg1(MRZ)),
            file(0x0102, (0..1000u32).map(|i| i as u8).collect()),
            file(0x011D, vec![0x77; 223]),
        ],
        mrz_key: Some(Zeroizing::new(*Mrz::parse(MRZ).unwrap().key().as_bytes())),
        bac: true,
        ..CardImage::default()
    }
}

/// What an applet of this style does, by its public description: it is open until it is locked,
/// then it wants access control.
#[derive(Default)]
pub(crate) struct Applet {
    pub(crate) files: BTreeMap<u16, Vec<u8>>,
    selected: Option<u16>,
    mrz: Vec<Vec<u8>>,
    rsa: BTreeMap<u8, Vec<u8>>,
    pub(crate) locked: bool,
}

impl Applet {
    fn send(&mut self, command: &PlannedCommand) -> u16 {
        self.answer(command.apdu())
    }

    pub(crate) fn answer(&mut self, apdu: &CommandApdu) -> u16 {
        // It knows short commands alone.
        assert!(apdu.data.len() <= 255);
        let [_, ins, p1, p2] = apdu.header();
        let number = |at: usize| u16::from_be_bytes([apdu.data[at], apdu.data[at + 1]]);
        match (ins, p1, p2) {
            (0xA4, 0x04, _) => 0x9000,
            (0xB0, ..) if self.locked => 0x6982,
            _ if self.locked => 0x6D00,
            (0xE0, 0, 0) if apdu.data[..2] == [0x63, 0x04] && apdu.data.len() == 6 => {
                self.files.insert(number(4), vec![0; usize::from(number(2))]);
                0x9000
            }
            (0xA4, 0x02, 0x0C) if self.files.contains_key(&number(0)) => {
                self.selected = Some(number(0));
                0x9000
            }
            (0xD6, _, _) => {
                let offset = usize::from(u16::from_be_bytes([p1, p2]));
                let file = self.files.get_mut(&self.selected.unwrap()).unwrap();
                let Some(place) = file.get_mut(offset..offset + apdu.data.len()) else {
                    return 0x6A84;
                };
                place.copy_from_slice(&apdu.data);
                0x9000
            }
            (0xDA, 0xDE, 0xAD) => {
                self.locked = true;
                0x9000
            }
            (0xDA, 0, tag) => self.put_data(tag, &apdu.data),
            _ => 0x6D00,
        }
    }

    fn put_data(&mut self, tag: u8, data: &[u8]) -> u16 {
        let object = crate::apdu::tlv::Tlv::parse_exact(data).unwrap();
        assert_eq!(object.tag.0, u32::from(tag));
        let mut children = object.children();
        let mut values = Vec::new();
        while let Some(child) = children.read_optional().unwrap() {
            values.push(child.value.to_vec());
        }
        match tag {
            0x62 => self.mrz = values,
            tag => drop(self.rsa.insert(tag, values.remove(0))),
        }
        0x9000
    }
}

fn plan_of(image: &CardImage) -> Result<Plan, PersoError> {
    let profile = PersoProfile::builtin("file-commands").unwrap();
    profile.plan(image).map(Option::unwrap)
}

#[test]
fn the_built_in_profiles_can_be_read() {
    for name in PersoProfile::NAMES {
        let profile = PersoProfile::builtin(name).unwrap();
        assert_eq!(profile.name, name);
        assert_eq!(profile.application, crate::globalplatform::LDS1_APPLICATION);
    }
    assert_eq!(PersoProfile::builtin("dgi").unwrap().plan(&image()).unwrap(), None);
    let unknown = PersoProfile::builtin("x").unwrap_err();
    assert_eq!(unknown.code(), "perso_profile_unknown");
}

#[test]
fn an_applet_that_takes_commands_holds_every_byte_and_is_locked() {
    let (image, mut applet) = (image(), Applet::default());
    let plan = plan_of(&image).unwrap();
    for command in plan.write.iter().chain(&plan.lock) {
        assert_eq!(applet.send(command), 0x9000, "{command:?}");
    }
    for file in &image.files {
        assert_eq!(applet.files[&file.fid], file.content, "{:04X}", file.fid);
    }
    assert_eq!(applet.mrz.len(), 3);
    assert_eq!(applet.mrz[1], MRZ[30..36]);
    assert_eq!(applet.mrz[2], MRZ[38..44]);
    assert!(applet.locked);
    assert_eq!(applet.send(&plan.write[0]), 0x6D00);
}

#[test]
fn writes_the_rsa_key_of_active_authentication_where_there_is_one() {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let key = cancuoc_primitives::rsa::RsaPrivateKey::generate(1024, &mut random).unwrap();
    let numbers = key.components().unwrap();
    let mut image = image();
    image.active_authentication =
        Some(ActiveAuthenticationKey::Rsa { key, hash: HashAlgorithm::Sha256 });
    let (plan, mut applet) = (plan_of(&image).unwrap(), Applet::default());
    for command in &plan.write {
        assert_eq!(applet.send(command), 0x9000, "{command:?}");
    }
    assert_eq!(applet.rsa[&0x60], numbers.n);
    assert_eq!(applet.rsa[&0x61], *numbers.d);
}

#[test]
fn refuses_to_leave_out_what_the_card_is_to_have() {
    let refused = |image: &CardImage| plan_of(image).unwrap_err();
    let whole = crate::globalplatform::image::tests::image();
    assert_eq!(refused(&whole), PersoError::NotWritten { what: "the CAN" });
    let mut elsewhere = image();
    elsewhere.files[0].location = Location::MasterFile;
    let what = "files in the master file";
    assert_eq!(refused(&elsewhere), PersoError::NotWritten { what });
    let mut other = image();
    other.mrz_key = Some(Zeroizing::new([7; 20]));
    assert_eq!(refused(&other).code(), "perso_profile_unfit");
}

#[test]
fn refuses_a_file_that_is_too_long_for_its_offset() {
    let mut image = image();
    image.files[2].content = vec![0; 70_000];
    assert_eq!(plan_of(&image).unwrap_err(), PersoError::DoesNotFit { what: "size" });
}

#[test]
fn says_which_command_of_a_profile_cannot_be_meant() {
    let profile = |list: &str, apdu: &str, data: &str| {
        PersoProfile::parse(&format!(
            "schema = \"{SCHEMA}\"\nname = \"x\"\napplication = \"A0000002471001\"\n\
             style = \"commands\"\n[[{list}]]\napdu = \"{apdu}\"\ndata = \"{data}\"\n"
        ))
    };
    assert!(profile("file", "00 D6 offset:2", "content").is_ok());
    for (list, apdu, data) in [
        ("file", "00 D6 offset:1", "content"),
        ("file", "00 D6 00", ""),
        ("before", "00 D6 00 00", "fid"),
        ("before", "00 D6 00 00", "62( can"),
        ("before", "00 D6 00 00", "can )"),
        ("before", "00 D6 00 00", "1F( can )"),
        ("before", "00 D6 00 00", "size:9"),
        ("before", "00 D6 00 00", "secret"),
        ("before", "00 D6 00 00", "1( can )"),
    ] {
        let error = profile(list, apdu, data).unwrap_err();
        assert!(matches!(error, PersoError::Command { number: 1, .. }), "{apdu} {data}: {error}");
    }
    let deep = format!("{} {}", "62( ".repeat(7), ") ".repeat(7));
    assert!(profile("before", "00 D6 00 00", &deep).is_err());
}

proptest! {
    #[test]
    fn reads_any_profile_without_panic(
        text in "\\PC{0,80}",
        words in prop::collection::vec(prop::sample::select(vec![
            "62(", ")", "7F21(", "fid", "size:2", "offset:3", "content", "can", "aa.modulus", "00", "zz",
        ]), 0..20),
    ) {
        let _ = PersoProfile::parse(&text);
        let _ = template::Template::parse(&text);
        if let Ok(template) = template::Template::parse(&words.join(" ")) {
            let value = Zeroizing::new(vec![1; 300]);
            let part = template::Part { fid: 1, sfi: 1, size: 70_000, offset: 3, content: &[5; 9] };
            let _ = template.fill(&|_| Some(value.clone()), Some(part));
            let _ = template.fill(&|_| None, None);
        }
    }
}
