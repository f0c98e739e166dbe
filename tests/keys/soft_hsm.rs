//! A token of SoftHSM in a temporary folder, and a module in front of it that fails as it is told.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use serde_json::Value;

/// PINs that stand nowhere else, so that a search for them means something.
pub const PIN: &str = "pin-7c1f94e0";
pub const SO_PIN: &str = "so-pin-2b88d6a3";

const SOFT_HSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Tokens of a test.
pub struct SoftHsm {
    folder: tempfile::TempDir,
}

impl SoftHsm {
    /// No token yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(folder.path().join("softhsm2.conf"), configuration).unwrap();
        Self { folder }
    }

    /// With a token `VN` for tests.
    pub fn with_token() -> Self {
        let hsm = Self::new();
        let new = ["keys", "init", "pkcs11:token=VN", "--so-pin", "env:SO_PIN"];
        hsm.run(&[&new[..], &["--environment", "test", "--pin", "env:PIN"]].concat()).success();
        hsm
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What a process that uses the tokens must find in its environment.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("SOFTHSM2_CONF", self.path().join("softhsm2.conf")),
            ("CANCUOC_PKCS11_MODULE", SOFT_HSM.into()),
            ("PIN", PIN.into()),
            ("SO_PIN", SO_PIN.into()),
        ]
    }

    /// The same with the module that fails in between.
    pub fn faulty_environment(&self) -> Vec<(&'static str, PathBuf)> {
        let mut environment = self.environment();
        environment.retain(|(name, _)| *name != "CANCUOC_PKCS11_MODULE");
        environment.extend([
            ("CANCUOC_PKCS11_MODULE", faulty_module().to_owned()),
            ("FAULTY_REAL", SOFT_HSM.into()),
            ("FAULTY_PLAN", self.path().join("plan")),
            ("FAULTY_LOG", self.path().join("log")),
        ]);
        environment
    }

    /// A command of the tool, in English, in the folder of the tokens.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("cancuoc").unwrap();
        command.current_dir(self.path()).envs(self.environment());
        command.args(["--lang", "en"]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        self.command(arguments).assert()
    }

    /// Runs a command behind the module that fails by a plan.
    pub fn run_faulty(&self, plan: &str, arguments: &[&str]) -> assert_cmd::assert::Assert {
        std::fs::write(self.path().join("plan"), plan).unwrap();
        let _ = std::fs::remove_file(self.path().join("log"));
        self.command(arguments).envs(self.faulty_environment()).assert()
    }

    /// How often a function was called in the last such run.
    pub fn calls(&self, function: &str) -> usize {
        let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
        log.lines().filter(|line| *line == function).count()
    }

    /// The document that a command printed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        document(&self.run(&[&["--json"], arguments].concat()).success())
    }

    /// Exit code and code of a command that fails.
    pub fn failure(&self, arguments: &[&str]) -> (i32, String) {
        code(&self.run(&[&["--json"], arguments].concat()).failure())
    }
}

pub fn document(assert: &assert_cmd::assert::Assert) -> Value {
    serde_json::from_slice(&assert.get_output().stdout).unwrap()
}

/// Exit code and code of the error.
pub fn code(assert: &assert_cmd::assert::Assert) -> (i32, String) {
    let exit = assert.get_output().status.code().unwrap();
    (exit, document(assert)["error"]["code"].as_str().unwrap().to_owned())
}

/// All that a command said.
pub fn said(assert: &assert_cmd::assert::Assert) -> String {
    let output = assert.get_output();
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// The module that fails, compiled once.
fn faulty_module() -> &'static Path {
    static MODULE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MODULE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faulty.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/faulty_module.c");
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&path).arg(source);
        assert!(compiler.status().unwrap().success());
        (folder, path)
    });
    path
}

/// Runs a test in a process of its own that finds the tokens in its environment: a module reads it
/// when it starts, and no process has two. True in that process.
pub fn in_own_process(test: &str, environment: Vec<(&'static str, PathBuf)>) -> bool {
    const MARK: &str = "CANCUOC_TEST_IN_OWN_PROCESS";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).envs(environment).env(MARK, "1");
    assert!(command.status().unwrap().success(), "{test}");
    false
}
