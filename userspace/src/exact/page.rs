//! The page that is shared with the agent in a guest's QEMU, from the daemon's side.
//!
//! The guest may have taken over its QEMU: whatever it writes here is a number that is checked
//! before anything follows from it, and the file is sealed, so that it cannot shrink under us.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

pub use chronotap_agent_abi::State;
use chronotap_agent_abi::{Count, Page, SIZE};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::thread::futex;

use crate::sim::VirtualInstant;
use crate::xsk::Mapping;

/// Makes the page for a guest whose instructions take `grain` virtual nanoseconds: a file to be
/// given to its QEMU, and to [`SharedPage::of`].
///
/// # Errors
/// The kernel gives no memory.
pub fn create(grain: u32) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("chronotap-agent", flags)?;
    ftruncate(&file, SIZE as u64)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    let mapping = Mapping::of_file(file.as_fd(), SIZE)?;
    let place = mapping.place(0, size_of::<Page>()).cast::<Page>();
    // SAFETY: the place is large enough and aligned to pages, and nobody else maps the file yet.
    unsafe { place.write(Page::new(grain)) };
    Ok(file)
}

/// Where a guest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its clock.
    pub clock: VirtualInstant,
    /// Unless a frame comes it does nothing before this instant; `None`: it has something to do.
    pub idle_until: Option<VirtualInstant>,
}

/// A page, mapped.
pub struct SharedPage(Mapping);

impl SharedPage {
    /// Maps a page that [`create`] made.
    ///
    /// # Errors
    /// As mmap(2).
    pub fn of(file: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(Mapping::of_file(file, SIZE)?))
    }

    fn page(&self) -> &Page {
        let place = self.0.place(0, size_of::<Page>()).cast::<Page>();
        // SAFETY: the place holds a `Page` (`create`), whose fields that change are atomic, and it
        // stays mapped as long as `self` lives.
        unsafe { place.as_ref() }
    }

    /// Lets the guest run to `deadline`. It must stand at a barrier.
    pub fn release(&self, deadline: VirtualInstant) {
        let page = self.page();
        page.deadline.store(deadline.as_nanos(), Ordering::Relaxed);
        page.released.fetch_add(1, Ordering::SeqCst);
        if page.asleep.load(Ordering::SeqCst) != 0 {
            // Fails only for a word that is not mapped.
            let _woken = futex::wake(&page.released, futex::Flags::empty(), 1);
        }
    }

    /// Where the guest stands; `None` while it runs.
    pub fn standing(&self) -> Option<Standing> {
        let page = self.page();
        let (reached, released) =
            (page.reached.load(Ordering::Acquire), page.released.load(Ordering::Relaxed));
        if reached != released.wrapping_add(1) {
            return None;
        }
        let idle_until = match page.idle_until.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(VirtualInstant::from_nanos(nanos)),
        };
        let clock = VirtualInstant::from_nanos(page.clock.load(Ordering::Relaxed));
        Some(Standing { clock, idle_until })
    }

    /// Has the agent ring the bell at the next barrier, or takes that back.
    pub fn want(&self, wanted: bool) {
        self.page().wanted.store(u32::from(wanted), Ordering::SeqCst);
    }

    /// How far the agent has come.
    pub fn state(&self) -> State {
        self.page().state()
    }

    /// Why the agent does not work with its QEMU. Whatever it wrote, as text.
    pub fn refusal(&self) -> String {
        String::from_utf8_lossy(&self.page().refusal().collect::<Vec<_>>()).into_owned()
    }

    /// One count of the agent's.
    pub fn count(&self, count: Count) -> u64 {
        self.page().count(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_page() {
        let file = create(4).expect("memory");
        let (ours, theirs) = (SharedPage::of(file.as_fd()), SharedPage::of(file.as_fd()));
        let (ours, theirs) = (ours.expect("mapped"), theirs.expect("mapped"));
        assert!(theirs.page().is_ours());
        assert_eq!(ours.standing(), None);
        theirs.page().clock.store(7, Ordering::Relaxed);
        theirs.page().reached.fetch_add(1, Ordering::Release);
        let clock = VirtualInstant::from_nanos(7);
        assert_eq!(ours.standing(), Some(Standing { clock, idle_until: None }));
        ours.release(VirtualInstant::from_nanos(9));
        assert_eq!(ours.standing(), None);
        assert!(theirs.page().has_released(1));
        assert_eq!(theirs.page().deadline.load(Ordering::Relaxed), 9);
        theirs.page().refuse("no");
        assert_eq!((ours.state(), ours.refusal().as_str()), (State::Refused, "no"));
    }

    #[test]
    fn nobody_can_shrink_it() {
        let file = create(1).expect("memory");
        assert!(ftruncate(&file, 0).is_err());
    }
}
