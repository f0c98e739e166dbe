//! Who may do what with whom.

use std::sync::LazyLock;

use cancuoc_primitives::curve::Curve;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorCode;
use crate::pki::{KeyKind, Signer, SoftwareKey};
use crate::production::Digest;

const LIFE: SignedDuration = SignedDuration::from_hours(1);
const RELEASE: Wanted<'static> =
    Wanted { act: ActKind::Release, subject: "REC-1", run: Some("R1") };

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap()
}

/// Everybody's keys: two operators, two supervisors, two custodians, an auditor.
const NAMES: [(&str, Role); 7] = [
    ("an", Role::Operator),
    ("binh", Role::Operator),
    ("chi", Role::Supervisor),
    ("dung", Role::Supervisor),
    ("giang", Role::KeyCustodian),
    ("hoa", Role::KeyCustodian),
    ("khanh", Role::Auditor),
];
static KEYS: LazyLock<Vec<SoftwareKey>> = LazyLock::new(|| NAMES.map(|_| key()).into());

fn key_of(name: &str) -> &'static SoftwareKey {
    &KEYS[NAMES.iter().position(|(n, _)| *n == name).unwrap()]
}

fn person(name: &str, roles: &[Role], key: &SoftwareKey) -> Person {
    Person::new(name, roles.iter().copied().collect(), &key.public_key(), key.algorithm())
}

