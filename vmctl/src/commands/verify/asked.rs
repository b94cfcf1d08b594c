//! What a topology asks of a frame on its way, reckoned from the file alone. Pure.
//!
//! Nothing of the scheduler is used: a mistake in its arithmetic is to show.

use crate::api::status::Way;

/// The ways that a frame passes one after the other, as they are asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// In the order in which they are passed.
    pub ways: Vec<&'a Way>,
}

/// The time that a frame may take, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Not quicker than this.
    pub least: u64,
    /// Not slower, but for what the host adds.
    pub most: u64,
}

impl Asked<'_> {
    /// Bounds for each of the frames that are sent at these instants, in this order: sizes in
    /// octets, without check sequence.
    ///
    /// On the first wire each waits for those before it, exactly. On later ones, jitter leaves
    /// open how close together they come, and losses which of them do.
    pub fn bounds(&self, frames: impl IntoIterator<Item = (u64, u32)>) -> Vec<Bounds> {
        let mut wires = vec![Wire::default(); self.ways.len()];
        let frames = frames.into_iter();
        frames.map(|(sent, bytes)| self.pass(&mut wires, sent, bytes)).collect()
    }

    fn pass(&self, wires: &mut [Wire], sent: u64, bytes: u32) -> Bounds {
        let (mut least, mut most) = (sent, sent);
        for ((way, wire), is_first) in
            self.ways.iter().zip(wires).zip([true].into_iter().chain(std::iter::repeat(false)))
        {
            let on_wire = serialization(way, bytes);
            wire.free = most.max(wire.free) + on_wire;
            least = if is_first { wire.free } else { least + on_wire };
            least += way.delay_ns.saturating_sub(way.jitter_ns);
            wire.last = (wire.free + way.delay_ns + way.jitter_ns).max(wire.last);
            most = wire.last;
        }
        Bounds { least: least - sent, most: most - sent }
    }

    /// The time on all wires of a frame that waits for nothing, in ns.
    pub fn serialization(&self, bytes: u32) -> u64 {
        self.ways.iter().map(|way| serialization(way, bytes)).sum()
    }

    /// Whether they carry frames at all.
    pub fn is_up(&self) -> bool {
        self.ways.iter().all(|way| way.up)
    }

    /// Share of frames that do not arrive.
    pub fn loss(&self) -> f64 {
        any(self.ways.iter().map(|way| if way.up { way.loss } else { 1.0 }))
    }

    /// Whether they are lost in bursts.
    pub fn has_bursts(&self) -> bool {
        self.ways.iter().any(|way| way.loss_model == "gilbert-elliott")
    }

    /// Share of frames that arrive broken. A bit that says which ping it is makes it none of ours.
    pub fn corrupt(&self) -> f64 {
        any(self.ways.iter().map(|way| way.corrupt))
    }

    /// Share of frames that arrive more than once.
    pub fn duplicate(&self) -> f64 {
        any(self.ways.iter().map(|way| way.duplicate))
    }

    /// Share of frames that are held back.
    pub fn reorder(&self) -> f64 {
        any(self.ways.iter().map(|way| way.reorder))
    }

    /// By how much frames can be held back, in ns; 0 is among them.
    pub fn holds(&self) -> Vec<u64> {
        let mut holds = vec![0];
        // Each way that holds back doubles them: no more than matter.
        for way in self.ways.iter().filter(|way| way.reorder > 0.0).take(8) {
            holds.extend(holds.clone().into_iter().map(|held| held + way.delay_ns));
        }
        holds.sort_unstable();
        holds.dedup();
        holds
    }

    /// The sum of delays, in ns.
    pub fn delay(&self) -> u64 {
        self.ways.iter().map(|way| way.delay_ns).sum()
    }

    /// The sum of jitters, in ns.
    pub fn jitter(&self) -> u64 {
        self.ways.iter().map(|way| way.jitter_ns).sum()
    }

    /// Variance of the time that frames take, in ns²: jitter is uniform.
    pub fn variance(&self) -> f64 {
        self.ways.iter().map(|way| (way.jitter_ns as f64).powi(2) / 3.0).sum()
    }

    /// The way on which frames of so many octets take longest, if they take any time.
    pub fn narrowest(&self, bytes: u32) -> Option<&Way> {
        let limited = self.ways.iter().filter(|way| way.rate_bit_per_s.is_some());
        limited.max_by_key(|way| serialization(way, bytes)).copied()
    }

    /// How many frames of so many octets may be sent at once without loss of any, at most `most`.
    pub fn room(&self, bytes: u32, most: u32) -> u32 {
        let limited = self.ways.iter().filter(|way| way.rate_bit_per_s.is_some());
        let rooms = limited.map(|way| {
            let by_bytes = way.queue_bytes.map_or(u64::MAX, |room| room / u64::from(bytes.max(1)));
            by_bytes.min(way.queue_frames.map_or(u64::MAX, u64::from)).saturating_add(1)
        });
        rooms.min().map_or(most, |room| u32::try_from(room).unwrap_or(u32::MAX).min(most))
    }
}

