//! A guest's seat in the lab: what the daemon knows of it while it lives, and after.
//!
//! ```text
//!            agent answers
//!  Booting ───────────────▶ Ready ── RESET ──▶ Booting …
//!     │  timeout              │
//!     ├────────▶ Silent ──────┤ (answers later: Ready)
//!     └────────▶ Running ─────┤ (no agent is expected: counts as up)
//!                             └── QEMU ends ──▶ Dead
//! ```
//!
//! An agent answers by beginning a session; in a quiet lab, by saying that it is there.

use std::{sync::OnceLock, time::Duration};

use chronotap_guest::{host::Session, schedule::Scheduled};
use rustix::process::Signal;
use tokio::sync::watch;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    attention::Attention, console::Console, describe, perturbed::Perturbed, runs::Runs,
    stopwatch::Stopwatch,
};
use crate::{
    api::{
        access::{Gdb, Ssh},
        failure::Failure,
        status::{self, GuestState},
    },
    lab::{LiveProcess, usage},
    qemu::CONSOLES,
    scenario::{self, Boot},
};

/// How long an agent may take to begin a session that somebody wants. It takes milliseconds of the
/// guest's time, which may pass slowly, or not at all.
const SESSION_WITHIN: Duration = Duration::from_secs(20);

/// How a guest is attended to.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whether nothing is sent to the guest unless somebody asks for it.
    pub quiet: bool,
    /// The commands that it runs by itself.
    pub planned: Vec<Scheduled>,
    /// What the host did to any guest of the lab.
    pub perturbed: Perturbed,
    /// Before it does more.
    pub attention: Attention,
    /// Ways to it beside console and agent.
    pub ways: Ways,
}

/// Ways to a guest beside its console and its agent.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// Over its management network.
    pub ssh: Option<Ssh>,
    /// Into its processors.
    pub gdb: Option<Gdb>,
}

/// A guest in a running lab.
#[derive(Debug)]
pub struct Seat {
    /// The guest as the topology has it.
    pub guest: scenario::Guest,
    /// Its QEMU's process number; meaningful until it is dead.
    pub pid: u32,
    /// Its serial consoles.
    pub consoles: [Console; CONSOLES],
    /// Its scheduled commands.
    pub runs: Runs,
    /// Ways to it beside these.
    pub ways: Ways,
    /// For how long it ran, and for how long it was held.
    pub stopwatch: Stopwatch,
    quiet: bool,
    perturbed: Perturbed,
    attention: Attention,
    life: watch::Sender<Life>,
    /// Its QEMU, whoever waits for its end.
    hold: LiveProcess,
    /// Why its QEMU was killed.
    sentence: OnceLock<String>,
    /// The threads that run its processors, once somebody has looked for them.
    threads: OnceLock<Vec<u32>>,
}

/// What changes in a guest's life.
#[derive(Debug, Clone)]
pub struct Life {
    /// Where it is.
    pub state: GuestState,
    /// Its agent, while it answers.
    pub session: Option<Session>,
    /// Whether somebody waits for a session.
    pub wanted: bool,
    /// How often it has rebooted.
    pub reboots: u64,
}

impl Seat {
    /// The seat of a guest whose QEMU has just started.
    pub fn new(
        guest: scenario::Guest,
        hold: LiveProcess,
        consoles: [Console; CONSOLES],
        terms: Terms,
    ) -> Self {
        let life = Life { state: GuestState::Booting, session: None, wanted: false, reboots: 0 };
        let (pid, life) = (hold.id().pid, watch::Sender::new(life));
        let (sentence, threads) = (OnceLock::new(), OnceLock::new());
        let Terms { quiet, planned, perturbed, attention, ways } = terms;
        let runs = Runs::new(planned);
        Self {
            guest,
            pid,
            consoles,
            runs,
            ways,
            stopwatch: Stopwatch::default(),
            quiet,
            perturbed,
            attention,
            life,
            hold,
            sentence,
            threads,
        }
    }

    /// The guest's name.
    pub fn name(&self) -> &str {
        self.guest.name.as_str()
    }

    /// Its console with this index.
    ///
    /// # Errors
    /// Not found, with what there is.
    pub fn console(&self, index: usize) -> Result<&Console, Failure> {
        self.consoles.get(index).ok_or_else(|| {
            Failure::not_found(format!("guest `{}` has no console {index}", self.name()))
                .remedy("there are 0 and 1")
        })
    }

