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

use std::{sync::OnceLock, time::Duration};

use chronotap_guest::host::Session;
use rustix::process::Signal;
use tokio::sync::watch;

use super::{console::Console, describe};
use crate::{
    api::{
        failure::Failure,
        status::{self, GuestState},
    },
    lab::LiveProcess,
    scenario,
};

/// A guest in a running lab.
#[derive(Debug)]
pub struct Seat {
    /// The guest as the topology has it.
    pub guest: scenario::Guest,
    /// Its QEMU's process number; meaningful until it is dead.
    pub pid: u32,
    /// Its serial console.
    pub console: Console,
    life: watch::Sender<Life>,
    /// Its QEMU, whoever waits for its end.
    hold: LiveProcess,
    /// Why its QEMU was killed.
    sentence: OnceLock<String>,
}

/// What changes in a guest's life.
#[derive(Debug, Clone)]
pub struct Life {
    /// Where it is.
    pub state: GuestState,
    /// Its agent, while it answers.
    pub session: Option<Session>,
    /// How often it has rebooted.
    pub reboots: u64,
}

impl Seat {
    /// The seat of a guest whose QEMU has just started.
    pub fn new(guest: scenario::Guest, hold: LiveProcess, console: Console) -> Self {
        let life = Life { state: GuestState::Booting, session: None, reboots: 0 };
        let (pid, life, sentence) = (hold.id().pid, watch::Sender::new(life), OnceLock::new());
        Self { guest, pid, console, life, hold, sentence }
    }

    /// The guest's name.
    pub fn name(&self) -> &str {
        self.guest.name.as_str()
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

    /// Its agent.
    ///
    /// # Errors
    /// When it does not answer now, with the reason.
    pub fn session(&self) -> Result<Session, Failure> {
        let life = self.life();
        let name = self.name();
        life.session.ok_or_else(|| match life.state {
            GuestState::Dead => Failure::runtime(format!("guest `{name}` has ended"))
                .remedy("`vmctl status` says when; `vmctl down` and `vmctl up` start it again"),
            GuestState::Running => Failure::runtime(format!("guest `{name}` has no agent"))
                .remedy(format!("use `vmctl console {name}`")),
            _ => Failure::runtime(format!("guest `{name}` does not answer yet"))
                .remedy(format!("see what it does with `vmctl console {name}`")),
        })
    }

    /// The guest for `status`, in a lab that is `paused` or not. That a guest stands still between
    /// two windows is no pause.
    pub fn describe(&self, paused: bool) -> status::Guest {
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
        }
    }
}
