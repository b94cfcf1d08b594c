//! What a lab in mode `exact` has beside the others: the agent, and what its guests' QEMUs share
//! with the data plane.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chronotap::{
    datapath::{self, Carried, ExactSettings, trial},
    exact::{LONGEST, page},
    pacer::StampSource,
};
use rustix::event::{EventfdFlags, eventfd};
use tokio::task::block_in_place;

use crate::{
    api::failure::Failure,
    lab::NetNs,
    parts::{Part, Parts},
    qemu::{Accel, Acceleration, Binary, ExactLaunch, ExactMachine, RunAs, probe_agent},
    scenario::{CannotBeExact, Exact, Scenario, Speed},
};

/// What runs the guests' instructions: where the file asks for `exact`, QEMU, which counts them.
pub async fn acceleration(scenario: &Scenario, binary: &Binary, user: &RunAs) -> Acceleration {
    match scenario.time.exact() {
        Some(_) => Acceleration::translated("mode exact counts instructions"),
        None => Acceleration::choose(binary, user).await,
    }
}

/// What guests would run on.
pub struct Host<'a> {
    /// QEMU.
    pub binary: &'a Binary,
    /// As whom it runs.
    pub user: &'a RunAs,
    /// What runs the guests' instructions.
    pub accel: Accel,
}

/// Settles in which mode the lab runs, and returns a line about the choice, if there was one.
/// `programs` are the data plane's.
///
/// # Errors
/// The file asks for `exact`, and it cannot be.
pub async fn settle(
    scenario: &mut Scenario,
    host: &Host<'_>,
    parts: &Parts,
    programs: &[u8],
) -> Result<Option<String>, Failure> {
    let able = match host.accel.can_be_exact() {
        Ok(()) if scenario.may_be_exact() => match try_stamps(programs) {
            Ok(()) => try_agent(host.binary, host.user, parts).await,
            unable => unable,
        },
        able => able,
    };
    scenario.settle(able).map_err(|refused| Failure::runtime(refused).remedy(CannotBeExact::REMEDY))
}

/// Whether taps keep the sender's stamp. Where that cannot be tried, whoever needs it to work says why.
fn try_stamps(programs: &[u8]) -> Result<(), String> {
    let tried = block_in_place(|| NetNs::throw_away(|| trial(programs)));
    match tried.map(|trial| trial.taps) {
        Ok(Ok(Carried { stamps: StampSource::Userspace, .. })) => {
            Err("exact needs taps that keep XDP metadata, as those of Linux 6.15 do".to_owned())
        }
        _ => Ok(()),
    }
}

async fn try_agent(binary: &Binary, user: &RunAs, parts: &Parts) -> Result<(), String> {
    let path = parts.path(Part::Agent).map_err(|missing| missing.to_string())?;
    let library = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    probe_agent(binary, user, library).await
}

/// What makes runs of a lab in the mode differ even if nobody touches it, if anything does: QEMU
/// lets a guest's processors take turns (`rr_cpu_thread_fn` in accel/tcg/tcg-accel-ops-rr.c), and a
/// busy host can change whose turn it is.
pub fn turns_of_processors(scenario: &Scenario) -> Option<String> {
    scenario.time.exact()?;
    let guest = scenario.guests.iter().find(|guest| guest.vcpus > 1)?;
    Some(format!("guest {} has {} vcpus, whose turns the host decides", guest.name, guest.vcpus))
}

/// A lab's share in the mode.
#[derive(Debug)]
pub struct Exactness {
    exact: Exact,
    seed: u64,
    library: PathBuf,
    pages: Vec<Arc<OwnedFd>>,
    bell: Arc<OwnedFd>,
}

impl Exactness {
    /// What the lab needs; `None` if it is in another mode.
    ///
    /// # Errors
    /// The agent is missing, or the kernel gives no memory.
    pub fn of(scenario: &Scenario, parts: &Parts) -> Result<Option<Self>, Failure> {
        let Some(exact) = scenario.time.exact().copied() else { return Ok(None) };
        let library = parts.path(Part::Agent)?;
        let failed = |error: io::Error| Failure::runtime(format!("no shared memory: {error}"));
        let pages = scenario.guests.iter().map(|_| Ok(Arc::new(page::create(grain(exact))?)));
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Some(Self {
            exact,
            seed: scenario.seed,
            library,
            pages: pages.collect::<io::Result<_>>().map_err(failed)?,
            bell: Arc::new(bell.map_err(|errno| failed(errno.into()))?),
        }))
    }

    /// The data plane's side. Delivered frames are written to `journal`, if there is one.
    ///
    /// # Errors
    /// The journal cannot be made.
    pub fn settings(&self, journal: Option<&Path>) -> io::Result<ExactSettings> {
        Ok(ExactSettings {
            pages: self.pages.clone(),
            bell: Arc::clone(&self.bell),
            longest: self.exact.quantum.unwrap_or(LONGEST),
            grain: Duration::from_nanos(grain(self.exact).into()),
            speed: match self.exact.speed {
                Speed::Max => datapath::Speed::Max,
                Speed::Wall => datapath::Speed::Real,
            },
            journal: journal.map(File::create).transpose()?,
        })
    }

    /// QEMU's side, for the guest with this index.
    ///
    /// # Errors
    /// No more descriptors, or the agent cannot be read.
    pub fn launch(&self, guest: usize) -> io::Result<ExactLaunch> {
        Ok(ExactLaunch {
            machine: ExactMachine::new(self.exact.shift, self.seed, guest),
            library: File::open(&self.library)?.into(),
            page: self.pages[guest].try_clone()?,
            bell: self.bell.try_clone()?,
        })
    }
}

/// Virtual nanoseconds that an instruction takes.
fn grain(exact: Exact) -> u32 {
    1 << exact.shift.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(mode: &str, vcpus: u32) -> Option<String> {
        let text = format!(
            "version = 1\nname = 'x'\n[time]\nmode = '{mode}'\n[node.a]\n[node.b]\nvcpus = {vcpus}\n\
             [[link]]\nendpoints = ['a:eth0', 'b:eth0']\ndelay = '1ms'\n"
        );
        let scenario = Scenario::parse(&text, Path::new("/t/lab.toml"));
        turns_of_processors(&scenario.unwrap_or_else(|why| panic!("{why}")))
    }

    #[test]
    fn several_processors_are_said_to_make_runs_differ() {
        let said = turns("exact", 2).expect("a reason");
        assert_eq!(said, "guest b has 2 vcpus, whose turns the host decides");
        assert_eq!((turns("exact", 1), turns("lockstep", 2)), (None, None));
    }
}