fn everybody() -> Vec<Person> {
    NAMES.iter().map(|(name, role)| person(name, &[*role], key_of(name))).collect()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn people() -> People {
    People::first(everybody(), now()).unwrap()
}

fn statement(wanted: &Wanted<'_>) -> ApprovalFile {
    ApprovalFile::new(Statement::new(wanted, now(), LIFE, &mut random()).unwrap())
}

/// The statement signed by these, whatever their roles.
fn signed(wanted: &Wanted<'_>, names: &[&str]) -> ApprovalFile {
    let mut file = statement(wanted);
    // Everybody may sign for this list, so that what is asked for is the other one's roles.
    let all: Vec<Person> = NAMES
        .iter()
        .map(|(n, _)| person(n, &[Role::Operator, Role::Supervisor, Role::KeyCustodian], key_of(n)))
        .collect();
    let anybody = People::first(all, now()).unwrap();
    for name in names {
        file.approve(&anybody, name, key_of(name), &mut random()).unwrap();
    }
    ApprovalFile::decode(&file.encode()).unwrap()
}

fn decide(wanted: &Wanted<'_>, names: &[&str]) -> Result<Authorized, RoleError> {
    authorize(&people(), &signed(wanted, names), wanted, now())
}

fn missing(have: usize, missing: Role) -> RoleError {
    RoleError::Missing { have, need: 2, missing }
}

#[test]
fn two_people_with_the_roles_approve() {
    for (act, one, two) in [
        (ActKind::Release, "chi", "an"),
        (ActKind::Release, "an", "chi"),
        (ActKind::Release, "chi", "dung"),
        (ActKind::Unlock, "dung", "chi"),
        (ActKind::ImportKeys, "giang", "hoa"),
        (ActKind::ChangeSiteKey, "hoa", "giang"),
    ] {
        let wanted = Wanted { act, ..RELEASE };
        let authorized = decide(&wanted, &[one, two]).unwrap();
        assert_eq!(authorized.people(), [one, two]);
    }
}

#[test]
fn one_person_is_never_two() {
    assert_eq!(decide(&RELEASE, &["chi"]), Err(missing(1, Role::Operator)));
    assert_eq!(decide(&RELEASE, &[]), Err(missing(0, Role::Supervisor)));
    let mut file = signed(&RELEASE, &["chi"]);
    let again = file.approve(&people(), "chi", key_of("chi"), &mut random());
    assert_eq!(again, Err(RoleError::Twice("chi".to_owned())));
    file.approvals.push(file.approvals[0].clone());
    let twice = authorize(&people(), &file, &RELEASE, now());
    assert_eq!(twice, Err(RoleError::Twice("chi".to_owned())));
}

#[test]
fn the_roles_must_fit() {
    let unlock = Wanted { act: ActKind::Unlock, ..RELEASE };
    let import = Wanted { act: ActKind::ImportKeys, ..RELEASE };
    assert_eq!(decide(&RELEASE, &["an", "binh"]), Err(missing(1, Role::Supervisor)));
    assert_eq!(decide(&unlock, &["chi", "an"]), Err(missing(1, Role::Supervisor)));
    assert_eq!(decide(&import, &["chi", "dung"]), Err(missing(0, Role::KeyCustodian)));
    assert_eq!(decide(&import, &["giang", "chi"]), Err(missing(1, Role::KeyCustodian)));
}

#[test]
fn an_auditor_approves_nothing() {
    for act in ActKind::ALL {
        let wanted = Wanted { act, ..RELEASE };
        assert!(decide(&wanted, &["khanh"]).is_err(), "{act:?}");
        let mut file = statement(&wanted);
        let refused = file.approve(&people(), "khanh", key_of("khanh"), &mut random());
        assert_eq!(refused.unwrap_err().code(), "approval_missing");
    }
}

#[test]
fn an_approval_is_for_its_own_act_subject_and_run() {
    let file = signed(&RELEASE, &["chi", "an"]);
    let decide = |wanted| authorize(&people(), &file, &wanted, now()).unwrap_err();
    assert_eq!(decide(Wanted { subject: "REC-2", ..RELEASE }), RoleError::Other("subject"));
    assert_eq!(decide(Wanted { run: Some("R2"), ..RELEASE }), RoleError::Other("run"));
    assert_eq!(decide(Wanted { run: None, ..RELEASE }), RoleError::Other("run"));
    assert_eq!(decide(Wanted { act: ActKind::Unlock, ..RELEASE }), RoleError::Other("act"));
}

#[test]
fn an_approval_is_worth_something_for_its_time_alone() {
    let file = signed(&RELEASE, &["chi", "an"]);
    let at = |minutes| {
        let time = now() + SignedDuration::from_mins(minutes);
        authorize(&people(), &file, &RELEASE, time).map(drop).map_err(|e| e.code())
    };
    assert_eq!([at(-1), at(0), at(60)], [Ok(()); 3], "clocks may differ a little");
    assert_eq!([at(-3), at(61)], [Err("approval_time"); 2]);
    for life in [SignedDuration::ZERO, LONGEST_LIFE + SignedDuration::from_secs(1)] {
        assert!(Statement::new(&RELEASE, now(), life, &mut random()).is_err());
    }
}

#[test]
fn a_signature_counts_over_the_same_bytes_alone() {
    let (mut file, other) = (signed(&RELEASE, &["chi", "an"]), signed(&RELEASE, &["an"]));
    file.approvals[1] = other.approvals[0].clone();
    let decided = authorize(&people(), &file, &RELEASE, now());
    assert_eq!(decided, Err(RoleError::Signature("an".to_owned())), "another nonce");
}

#[test]
fn a_name_without_its_key_signs_nothing() {
    let mut file = statement(&RELEASE);
    let wrong = file.approve(&people(), "chi", key_of("an"), &mut random());
    assert_eq!(wrong, Err(RoleError::OtherKey("chi".to_owned())));
    let unknown = file.approve(&people(), "xuan", key_of("an"), &mut random());
    assert_eq!(unknown, Err(RoleError::Unknown("xuan".to_owned())));
}

#[test]
fn somebody_who_left_the_list_counts_no_more() {
    let file = signed(&RELEASE, &["chi", "an"]);
    let without = everybody().into_iter().filter(|p| p.id != "an").collect();
    let list = people().next(without, now()).unwrap();
    let decided = authorize(&list, &file, &RELEASE, now());
    assert_eq!(decided, Err(RoleError::Unknown("an".to_owned())));
}

#[test]
fn the_record_tells_who_approved_what() {
    let authorized = decide(&RELEASE, &["chi", "an"]).unwrap();
    let act = authorized.act("S01");
    assert_eq!((act.subject.as_deref(), act.run.as_deref()), (Some("REC-1"), Some("R1")));
    assert_eq!(act.facts["people"], "chi,an".into());
    assert_eq!(act.facts["nonce"], authorized.nonce().into());
}

#[test]
fn no_two_statements_have_the_same_nonce() {
    let nonce = || statement(&RELEASE).statement.nonce;
    assert_ne!(nonce(), nonce());
}

#[test]
fn a_list_keeps_the_roles_apart() {
    let refused = |people: Vec<Person>| match People::first(people, now()) {
        Err(RoleError::Separation(why)) => why,
        other => panic!("{other:?}"),
    };
    let with = |person: Person| [everybody(), vec![person]].concat();
    let other = key();
    let both = person("lan", &[Role::Auditor, Role::Operator], &other);
    assert_eq!(refused(with(both)), "an auditor has no other role");
    assert_eq!(refused(with(person("lan", &[], &other))), "somebody without a role");
    let twice = person("an", &[Role::Operator], &other);
    assert_eq!(refused(with(twice)), "a name stands twice, or not in order");
    let alias = person("lan", &[Role::Operator], key_of("an"));
    assert_eq!(refused(with(alias)), "two people have the same key");
    let alone = everybody().into_iter().filter(|p| p.id != "chi").collect();
    assert_eq!(refused(alone), "fewer than two supervisors");
    assert!(People::first(with(person("Lan", &[Role::Operator], &other)), now()).is_err());
}

#[test]
fn a_list_in_another_form_is_none() {
    let bytes = people().encode();
    assert_eq!(People::decode(&bytes), Ok(people()));
    let spaced = String::from_utf8(bytes).unwrap().replacen(':', ": ", 1);
    assert!(People::decode(spaced.as_bytes()).is_err());
}

/// The next version, approved by these.
fn change(history: &PeopleHistory, people: Vec<Person>, names: &[&str]) -> PeopleChange {
    let mut change =
        PeopleChange::propose(history.current(), people, now(), LIFE, &mut random()).unwrap();
    let wanted = change.approval.statement.subject.clone();
    let wanted = Wanted { act: ActKind::ChangePeople, subject: &wanted, run: None };
    change.approval = signed(&wanted, names);
    PeopleChange::decode(&change.encode()).unwrap()
}

#[test]
fn two_supervisors_change_the_list() {
    let mut history = PeopleHistory::begin(people());
    let more = [everybody(), vec![person("lan", &[Role::Operator], &key())]].concat();
    let change = change(&history, more, &["chi", "dung"]);
    let act = history.accept(&change, now()).unwrap();
    assert_eq!(act.facts["version"], 2.into());
    assert_eq!(history.current().all().len(), 8);
    let again = PeopleHistory::decode(history.encode(), Some(history.first())).unwrap();
    assert_eq!(again, history);
}

#[test]
fn one_supervisor_does_not_change_the_list() {
    let mut history = PeopleHistory::begin(people());
    let fewer: Vec<Person> = everybody().into_iter().filter(|p| p.id != "an").collect();
    for names in [&["chi"][..], &["chi", "an"], &["an", "binh"]] {
        let change = change(&history, fewer.clone(), names);
        let refused = history.accept(&change, now()).unwrap_err();
        assert_eq!(refused.code(), "approval_missing", "{names:?}");
    }
    assert_eq!(history.current().version, 1);
}

#[test]
fn nobody_approves_a_role_of_their_own() {
    let mut history = PeopleHistory::begin(people());
    let mut more: Vec<Person> = everybody().into_iter().filter(|p| p.id != "chi").collect();
    more.push(person("chi", &[Role::Supervisor, Role::KeyCustodian], key_of("chi")));
    let change = change(&history, more, &["chi", "dung"]);
    let refused = history.accept(&change, now());
    assert_eq!(refused, Err(RoleError::Own("chi".to_owned())));
}

#[test]
fn a_changed_history_is_none() {
    let mut history = PeopleHistory::begin(people());
    let fewer = everybody().into_iter().filter(|p| p.id != "an").collect();
    let change = change(&history, fewer, &["chi", "dung"]);
    history.accept(&change, now()).unwrap();
    let bytes = history.encode().to_vec();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    let refused = |bytes: &[u8]| PeopleHistory::decode(bytes, Some(history.first())).unwrap_err();
    assert_eq!(refused(&[lines[1], lines[0]].concat()).code(), "people_history");
    assert_eq!(refused(&[lines[0], lines[1], lines[1]].concat()).code(), "people_history");
    let other = PeopleHistory::begin(People::first(everybody(), now() + LIFE).unwrap());
    assert_eq!(refused(other.encode()), RoleError::OtherBeginning);
    assert_eq!(refused(&[other.encode(), lines[1]].concat()), RoleError::OtherBeginning);
    assert!(PeopleHistory::decode(&bytes[..bytes.len() - 1], None).is_err());
}

fn session(limits: SessionLimits) -> Session {
    let wanted = Wanted { act: ActKind::OpenSession, subject: "S01", run: None };
    Session::open(&people(), &signed(&wanted, &["an"]), "S01", limits, now()).unwrap().0
}

fn after(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

#[test]
fn a_session_is_for_one_station_and_one_person() {
    let wanted = Wanted { act: ActKind::OpenSession, subject: "S01", run: None };
    let limits = SessionLimits::default();
    let open = |file: &ApprovalFile, station| {
        Session::open(&people(), file, station, limits, now()).map(|(session, _)| session)
    };
    let session = open(&signed(&wanted, &["an"]), "S01").unwrap();
    assert_eq!(session.person(), "an");
    assert!(session.has(Role::Operator) && !session.has(Role::Supervisor));
    assert!(open(&signed(&wanted, &["an"]), "S02").is_err());
    assert!(open(&signed(&wanted, &["an", "binh"]), "S01").is_err());
    assert!(open(&signed(&wanted, &["khanh"]), "S01").is_err());
}

#[test]
fn a_session_left_alone_is_over_for_good() {
    let mut session = session(SessionLimits::default());
    assert_eq!(session.touch(after(9)), Ok(()));
    assert_eq!(session.touch(after(19)), Ok(()));
    assert_eq!(session.touch(after(30)), Err(SessionEnd::Idle));
    assert_eq!(session.touch(after(31)), Err(SessionEnd::Idle));
}

#[test]
fn a_session_ends_after_a_shift() {
    let mut session = session(SessionLimits { longest: LIFE, ..SessionLimits::default() });
    for minutes in (0..=60).step_by(10) {
        assert_eq!(session.touch(after(minutes)), Ok(()));
    }
    assert_eq!(session.touch(after(61)), Err(SessionEnd::TooLong));
}

#[test]
fn a_clock_that_goes_back_ends_a_session() {
    let mut session = session(SessionLimits::default());
    assert_eq!(session.touch(after(5)), Ok(()));
    assert_eq!(session.touch(after(4)), Err(SessionEnd::ClockBack));
    assert_eq!(session.touch(after(6)), Err(SessionEnd::ClockBack));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_changed_in_an_approval_approves(
        place in any::<prop::sample::Index>(), bits in 1u8..=255,
    ) {
        static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| signed(&RELEASE, &["chi", "an"]).encode());
        let mut bytes = FILE.clone();
        let place = place.index(bytes.len() - 1);
        bytes[place] ^= bits;
        if let Ok(file) = ApprovalFile::decode(&bytes) {
            prop_assert!(authorize(&people(), &file, &RELEASE, now()).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(ApprovalFile::decode(&bytes).is_err());
        prop_assert!(People::decode(&bytes).is_err());
        prop_assert!(PeopleHistory::decode(&bytes, None).is_err());
    }

    /// Whoever signs, in whatever order: a release needs a supervisor and another one of the line.
    #[test]
    fn a_release_needs_a_supervisor_and_somebody_else(picked in prop::collection::vec(0usize..7, 0..4)) {
        let mut names: Vec<&str> = picked.iter().map(|i| NAMES[*i].0).collect();
        names.sort_unstable();
        names.dedup();
        let count = |role| names.iter().filter(|n| NAMES.contains(&(**n, role))).count();
        let (operators, supervisors) = (count(Role::Operator), count(Role::Supervisor));
        let enough = supervisors >= 1 && operators + supervisors >= 2;
        prop_assert_eq!(decide(&RELEASE, &names).is_ok(), enough);
    }
}

#[test]
fn the_digest_of_nothing_precedes_the_first_list() {
    assert_eq!(people().previous, Digest::ZERO);
}
