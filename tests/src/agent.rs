//! A QEMU with the agent of mode `exact` in it, and the test in the daemon's place.
//!
//! Its firmware is sixteen octets of the test's own, so that nothing has to boot.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use chronotap::exact::Standing;
use chronotap::exact::page::{self, SharedPage, State};
use chronotap::sim::VirtualInstant;
use chronotap_agent_abi::Count;
use command_fds::{CommandFdExt as _, FdMapping};
use rustix::event::{EventfdFlags, eventfd};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programs;
use crate::site::PATIENT;

/// What the guest does from its first instruction on.
#[derive(Clone, Copy, Debug)]
pub enum Firmware {
    /// Counts up the 32 bits at 0x1000.
    Counts,
    /// Halts, deaf to interrupts.
    Halts,
}

impl Firmware {
    /// 64 KiB that end with the reset vector.
    fn image(self) -> Vec<u8> {
        let code: &[u8] = match self {
            // xor ax, ax; mov ds, ax; again: inc dword [0x1000]; jmp again
            Self::Counts => b"\x31\xc0\x8e\xd8\x66\xff\x06\x00\x10\xeb\xf9",
            // cli; again: hlt; jmp again
            Self::Halts => b"\xfa\xf4\xeb\xfd",
        };
        let mut image = vec![0; 1 << 16];
        image[0xfff0..0xfff0 + code.len()].copy_from_slice(code);
        image
    }
}

/// What a QEMU is started with.
#[derive(Debug)]
pub struct Start {
    /// Its guest.
    pub firmware: Firmware,
    /// `-icount`, if it is given.
    pub icount: Option<&'static str>,
    /// The file that the agent is to find its page in.
    pub page: OwnedFd,
    /// The agent's arguments.
    pub words: String,
    /// What starts QEMU instead of the test: its words before QEMU's.
    pub by: Vec<String>,
}

impl Start {
    /// An orderly start with instructions of `1 << shift` nanoseconds.
    ///
    /// # Panics
    /// Without memory.
    pub fn new(firmware: Firmware, icount: &'static str, grain: u32) -> Self {
        let page = page::create(grain).expect("a page");
        let words = "page=3,bell=4,nics=".to_owned();
        Self { firmware, icount: Some(icount), page, words, by: Vec::new() }
    }

    /// Starts it. The guest does not run yet.
    ///
    /// # Panics
    /// If there is no QEMU.
    pub fn start(self) -> Machine {
        let place = TempDir::new().expect("a directory");
        let path = |name| place.path().join(name);
        std::fs::write(path("firmware"), self.firmware.image()).expect("written");
        let qemu = "qemu-system-x86_64".to_owned();
        let words: Vec<String> = self.by.into_iter().chain([qemu]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-S"]);
        command.args(["-machine", "q35,hpet=on", "-accel", "tcg", "-m", "16"]);
        command.args(self.icount.into_iter().flat_map(|icount| ["-icount", icount]));
        command.arg("-bios").arg(path("firmware")).arg("-qmp");
        command.arg(format!("unix:{},server=on,wait=off", path("qmp").display()));
        let library = programs::parts().join("libchronotap_agent.so");
        command.arg("-plugin").arg(format!("file={},{}", library.display(), self.words));
        let shared = SharedPage::of(self.page.as_fd()).ok();
        let bell = eventfd(0, EventfdFlags::CLOEXEC).expect("a bell");
        let passed = [(self.page, 3), (bell, 4)];
        let passed = passed.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(passed.into()).expect("no number twice");
        // A QEMU that survives its test must not hold the test's own output.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(path("errors")).expect("a file"));
        let child = command.spawn().expect("a QEMU");
        Machine { child, shared, place }
    }
}

/// A QEMU. Dropping it kills it.
pub struct Machine {
    child: Child,
    shared: Option<SharedPage>,
    /// Its files.
    pub place: TempDir,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Machine {
    /// The page that it shares.
    ///
    /// # Panics
    /// If it was given something else.
    pub fn page(&self) -> &SharedPage {
        self.shared.as_ref().expect("a page")
    }

    /// Lets the guest run for the first time, and waits until it stands at zero.
    pub fn begin(&self) -> Qmp {
        let mut qmp = self.qmp();
        assert_eq!(self.page().state(), State::Ready, "{}", self.errors());
        qmp.ask("cont");
        assert_eq!(self.standing().clock, VirtualInstant::ZERO);
        qmp
    }

    /// Lets the guest run to an instant, and tells where it stands then.
    pub fn run_to(&self, nanos: u64) -> Standing {
        self.page().release(VirtualInstant::from_nanos(nanos));
        self.standing()
    }

    /// Waits until the guest stands at a barrier.
    pub fn standing(&self) -> Standing {
        let standing = within_patience(|| self.page().standing());
        standing.unwrap_or_else(|| panic!("no barrier; {}", self.errors()))
    }

    /// A count of the agent's.
    pub fn count(&self, count: Count) -> u64 {
        self.page().count(count)
    }

    /// Connects to its monitor.
    pub fn qmp(&self) -> Qmp {
        let connect = || UnixStream::connect(self.place.path().join("qmp")).ok();
        let stream = within_patience(connect).unwrap_or_else(|| panic!("{}", self.errors()));
        Qmp::greet(stream)
    }

    /// What it has said on its standard error.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.place.path().join("errors")).unwrap_or_default()
    }

    /// The process that was started.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If that does not come.
    pub fn ended(&mut self) -> ExitStatus {
        let ended = within_patience(|| self.child.try_wait().expect("ours"));
        ended.unwrap_or_else(|| panic!("it does not end; {}", self.errors()))
    }
}

/// Asks again and again, for as long as anybody would wait.
pub fn within_patience<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        match ask() {
            None if begun.elapsed() < PATIENT => std::thread::sleep(Duration::from_millis(1)),
            answer => return answer,
        }
    }
}

/// A connection to a monitor. Nothing is waited for beyond patience.
#[derive(Debug)]
pub struct Qmp(BufReader<UnixStream>);

impl Qmp {
    fn greet(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENT)).expect("a timeout");
        let mut qmp = Self(BufReader::new(stream));
        qmp.hear("QMP");
        qmp.ask("qmp_capabilities");
        qmp
    }

    /// Executes a command without arguments, and gives what it returns.
    pub fn ask(&mut self, command: &str) -> Value {
        self.tell(command, json!({}));
        self.hear("return")
    }

    /// Says a command, and does not wait for an answer.
    ///
    /// # Panics
    /// If QEMU is gone.
    pub fn tell(&mut self, command: &str, arguments: Value) {
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        self.0.get_mut().write_all(line.as_bytes()).expect("it listens");
    }

    /// The 32 bits at an address of the guest's memory.
    pub fn peek(&mut self, address: u32) -> u32 {
        let line = json!({ "command-line": format!("xp/wx {address:#x}") });
        self.tell("human-monitor-command", line);
        let answer = self.hear("return");
        let number = answer.as_str().and_then(|text| text.trim().rsplit_once("0x"));
        u32::from_str_radix(number.expect("a number").1, 16).expect("hexadecimal")
    }

    /// Waits for a message with this key, and gives what it holds there.
    ///
    /// # Panics
    /// If none comes.
    pub fn hear(&mut self, key: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).expect("an answer"), 0, "no {key}");
            let mut message: Value = serde_json::from_str(&line).expect("JSON");
            assert!(message.get("error").is_none(), "{message}");
            if let Some(value) = message.get_mut(key) {
                return value.take();
            }
        }
    }
}