/// A wire, as frames find it.
#[derive(Clone, Copy, Default)]
struct Wire {
    /// When it is free at the latest.
    free: u64,
    /// When the last frame arrives at the latest: none overtakes it.
    last: u64,
}

/// The time that a frame takes on a wire, in ns, rounded up.
pub fn serialization(way: &Way, bytes: u32) -> u64 {
    let Some(rate) = way.rate_bit_per_s.filter(|rate| *rate > 0) else { return 0 };
    let bits = (u128::from(bytes) + u128::from(way.overhead_bytes)) * 8;
    u64::try_from((bits * 1_000_000_000).div_ceil(u128::from(rate))).unwrap_or(u64::MAX)
}

/// The chance that at least one of these happens.
fn any(chances: impl Iterator<Item = f64>) -> f64 {
    1.0 - chances.map(|chance| 1.0 - chance).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::paths::tests::links;
    use super::*;

    fn bounds(keys: &str, frames: &[(u64, u32)]) -> Vec<(u64, u64)> {
        let links = links(&format!(
            "[node.a]\n[node.b]\n[[link]]\nendpoints = ['a:eth0', 'b:eth0']\n{keys}"
        ));
        let asked = Asked { ways: vec![&links[0].forward] };
        let bounds = asked.bounds(frames.iter().copied());
        bounds.into_iter().map(|bounds| (bounds.least, bounds.most)).collect()
    }

    #[test]
    fn a_frame_takes_its_time_on_the_wire_and_the_delay() {
        // 98 + 24 octets at 100 Mbit/s are 9.76 us.
        let keys = "delay = '5ms'\nrate = '100Mbit'";
        assert_eq!(bounds(keys, &[(0, 98)]), [(5_009_760, 5_009_760)]);
        let jitter = format!("{keys}\njitter = '1ms'");
        assert_eq!(bounds(&jitter, &[(0, 98)]), [(4_009_760, 6_009_760)]);
        assert_eq!(bounds("", &[(7, 1514)]), [(0, 0)]);
    }

    #[test]
    fn frames_wait_for_those_before_them() {
        let keys = "rate = '100Mbit'";
        let frames = [(0, 98), (0, 98), (9_760, 98), (1_000_000, 98)];
        assert_eq!(
            bounds(keys, &frames),
            [(9_760, 9_760), (19_520, 19_520), (19_520, 19_520), (9_760, 9_760)]
        );
    }

    #[test]
    fn frames_do_not_overtake_each_other() {
        let keys = "delay = '5ms'\njitter = '5ms'";
        let [first, second] = bounds(keys, &[(0, 98), (1_000_000, 98)])[..] else { panic!() };
        assert_eq!((first, second), ((0, 10_000_000), (0, 10_000_000)));
    }

    #[test]
    fn shares_of_several_ways_add_up() {
        let links = links(
            "[node.a]\n[node.b]\n[node.s]\nkind = 'switch'\n[defaults.link]\nloss = '10%'\n\
             reorder = '1%'\ndelay = '3ms'\nrate = '1Mbit'\nqueue = '3 frames'\n\
             [[link]]\nendpoints = ['a:eth0', 's:p0']\n[[link]]\nendpoints = ['s:p1', 'b:eth0']",
        );
        let asked = Asked { ways: vec![&links[0].forward, &links[1].forward] };
        assert!((asked.loss() - 0.19).abs() < 1e-9, "{}", asked.loss());
        assert_eq!(asked.holds(), [0, 3_000_000, 6_000_000]);
        assert_eq!((asked.room(1514, 32), asked.room(1514, 2)), (4, 2));
        let through = asked.bounds([(0, 98)])[0];
        assert_eq!(
            (through.least, through.most),
            (6_000_000 + 2 * 976_000, 6_000_000 + 2 * 976_000)
        );
    }
}
