//! The guests' pages, and for how long each guest was let run.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use chronotap_agent_abi::{Count, State};

use crate::datapath::host_now;
use crate::exact::{Gates, SharedPage, Standing};
use crate::sim::{GuestId, HostInstant, VirtualInstant};

/// The guests' pages.
pub(in crate::datapath) struct Pages(Vec<(SharedPage, Laps)>);

/// For how long a guest was let run, until it was seen to stand.
#[derive(Default)]
struct Laps {
    since: Cell<Option<HostInstant>>,
    ran: Cell<Duration>,
}

impl Laps {
    fn end(&self) {
        if let Some(since) = self.since.take() {
            self.ran.set(self.ran.get() + host_now().saturating_since(since));
        }
    }
}

impl Pages {
    /// Maps them all.
    pub(in crate::datapath) fn map(files: &[Arc<OwnedFd>]) -> io::Result<Self> {
        let pages = files.iter().map(|file| Ok((SharedPage::of(file.as_fd())?, Laps::default())));
        Ok(Self(pages.collect::<io::Result<_>>()?))
    }

    pub(super) fn of(&self, guest: GuestId) -> &SharedPage {
        &self.0[guest.0 as usize].0
    }

    /// What the first agent says that does not work with its QEMU.
    pub(super) fn refusal(&self) -> Option<String> {
        let mut pages = self.0.iter().map(|(page, _)| page);
        Some(pages.find(|page| page.state() == State::Refused)?.refusal())
    }

    /// Tells for how long each guest was let run.
    pub(super) fn tell_ran(&self, into: &mut Vec<Duration>) {
        into.clear();
        into.extend(self.0.iter().map(|(_, laps)| laps.ran.get()));
    }
}

impl Gates for Pages {
    fn release(&mut self, guest: GuestId, deadline: VirtualInstant) {
        let (page, laps) = &self.0[guest.0 as usize];
        laps.since.set(Some(host_now()));
        page.release(deadline);
    }

    fn standing(&self, guest: GuestId) -> Option<Standing> {
        let (page, laps) = &self.0[guest.0 as usize];
        let standing = page.standing();
        if standing.is_some() {
            laps.end();
        }
        standing
    }

    fn complaint(&self, guest: GuestId) -> Option<&'static str> {
        let page = self.of(guest);
        Count::ALL.into_iter().find_map(|count| {
            let complaint = count.complaint()?;
            (page.count(count) > 0).then_some(complaint)
        })
    }
}