    /// What tells one run's output from another's: a hash of all that it wrote to its consoles.
    pub fn console_digest(&self) -> u128 {
        let digests = self.consoles.iter().map(|console| console.digest().to_le_bytes());
        xxh3_128(&digests.collect::<Vec<_>>().concat())
    }

    /// Whether nothing is sent to it unless somebody asks for it.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Writes down that the host does something to it: `exec in`, `console input to`. Resolves when
    /// it may.
    ///
    /// # Errors
    /// The lab is going down.
    pub async fn perturb(&self, what: &str) -> Result<(), Failure> {
        self.perturbed.record(|| format!("{what} guest {}", self.name()));
        self.attention.call().await
    }

    /// Its life as of now.
    pub fn life(&self) -> Life {
        self.life.borrow().clone()
    }

    /// Where it is in its life.
    pub fn state(&self) -> GuestState {
        self.life.borrow().state
    }

    /// Follows its life from now on.
    pub fn watch(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Changes its life; a dead guest stays dead.
    pub fn update(&self, change: impl FnOnce(&mut Life)) {
        self.life.send_if_modified(|life| {
            let alive = life.state != GuestState::Dead;
            if alive {
                change(life);
            }
            alive
        });
    }

    /// Kills its QEMU. `why` goes into the journal, after the guest's name, when it has ended; of
    /// several reasons the first one.
    pub fn condemn(&self, why: String) {
        tracing::warn!(guest = self.name(), why, "its QEMU is killed");
        // An earlier reason stands.
        let _ = self.sentence.set(why);
        if let Err(error) = self.hold.signal(Signal::KILL) {
            tracing::error!(guest = self.name(), %error, "its QEMU cannot be killed");
        }
    }

    /// Why its QEMU was killed, if it was.
    pub fn sentence(&self) -> Option<&str> {
        self.sentence.get().map(String::as_str)
    }

    /// Waits for the end of its QEMU, at most for `limit`. Returns whether it has ended.
    pub async fn ends_within(&self, limit: Duration) -> bool {
        let mut life = self.watch();
        let end = life.wait_for(|life| life.state == GuestState::Dead);
        tokio::time::timeout(limit, end).await.is_ok_and(|end| end.is_ok())
    }

    /// Resolves when somebody wants a session.
    pub async fn wanted(&self) {
        let mut life = self.watch();
        // It cannot fail: the sender is ours.
        drop(life.wait_for(|life| life.wanted).await);
    }

    /// Its agent, for somebody who wants a command run. Opens a session if there is none.
    ///
    /// # Errors
    /// When it does not answer now, with the reason; when it begins no session in 20 s.
    pub async fn session(&self) -> Result<Session, Failure> {
        let life = self.life();
        if life.session.is_none() && life.state != GuestState::Ready {
            return Err(self.no_agent(life.state));
        }
        self.perturb("exec in").await?;
        match life.session {
            Some(session) => Ok(session),
            None => self.open_session().await,
        }
    }

    async fn open_session(&self) -> Result<Session, Failure> {
        let mut life = self.watch();
        self.update(|life| life.wanted = true);
        let settled =
            life.wait_for(|life| life.session.is_some() || life.state != GuestState::Ready);
        let Ok(Ok(life)) = tokio::time::timeout(SESSION_WITHIN, settled).await else {
            return Err(Failure::timeout(format!(
                "guest `{}` did not answer in 20 s",
                self.name()
            ))
            .remedy("its time has to pass for that; `vmctl status` says whether it does"));
        };
        life.session.clone().ok_or_else(|| self.no_agent(life.state))
    }

    fn no_agent(&self, state: GuestState) -> Failure {
        let name = self.name();
        match state {
            GuestState::Dead => Failure::runtime(format!("guest `{name}` has ended"))
                .remedy("`vmctl status` says when; `vmctl down` and `vmctl up` start it again"),
            GuestState::Running => Failure::runtime(format!("guest `{name}` has no agent")).remedy(
                match self.ways.ssh {
                    Some(_) => format!("use `vmctl ssh {name} -- COMMAND`"),
                    None => format!("use `vmctl console {name}`"),
                },
            ),
            _ => Failure::runtime(format!("guest `{name}` does not answer yet"))
                .remedy(format!("see what it does with `vmctl console {name}`")),
        }
    }

    /// How to log in over its management network.
    ///
    /// # Errors
    /// When it has none, with what to do instead.
    pub fn ssh(&self) -> Result<Ssh, Failure> {
        let name = self.name();
        self.ways.ssh.clone().ok_or_else(|| {
            let none = Failure::usage(format!("guest `{name}` has no management network"));
            match self.guest.boot {
                Boot::Image(_) => none.remedy(format!(
                    "write `management = true` into [node.{name}] and bring the lab up again, or use \
                     `vmctl console {name}`"
                )),
                _ if self.guest.boot.has_agent() => none.remedy(format!(
                    "use `vmctl exec {name} -- COMMAND` or `vmctl console {name}`"
                )),
                _ => none.remedy(format!("use `vmctl console {name}`")),
            }
        })
    }

    /// How to attach a debugger.
    ///
    /// # Errors
    /// When it listens for none.
    pub fn gdb(&self) -> Result<Gdb, Failure> {
        let name = self.name();
        self.ways.gdb.clone().ok_or_else(|| {
            Failure::usage(format!("guest `{name}` listens for no debugger"))
                .remedy(format!("write `gdb = true` into [node.{name}] and bring the lab up again"))
        })
    }

    /// The guest for `status`, in a lab that is `paused` or not. That a guest stands still between
    /// two windows is no pause.
    pub fn describe(&self, paused: bool, traffic: status::Traffic) -> status::Guest {
        let life = self.life();
        let alive = life.state != GuestState::Dead;
        status::Guest {
            name: self.name().into(),
            state: life.state,
            paused: alive && paused,
            pid: alive.then_some(self.pid),
            addresses: describe::addresses(&self.guest),
            vcpus: self.guest.vcpus,
            memory_bytes: self.guest.memory,
            reboots: life.reboots,
            management: self.ways.ssh.as_ref().map(|ssh| ssh.address),
            vcpu_seconds: self.vcpu_time().filter(|_| alive).map(|time| time.as_secs_f64()),
            traffic,
        }
    }

    /// Host time that its processors have run; `None` when it has ended.
    pub fn vcpu_time(&self) -> Option<Duration> {
        let looked = match self.threads.get() {
            Some(threads) => usage::threads_time(self.pid, threads),
            None => usage::processor_threads(self.pid).and_then(|threads| {
                usage::threads_time(self.pid, self.threads.get_or_init(|| threads))
            }),
        };
        looked.unwrap_or_else(|error| {
            tracing::debug!(guest = self.name(), %error, "its threads cannot be looked at");
            None
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{process::Stdio, sync::Arc};

    use tokio::{
        io::DuplexStream,
        process::{Child, Command},
    };

    use super::*;
    use crate::{
        daemon::{capped_log::CappedLog, console_port},
        lab::ProcessId,
        scenario::{Boot, NodeName, OnExit},
    };

    /// The seat of a guest `bob` whose QEMU is a process that would not end by itself.
    pub fn sleeper(terms: Terms) -> (Arc<Seat>, Child) {
        let (seat, _silent, child) = on_line(terms);
        (seat, child)
    }

    /// The same, with the guest's end of its second console.
    pub fn on_line(terms: Terms) -> (Arc<Seat>, DuplexStream, Child) {
        let mut command = Command::new("sleep");
        let child = command.arg("600").stdin(Stdio::null()).kill_on_drop(true).spawn();
        let child = child.expect("sleep(1)");
        let id = ProcessId::of(child.id().expect("not reaped")).expect("/proc").expect("it lives");
        let hold = id.open().expect("pidfd").expect("it lives");
        let root = tempfile::tempdir().expect("temporary directory");
        let log = |index| CappedLog::open(root.path().join(console_port::log(index)), 1 << 20);
        let (guest, ours) = tokio::io::duplex(4096);
        let first = Console::start(tokio::io::empty(), log(0).expect("a log"));
        let consoles = [first, Console::start(ours, log(1).expect("a log"))];
        let bob = scenario::Guest {
            name: NodeName::new("bob").expect("a name"),
            boot: Boot::BuiltIn,
            access: scenario::Access::default(),
            memory: 128 << 20,
            vcpus: 1,
            on_exit: OnExit::Continue,
            nics: Vec::new(),
            forward: false,
            routes: Vec::new(),
            runs: Vec::new(),
        };
        (Arc::new(Seat::new(bob, hold, consoles, terms)), guest, child)
    }
}
