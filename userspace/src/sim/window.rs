//! Windows of virtual time: how long guests run before they wait for each other.
//!
//! ```text
//! window   ├── quantum ──┼── overrun budget ──┤
//!          start         end
//! frame    ├──────────── lookahead ───────────┴──►  at the soonest from another guest
//! ```
//!
//! A guest is stopped some time after its window's end. As long as none overruns by more than the
//! budget, what one sends in a window is due no sooner than any other has got to, because quantum
//! and budget together are no longer than the lookahead.

use std::time::Duration;

use super::lookahead::LeastPath;
use super::time::VirtualInstant;

/// The least time from any guest to any other: nothing that a guest does reaches another sooner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookahead(Option<Duration>);

impl Lookahead {
    /// That of a network whose least path between two guests is this one.
    pub fn of(least: Option<&LeastPath>) -> Self {
        Self(least.map(|path| path.delay))
    }

    /// Its length; `None` is unlimited, since no two guests are connected.
    pub const fn span(&self) -> Option<Duration> {
        self.0
    }

    /// What a quantum of `span` leaves of it for the overrun budget. Where it is unlimited, as
    /// much again.
    pub fn left_by(&self, span: Duration) -> Duration {
        self.0.map_or(span, |lookahead| lookahead.saturating_sub(span))
    }
}

/// How long a window is, and by how much guests may overrun its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quantum {
    span: Duration,
    budget: Duration,
}

/// Why windows cannot be as long as asked for, or cannot be at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QuantumError {
    /// Frames take no time between two guests, so that none can run ahead of the other.
    #[error("two guests are connected without any delay")]
    NoLookahead,
    /// The lookahead is below [`Quantum::SHORTEST`].
    #[error("the lookahead is {lookahead:?}; windows have at least {:?}", Quantum::SHORTEST)]
    LookaheadTooShort {
        /// The lookahead.
        lookahead: Duration,
    },
    /// The quantum is below [`Quantum::SHORTEST`].
    #[error("a quantum of {span:?} is too short; it has at least {:?}", Quantum::SHORTEST)]
    TooShort {
        /// The quantum.
        span: Duration,
    },
    /// The quantum is above [`Quantum::LONGEST`], or above what the lookahead leaves.
    #[error("a quantum of {span:?} is too long; at most {largest:?} are possible")]
    TooLong {
        /// The quantum.
        span: Duration,
        /// The longest that works with the same budget.
        largest: Duration,
    },
    /// The budget leaves less of the lookahead than [`Quantum::SHORTEST`].
    #[error("an overrun budget of {budget:?} is too large; at most {largest:?} are possible")]
    BudgetTooLarge {
        /// The budget.
        budget: Duration,
        /// The largest that works with the shortest quantum.
        largest: Duration,
    },
}

impl Quantum {
    /// The shortest possible: some ten times what it costs to stop a guest and let it go again.
    pub const SHORTEST: Duration = Duration::from_micros(100);
    /// The longest possible: guests that are not connected are still seen to move.
    pub const LONGEST: Duration = Duration::from_secs(1);
    /// The longest that [`Quantum::auto`] chooses: beyond it, stops cost little any more.
    pub const AUTO: Duration = Duration::from_millis(10);

    /// Windows of `span` that guests may overrun by `budget`.
    ///
    /// # Errors
    /// If `span` is outside [`Quantum::SHORTEST`] to [`Quantum::LONGEST`], or both together are
    /// longer than the lookahead.
    pub fn new(
        span: Duration,
        budget: Duration,
        lookahead: &Lookahead,
    ) -> Result<Self, QuantumError> {
        let largest = largest(budget, lookahead)?;
        match span {
            span if span < Self::SHORTEST => Err(QuantumError::TooShort { span }),
            span if span > largest => Err(QuantumError::TooLong { span, largest }),
            span => Ok(Self { span, budget }),
        }
    }

    /// The longest useful windows: [`Quantum::AUTO`], or what a given budget leaves of the
    /// lookahead, or 4/5 of it, the rest being the budget.
    ///
    /// # Errors
    /// If the lookahead is shorter than [`Quantum::SHORTEST`], or the budget leaves less of it.
    pub fn auto(budget: Option<Duration>, lookahead: &Lookahead) -> Result<Self, QuantumError> {
        let longest = largest(budget.unwrap_or_default(), lookahead)?;
        let share = if budget.is_some() { longest } else { longest * 4 / 5 };
        let span = share.clamp(Self::SHORTEST, Self::AUTO);
        Ok(Self { span, budget: budget.unwrap_or_else(|| lookahead.left_by(span)) })
    }

    /// How long a window is.
    pub const fn span(&self) -> Duration {
        self.span
    }

    /// By how much a guest may overrun a window's end without a frame being late for it.
    pub const fn budget(&self) -> Duration {
        self.budget
    }
}

/// The longest quantum beside `budget`; at least [`Quantum::SHORTEST`].
fn largest(budget: Duration, lookahead: &Lookahead) -> Result<Duration, QuantumError> {
    let Some(lookahead) = lookahead.span() else { return Ok(Quantum::LONGEST) };
    if lookahead.is_zero() {
        return Err(QuantumError::NoLookahead);
    }
    let Some(most) = lookahead.checked_sub(Quantum::SHORTEST) else {
        return Err(QuantumError::LookaheadTooShort { lookahead });
    };
    if budget > most {
        return Err(QuantumError::BudgetTooLarge { budget, largest: most });
    }
    Ok((lookahead - budget).min(Quantum::LONGEST))
}

