//! Several clocks read in turn, as fast as it goes.

use std::time::Duration;

use super::gaps::Watched;
use crate::tool::clock;

/// Turns from which the quickest is taken as the one in which all readings belong together.
const TRIALS: usize = 256;

/// Readings of one turn; the first is always [`clock::monotonic`].
type Turn<const N: usize> = [u64; N];

/// `N` clocks under watch.
pub struct Turns<const N: usize> {
    read: fn() -> Turn<N>,
    watched: [Watched; N],
    last: Turn<N>,
    /// What remains before the loop gives up: a clock that stands still must not hold it for ever.
    left: u64,
}

impl<const N: usize> Turns<N> {
    /// Watches for so long. Returns what became of each clock, and a turn each from the begin, the
    /// middle and the end.
    pub fn watch(read: fn() -> Turn<N>, span: Duration) -> ([Watched; N], [Turn<N>; 3]) {
        let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let first = read();
        let watched = std::array::from_fn(|_| Watched::new());
        // No turn takes less than 10 ns.
        let mut turns = Self { read, watched, last: first, left: span / 10 };
        let begin = turns.quickest();
        turns.turn_until(first[0].saturating_add(span / 2));
        let middle = turns.quickest();
        turns.turn_until(first[0].saturating_add(span));
        let end = turns.quickest();
        (turns.watched, [begin, middle, end])
    }

    fn turn_until(&mut self, deadline: u64) {
        while self.last[0] < deadline && self.left > 0 {
            self.left -= 1;
            self.turn();
        }
    }

    /// Turns a few times and returns the turn that nothing came between.
    fn quickest(&mut self) -> Turn<N> {
        let mut best = (u64::MAX, self.last);
        for _ in 0..TRIALS {
            let turn = self.turn();
            // The next turn's first reading is this one's end.
            let took = self.turn()[0].saturating_sub(turn[0]);
            best = if took < best.0 { (took, turn) } else { best };
        }
        best.1
    }

    #[inline]
    fn turn(&mut self) -> Turn<N> {
        self.last = (self.read)();
        for (watched, reading) in self.watched.iter_mut().zip(self.last) {
            watched.see(reading);
        }
        self.last
    }
}

/// All that can be read without a look into files.
pub fn read_all() -> Turn<5> {
    [clock::monotonic(), clock::tsc(), clock::monotonic_raw(), clock::realtime(), clock::boottime()]
}

/// What is needed while the clocksource is another one.
pub fn read_source() -> Turn<3> {
    [clock::monotonic(), clock::tsc(), clock::monotonic_raw()]
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local!(static NOW: Cell<u64> = const { Cell::new(0) });

    /// Two clocks of which the second goes twice as fast, and jumps at 500.
    fn read() -> Turn<2> {
        let now = NOW.get() + 10;
        NOW.set(now);
        [now, 2 * now + if now > 60_000 { 1000 } else { 0 }]
    }

    #[test]
    fn a_clock_that_jumps_is_told_from_one_that_does_not() {
        let ([steady, jumpy], turns) = Turns::watch(read, Duration::from_micros(100));
        use chronotap_guest::report::clocks::Unit;
        let (steady, jumpy) = (steady.readings(Unit::Ns), jumpy.readings(Unit::Ns));
        assert_eq!(steady.gaps.largest, 10);
        assert_eq!((jumpy.gaps.largest, jumpy.gaps.top[1].gap), (1020, 20));
        assert_eq!(steady.reads, jumpy.reads);
        let [begin, _, end] = turns;
        assert_eq!(end[1] - begin[1], 2 * (end[0] - begin[0]) + 1000);
    }

    #[test]
    fn a_clock_that_stands_still_does_not_hold_the_loop() {
        let ([watched], _) = Turns::watch(|| [7], Duration::from_millis(1));
        assert!(watched.readings(chronotap_guest::report::clocks::Unit::Ns).span == 0);
    }

    #[test]
    fn the_real_clocks_move() {
        let (_, [begin, _, end]) = Turns::watch(read_all, Duration::from_millis(5));
        assert!(begin.iter().zip(end).all(|(begin, end)| *begin < end), "{begin:?} {end:?}");
    }
}
