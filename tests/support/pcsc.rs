//! The real PC/SC stack for tests: `pcscd` with vsmartcard's virtual reader.

#![allow(clippy::expect_used)] // a test without its stack has failed

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Address on which the first virtual reader waits for a card.
pub const VPCD: &str = "127.0.0.1:35963";

/// A running PC/SC daemon with virtual readers, for one test at a time.
///
/// Tests of several processes share one daemon and two virtual readers, so each takes a lock that
/// is given back when this is dropped.
pub struct PcscStack {
    daemon: Option<Child>,
    _lock: File,
}

impl PcscStack {
    /// Takes the stack, starting the daemon where none runs.
    ///
    /// `None` where no daemon can run on this machine; the reason is printed. With `CI` set that is
    /// a failure: a continuous integration run must not skip these tests in silence.
    pub fn take() -> Option<Self> {
        let path = std::env::temp_dir().join("cancuoc-pcsc-tests.lock");
        let lock = File::options().create(true).append(true).open(path).expect("lock file");
        lock.lock().expect("lock");
        let daemon = if virtual_reader_listens() { None } else { start_daemon() };
        if wait_until(virtual_reader_listens) {
            return Some(Self { daemon, _lock: lock });
        }
        assert!(std::env::var_os("CI").is_none(), "no PC/SC daemon with virtual readers");
        eprintln!("skipped: no PC/SC daemon with virtual readers can run here");
        None
    }
}

impl PcscStack {
    /// Stops the daemon and starts it again; false where it is not this test's own. In between the
    /// given function runs.
    pub fn restart(&mut self, meanwhile: impl FnOnce()) -> bool {
        if self.daemon.is_none() {
            return false;
        }
        self.stop();
        meanwhile();
        self.daemon = start_daemon();
        wait_until(virtual_reader_listens)
    }

    fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // SIGTERM lets the daemon remove its socket; SIGKILL would leave it behind.
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

impl Drop for PcscStack {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_daemon() -> Option<Child> {
    let mut command = Command::new("pcscd");
    command.args(["--foreground", "--error"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|e| eprintln!("pcscd does not start: {e}")).ok()
}

fn virtual_reader_listens() -> bool {
    // Connecting would plug a card in for a moment; looking at the socket table does not.
    let port = format!(":{:04X} ", 35_963);
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let lines = std::fs::read_to_string(table).unwrap_or_default();
        lines.lines().any(|l| l.contains(&port) && l.contains(" 0A "))
    })
}

/// Whether the condition becomes true within ten seconds.
pub fn wait_until(condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
