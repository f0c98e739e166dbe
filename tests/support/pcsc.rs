//! The real PC/SC stack for tests: `pcscd` with vsmartcard's virtual reader.

#![allow(clippy::expect_used)] // a test without its stack has failed

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Address on which the first virtual reader waits for a card.
pub const VPCD: &str = "127.0.0.1:35963";

/// Port of the first virtual reader; the driver has two, on this port and the next.
const FIRST_PORT: u16 = 35_963;

/// The readers' driver as the system has it.
const DRIVER: &str = "/etc/reader.conf.d/vpcd";

/// A running PC/SC daemon with virtual readers, for one test at a time.
///
/// Tests of several processes share one daemon and two virtual readers, so each takes a lock that
/// is given back when this is dropped.
pub struct PcscStack {
    daemon: Option<Child>,
    /// Configuration and drivers of a daemon with more readers than the system has.
    more: Option<TempDir>,
    readers: Vec<VirtualReader>,
    _lock: File,
}

/// A virtual reader.
#[derive(Debug, Clone)]
pub struct VirtualReader {
    /// Where it waits for a card.
    pub address: String,
    /// Its name in PC/SC.
    pub name: String,
}

impl PcscStack {
    /// Takes the stack, starting the daemon where none runs.
    ///
    /// `None` where no daemon can run on this machine; the reason is printed. With `CI` set that is
    /// a failure: a continuous integration run must not skip these tests in silence.
    pub fn take() -> Option<Self> {
        Self::take_with(1)
    }

    /// Takes it with so many pairs of readers; with one pair where a daemon runs already.
    pub fn take_with(pairs: u16) -> Option<Self> {
        let path = std::env::temp_dir().join("cancuoc-pcsc-tests.lock");
        let lock = File::options().create(true).append(true).open(path).expect("lock file");
        lock.lock().expect("lock");
        let runs = listens(FIRST_PORT);
        let pairs = if runs { 1 } else { pairs };
        let more = if pairs > 1 { drivers(pairs) } else { None };
        let pairs = if more.is_some() { pairs } else { 1 };
        let readers = (0..2 * pairs).map(virtual_reader).collect();
        let mut stack = Self { daemon: None, more, readers, _lock: lock };
        if !runs {
            stack.start();
        }
        if wait_until(|| (0..2 * pairs).all(|n| listens(FIRST_PORT + n))) {
            return Some(stack);
        }
        assert!(std::env::var_os("CI").is_none(), "no PC/SC daemon with virtual readers");
        eprintln!("skipped: no PC/SC daemon with virtual readers can run here");
        None
    }

    /// The readers, all empty.
    pub fn readers(&self) -> &[VirtualReader] {
        &self.readers
    }

    /// Stops the daemon and starts it again; false where it is not this test's own. In between the
    /// given function runs.
    pub fn restart(&mut self, meanwhile: impl FnOnce()) -> bool {
        if self.daemon.is_none() {
            return false;
        }
        self.stop();
        meanwhile();
        self.start();
        wait_until(|| listens(FIRST_PORT))
    }

    fn start(&mut self) {
        let mut command = Command::new("pcscd");
        command.args(["--foreground", "--error"]).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(more) = &self.more {
            command.arg("--config").arg(more.path().join("readers"));
        }
        self.daemon = command.spawn().map_err(|e| eprintln!("pcscd does not start: {e}")).ok();
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

/// A configuration with so many pairs of readers. The driver keeps its two readers in global
/// variables, so each pair has a copy of it.
fn drivers(pairs: u16) -> Option<TempDir> {
    let system = std::fs::read_to_string(DRIVER).ok()?;
    let library = system.lines().find_map(|line| line.trim().strip_prefix("LIBPATH"))?.trim();
    let folder = tempfile::tempdir().expect("folder");
    let configuration = folder.path().join("readers");
    std::fs::create_dir(&configuration).expect("folder");
    for pair in 0..pairs {
        let driver = folder.path().join(format!("driver-{pair}.so"));
        std::fs::copy(Path::new(library), &driver).ok()?;
        let (name, port) = (friendly_name(pair), FIRST_PORT + 2 * pair);
        let text = format!(
            "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{port:#x}\nLIBPATH {}\nCHANNELID {port:#x}\n",
            driver.display()
        );
        std::fs::write(configuration.join(format!("pair-{pair}")), text).expect("configuration");
    }
    Some(folder)
}

fn friendly_name(pair: u16) -> String {
    match pair {
        0 => "Virtual PCD".to_owned(),
        pair => format!("Virtual PCD {}", char::from(b'A' + pair as u8)),
    }
}

fn virtual_reader(number: u16) -> VirtualReader {
    VirtualReader {
        address: format!("127.0.0.1:{}", FIRST_PORT + number),
        name: format!("{} 00 {:02X}", friendly_name(number / 2), number % 2),
    }
}

fn listens(port: u16) -> bool {
    // Connecting would plug a card in for a moment; looking at the socket table does not.
    let port = format!(":{port:04X} ");
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
