//! Pings as they went from one interface to another: sightings, put together. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::api::pings::Sighting;

/// The clock that trips are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The host's: mode `realtime`, while nothing is paused.
    Host,
    /// The lab's.
    Virtual,
}

/// A frame that left a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Which `ping` sent it; absent for pings of others, which only use the wire.
    pub id: Option<u16>,
    /// It is a reply.
    pub reply: bool,
    /// Octets of the frame.
    pub bytes: u32,
    /// When the guest sent it, in ns.
    pub sent: u64,
    /// When the other guest had it, in ns; absent when it never had.
    pub arrived: Option<u64>,
    /// How often it arrived beyond the first time.
    pub copies: u64,
    /// The lab was paused meanwhile: the host's clock says nothing of it.
    pub paused: bool,
}

/// By how much the two clocks may differ over a trip without a pause, in ns: each is read to 1 ns.
const SAME: u64 = 1_000;

/// All pings that left `from`, in the order in which they did; those whose identifier is in `ids`
/// with what became of them at `to`.
pub fn trips(
    seen: &[Sighting],
    ids: &Range<u16>,
    [from, to]: [&str; 2],
    clock: Clock,
) -> Vec<Trip> {
    let mut arrivals: BTreeMap<_, Vec<&Sighting>> = BTreeMap::new();
    for sighting in seen.iter().filter(|sighting| !sighting.entered && sighting.at == to) {
        arrivals.entry(which(sighting)).or_default().push(sighting);
    }
    let left = seen.iter().filter(|sighting| sighting.entered && sighting.at == from);
    let trips = left.map(|sent| {
        let ours = ids.contains(&sent.id);
        // A number that comes again, after 65536 others, finds the arrivals of the first taken.
        let arrived = if ours { arrivals.remove(&which(sent)) } else { None };
        trip(sent, &arrived.unwrap_or_default(), ours, clock)
    });
    trips.collect()
}

fn which(sighting: &Sighting) -> (u16, bool, u16) {
    (sighting.id, sighting.reply, sighting.seq)
}

fn trip(sent: &Sighting, arrived: &[&Sighting], ours: bool, clock: Clock) -> Trip {
    let read = |sighting: &Sighting| match clock {
        Clock::Host => sighting.host_ns.unwrap_or(sighting.virtual_ns),
        Clock::Virtual => sighting.virtual_ns,
    };
    let first = arrived.first().copied();
    let paused = first.is_some_and(|first| {
        let span = |of: fn(&Sighting) -> u64| of(first).saturating_sub(of(sent));
        let by_host = span(|sighting| sighting.host_ns.unwrap_or(sighting.virtual_ns));
        clock == Clock::Host && by_host.abs_diff(span(|sighting| sighting.virtual_ns)) > SAME
    });
    Trip {
        id: ours.then_some(sent.id),
        reply: sent.reply,
        bytes: sent.bytes,
        sent: read(sent),
        arrived: first.map(read),
        copies: arrived.len().saturating_sub(1) as u64,
        paused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: &str, entered: bool, id: u16, host: u64, virt: u64) -> Sighting {
        let host_ns = Some(host);
        let at = at.to_owned();
        Sighting { at, entered, reply: false, id, seq: 1, bytes: 98, host_ns, virtual_ns: virt }
    }

    #[test]
    fn a_ping_is_found_again_at_the_other_end_and_by_the_right_clock() {
        let sightings = [
            seen("a:eth0", true, 5, 1_000_000, 0),
            seen("a:eth0", true, 9, 1_000_100, 100),
            seen("b:eth0", false, 9, 1_000_200, 200),
            seen("b:eth0", false, 5, 6_000_000, 5_000_000),
            seen("b:eth0", false, 5, 6_000_010, 5_000_010),
            seen("b:eth0", true, 5, 7_000_000, 6_000_000),
        ];
        let ends = ["a:eth0", "b:eth0"];
        let [ours, other] = &trips(&sightings, &(5..6), ends, Clock::Host)[..] else { panic!() };
        assert_eq!((ours.sent, ours.arrived, ours.copies), (1_000_000, Some(6_000_000), 1));
        assert_eq!((ours.id, ours.paused, other.id, other.arrived), (Some(5), false, None, None));
        let by_lab = &trips(&sightings, &(5..6), ends, Clock::Virtual)[0];
        assert_eq!((by_lab.sent, by_lab.arrived), (0, Some(5_000_000)));
        assert_eq!(trips(&sightings, &(5..6), ["b:eth0", "a:eth0"], Clock::Host)[0].arrived, None);
    }

    #[test]
    fn a_trip_over_a_pause_is_marked() {
        let sightings =
            [seen("a:eth0", true, 5, 0, 0), seen("b:eth0", false, 5, 90_000_000, 5_000_000)];
        let trip = |clock| trips(&sightings, &(0..9), ["a:eth0", "b:eth0"], clock)[0].paused;
        assert_eq!((trip(Clock::Host), trip(Clock::Virtual)), (true, false));
    }
}
