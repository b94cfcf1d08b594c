//! What a guest has sent, taken off its port's ring, and whether it is what it should be.

use std::ops::Range;

use crate::port::{Port, Refused, Wire};
use crate::sim::VirtualInstant;
use crate::xsk::{Arrival, Frame, Stamp};

/// Descriptors taken from a ring in one go.
const GULP: u32 = 1024;

/// What is known of the frames that a port has sent.
#[derive(Clone, Copy)]
pub(super) struct Intake {
    /// Position of the next one.
    next: u32,
    /// Instant of the last one.
    last: VirtualInstant,
}

/// How taking in went.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) descriptors: u32,
    /// What is not as it should be.
    pub(super) wrong: Option<&'static str>,
}

impl Intake {
    /// That of a port that has sent nothing yet.
    pub(super) const NEW: Self = Self { next: 0, last: VirtualInstant::ZERO };

    /// Takes in the frames that were sent within `window`, about `room` of them: no more than a ring
    /// holds comes from a guest that stands.
    pub(super) fn take<W: Wire>(
        &mut self,
        port: &mut Port<W>,
        window: &Range<VirtualInstant>,
        room: u32,
        mut submit: impl FnMut(VirtualInstant, Result<Frame, Refused>),
    ) -> Taken {
        let mut taken = Taken::default();
        while port.has_arrivals() && taken.descriptors <= room {
            taken.descriptors += port.receive(GULP, |arrival| {
                // A frame that is refused, as one that is too long, is none that got lost.
                let (frame, stamp) = match arrival {
                    Ok(Arrival { frame, stamp }) => (Ok(frame), stamp),
                    Err(refused) => {
                        let stamp = refused.stamp;
                        (Err(refused), stamp)
                    }
                };
                let stamp = stamp.unwrap_or(Stamp { at_ns: u64::MAX, seq: u32::MAX });
                taken.wrong = self.follow(stamp, window).or(taken.wrong);
                submit(self.last, frame);
            });
        }
        if port.has_arrivals() {
            taken.wrong = Some("frames keep coming while the guest stands");
        }
        taken
    }

    /// Notes a frame; tells what is wrong about it.
    fn follow(&mut self, stamp: Stamp, window: &Range<VirtualInstant>) -> Option<&'static str> {
        let sent = VirtualInstant::from_nanos(stamp.at_ns);
        self.last = sent.clamp(window.start, window.end).max(self.last);
        let is_next = stamp.seq == std::mem::replace(&mut self.next, stamp.seq.wrapping_add(1));
        match (is_next, window.contains(&sent)) {
            (false, _) => Some("frames got lost"),
            (true, false) => Some("a frame was sent outside its window"),
            (true, true) => None,
        }
    }
}
