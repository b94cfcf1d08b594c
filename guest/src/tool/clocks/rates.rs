//! How fast one clock goes by another. Pure.

use chronotap_guest::report::clocks::Rate;

/// Readings of both clocks that belong together, `(this, by)`: at the begin, in the middle, and at
/// the end. Absent when `by` did not move.
pub fn rate([begin, middle, end]: [(u64, u64); 3]) -> Option<Rate> {
    Some(Rate {
        first_half: slope(begin, middle),
        second_half: slope(middle, end),
        whole: slope(begin, end)?,
    })
}

/// From the instants at which a clock took its steps, `(this, by)`. Absent before there are two
/// steps; halves need three.
pub fn rate_of_steps(steps: &[(u64, u64)]) -> Option<Rate> {
    let [begin, .., end] = *steps else { return None };
    rate([begin, steps[steps.len() / 2], end]).map(|rate| match steps.len() {
        2 => Rate { first_half: None, second_half: None, ..rate },
        _ => rate,
    })
}

fn slope(from: (u64, u64), to: (u64, u64)) -> Option<f64> {
    let this = difference(from.0, to.0);
    let by = difference(from.1, to.1);
    (by != 0.0).then_some(this / by)
}

/// Exact for clocks that were watched for less than 2⁵³ ns, which is 104 days.
fn difference(from: u64, to: u64) -> f64 {
    to.wrapping_sub(from).cast_signed() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: u64 = 1_700_000_000_000_000_000;

    #[test]
    fn halves_and_whole() {
        let found = rate([(LATE, 50), (LATE + 200, 150), (LATE + 500, 250)]).unwrap();
        assert_eq!((found.first_half, found.second_half, found.whole), (Some(2.0), Some(3.0), 2.5));
        let backwards = rate([(500, 0), (400, 100), (300, 200)]).unwrap();
        assert_eq!(backwards.whole, -1.0);
        assert_eq!(rate([(1, 7), (2, 7), (3, 7)]), None);
    }

    #[test]
    fn steps_of_a_slow_clock() {
        let second = 1_000_000_000;
        let step = |number: u64| (LATE + number * second, number * second);
        let steps: Vec<_> = (0..5).map(step).collect();
        let found = rate_of_steps(&steps).unwrap();
        assert_eq!((found.first_half, found.second_half, found.whole), (Some(1.0), Some(1.0), 1.0));
        let two = rate_of_steps(&steps[..2]).unwrap();
        assert_eq!((two.first_half, two.second_half, two.whole), (None, None, 1.0));
        assert_eq!(rate_of_steps(&steps[..1]), None);
        assert_eq!(rate_of_steps(&[]), None);
    }
}