/// A span of virtual time that all guests run before any of them runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its first instant.
    pub start: VirtualInstant,
    /// The first instant after it.
    pub end: VirtualInstant,
}

impl Window {
    /// The window that begins at `at`.
    pub fn first(at: VirtualInstant, quantum: Quantum) -> Self {
        Self { start: at, end: at + quantum.span }
    }

    /// The window that begins where this one ends.
    #[must_use]
    pub fn next(&self, quantum: Quantum) -> Self {
        Self::first(self.end, quantum)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn us(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    const fn lookahead(count: u64) -> Lookahead {
        Lookahead(Some(us(count)))
    }

    const UNLIMITED: Lookahead = Lookahead(None);

    #[test]
    fn quantum_and_budget_share_the_lookahead() {
        let new = |span, budget| Quantum::new(us(span), us(budget), &lookahead(5_000));
        assert!(new(4_000, 1_000).is_ok());
        assert!(new(5_000, 0).is_ok());
        let too_long = QuantumError::TooLong { span: us(4_001), largest: us(4_000) };
        assert_eq!(new(4_001, 1_000), Err(too_long));
        assert_eq!(new(99, 0), Err(QuantumError::TooShort { span: us(99) }));
        let too_large = QuantumError::BudgetTooLarge { budget: us(4_901), largest: us(4_900) };
        assert_eq!(new(100, 4_901), Err(too_large));
    }

    #[test]
    fn no_delay_or_hardly_any_is_no_lookahead() {
        assert_eq!(Quantum::auto(None, &lookahead(0)), Err(QuantumError::NoLookahead));
        let short = QuantumError::LookaheadTooShort { lookahead: us(99) };
        assert_eq!(Quantum::auto(None, &lookahead(99)), Err(short));
        assert_eq!(Quantum::new(us(100), us(0), &lookahead(99)), Err(short));
    }

    #[test]
    fn unconnected_guests_wait_for_each_other_all_the_same() {
        let quantum = Quantum::auto(None, &UNLIMITED).expect("nothing limits it");
        assert_eq!((quantum.span(), quantum.budget()), (Quantum::AUTO, Quantum::AUTO));
        let (second, more) = (Quantum::LONGEST, Quantum::LONGEST + us(1));
        assert!(Quantum::new(second, us(0), &UNLIMITED).is_ok());
        let too_long = QuantumError::TooLong { span: more, largest: second };
        assert_eq!(Quantum::new(more, us(0), &UNLIMITED), Err(too_long));
    }

    /// Lookahead and given budget → quantum and budget, in microseconds.
    #[test]
    fn what_auto_chooses() {
        let table = [
            (50_000, None, (10_000, 40_000)),
            (12_500, None, (10_000, 2_500)),
            (5_000, None, (4_000, 1_000)),
            (100, None, (100, 0)),
            (5_000, Some(500), (4_500, 500)),
            (50_000, Some(500), (10_000, 500)),
            (5_000, Some(4_900), (100, 4_900)),
        ];
        for (span, budget, expected) in table {
            let quantum = Quantum::auto(budget.map(us), &lookahead(span)).expect("fits");
            let chosen = (quantum.span(), quantum.budget());
            assert_eq!(chosen, (us(expected.0), us(expected.1)), "{span} {budget:?}");
        }
        let too_large = QuantumError::BudgetTooLarge { budget: us(5_000), largest: us(4_900) };
        assert_eq!(Quantum::auto(Some(us(5_000)), &lookahead(5_000)), Err(too_large));
    }

    #[test]
    fn windows_leave_no_gap() {
        let quantum = |span| Quantum::new(us(span), us(0), &UNLIMITED).expect("fits");
        let first = Window::first(VirtualInstant::from_nanos(7), quantum(200));
        let next = first.next(quantum(300));
        assert_eq!(first.end, next.start);
        assert_eq!((first.end - first.start, next.end - next.start), (us(200), us(300)));
    }

    proptest! {
        /// What is accepted keeps the promise; what is chosen would be accepted; and the longest
        /// that an error names works.
        #[test]
        fn quanta_fit(
            span in 0u64..20_000,
            budget in prop::option::of(0u64..20_000),
            limit in prop::option::of(0u64..20_000),
        ) {
            let lookahead = Lookahead(limit.map(us));
            let given = budget.map_or_else(|| lookahead.left_by(us(span)), us);
            let fits = |quantum: Quantum| {
                let both = quantum.span() + quantum.budget();
                let limits = Quantum::SHORTEST..=Quantum::LONGEST;
                limits.contains(&quantum.span()) && lookahead.span().is_none_or(|l| both <= l)
            };
            match Quantum::new(us(span), given, &lookahead) {
                Ok(quantum) => prop_assert!(fits(quantum)),
                Err(QuantumError::TooLong { largest, .. }) => {
                    prop_assert!(Quantum::new(largest, given, &lookahead).is_ok());
                    prop_assert!(Quantum::new(largest + us(1), given, &lookahead).is_err());
                }
                Err(_) => {}
            }
            if let Ok(auto) = Quantum::auto(budget.map(us), &lookahead) {
                prop_assert!(fits(auto));
                prop_assert_eq!(Quantum::new(auto.span(), auto.budget(), &lookahead), Ok(auto));
            }
        }
    }
}
