//! The PIN and PUK of PACE by the built binary, against a software card that has every protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::PathBuf;

use serde_json::Value;

use support::cancuoc;

/// A card of the profile with PIN and PUK, three tries of the PIN.
struct Bench {
    folder: tempfile::TempDir,
    can: String,
    pin: String,
    puk: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = cancuoc()
            .args(["--json", "card", "new", "--profile=eac-full"])
            .arg(folder.path().join("test.card"))
            .output()
            .unwrap();
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |name: &str| made["access"][name].as_str().unwrap().to_owned();
        Self { can: text("can"), pin: text("pin"), puk: text("puk"), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `read` with secrets, each from a file; exit code and JSON.
    fn read(&self, secrets: &[(&str, &str)]) -> (i32, Value) {
        let mut command = cancuoc();
        command
            .arg(format!("--reader=card:{}", self.path("test.card").display()))
            .args(["--json", "read", "--out"])
            .arg(self.path("out"));
        for (option, secret) in secrets {
            let file = self.path(option);
            std::fs::write(&file, secret).unwrap();
            command.arg(format!("--{option}=file:{}", file.display()));
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (output.status.code().unwrap(), json)
    }

    fn read_with_pin(&self) -> (i32, Value) {
        self.read(&[("pin", &self.pin)])
    }

    /// Uses up tries of the PIN.
    fn spend(&self, tries: usize) {
        let wrong = if self.pin == "111111" { "222222" } else { "111111" };
        for n in 0..tries {
            let secrets = [("pin", wrong), ("can", self.can.as_str())];
            let (code, json) = self.read(&secrets);
            let expected =
                ["access_password_wrong", "access_password_blocked"][usize::from(n == 2)];
            assert_eq!((code, &json["error"]["code"]), (5, &expected.into()));
        }
    }
}

#[test]
fn opens_with_the_pin_and_with_the_puk() {
    let bench = Bench::new();
    let (code, json) = bench.read_with_pin();
    assert_eq!((code, &json["access"]["password"]), (0, &"PIN".into()));
    let (code, json) = bench.read(&[("puk", &bench.puk)]);
    assert_eq!((code, &json["access"]["password"]), (0, &"PUK".into()));
}

#[test]
fn uses_the_last_try_of_a_pin_only_with_the_can() {
    let bench = Bench::new();
    bench.spend(2);
    let (code, json) = bench.read_with_pin();
    assert_eq!((code, &json["error"]["code"]), (5, &"access_password_suspended".into()));
    let (code, json) = bench.read(&[("pin", &bench.pin), ("can", &bench.can)]);
    assert_eq!((code, &json["access"]["recovery"]), (0, &"resumed".into()));
    assert_eq!(json["access"]["tries_left"], 1);
    let (code, json) = bench.read_with_pin();
    assert_eq!((code, &json["access"]["recovery"]), (0, &Value::Null));
}

#[test]
fn unblocks_a_blocked_pin_with_the_puk() {
    let bench = Bench::new();
    bench.spend(3);
    let (code, json) = bench.read(&[("pin", &bench.pin), ("can", &bench.can)]);
    assert_eq!((code, &json["error"]["code"]), (5, &"access_password_blocked".into()));
    let (code, json) = bench.read(&[("pin", &bench.pin), ("puk", &bench.puk)]);
    assert_eq!((code, &json["access"]["recovery"]), (0, &"unblocked".into()));
    assert_eq!(bench.read_with_pin().0, 0);
}

#[test]
fn sends_nothing_to_the_card_for_a_pin_that_is_none() {
    let bench = Bench::new();
    let (code, json) = bench.read(&[("pin", "12x4")]);
    assert_eq!((code, &json["error"]["code"]), (6, &"pin_invalid".into()));
    assert_eq!(bench.read_with_pin().1["access"]["tries_left"], Value::Null);
}
