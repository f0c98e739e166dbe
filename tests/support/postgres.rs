//! A PostgreSQL cluster of the tests' own: in a folder that goes with them, on a socket in it.
#![allow(dead_code)] // each test binary uses a part

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Starts the server and stops it when its standard input ends: also when the tests are killed.
const SCRIPT: &str = r#"
set -eu
trap '' INT
cd "$1"
"$2/initdb" --pgdata=data --username=cancuoc --auth=trust --encoding=UTF8 --no-locale \
    --no-instructions >initdb.log 2>&1
"$2/postgres" -D data -k "$1" -c listen_addresses= -c max_connections=60 -c shared_buffers=16MB \
    -c fsync=on -c synchronous_commit=on >postgres.log 2>&1 &
server=$!
while ! "$2/pg_isready" --quiet --host="$1"; do
    kill -0 $server
    sleep 0.1
done
echo ready
read -r _ || true
kill -INT $server
wait $server || true
rm -rf "$1"
"#;

/// A running cluster, one for all tests of a binary.
pub struct Cluster {
    folder: PathBuf,
    // Its standard input is open as long as this process lives.
    _server: Child,
}

impl Cluster {
    /// The cluster; it is made when it is asked for first.
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("cancuoc-pg").tempdir().unwrap().keep();
        let binaries = binaries();
        let as_root = rustix::process::geteuid().is_root();
        // The server refuses to run as root.
        let mut command = if as_root {
            let owner = Command::new("chown").arg("postgres").arg(&folder).status().unwrap();
            assert!(owner.success(), "the user 'postgres' is missing");
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", SCRIPT, "sh"]).arg(&folder).arg(&binaries).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut line = String::new();
        let out = server.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        assert_eq!(line, "ready\n", "{}", logs(&folder));
        Self { folder, _server: server }
    }

    /// The address of a new, empty database.
    pub fn new_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("journal_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut client = postgres::Client::connect(&self.address("postgres"), postgres::NoTls);
        let client = client.as_mut().unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.address(&name)
    }

    fn address(&self, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user=cancuoc", self.folder.display())
    }
}

/// Debian keeps the programs of each version in a folder of its own.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.expect("PostgreSQL is missing: run 'scripts/install --tests'");
    let folders = versions.flatten().map(|entry| entry.path().join("bin"));
    folders.filter(|folder| folder.join("initdb").exists()).max().unwrap()
}

fn logs(folder: &Path) -> String {
    ["initdb.log", "postgres.log"]
        .map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default())
        .concat()
}
