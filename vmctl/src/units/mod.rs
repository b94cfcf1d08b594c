//! Quantities with their units, as people write them: `10ms`, `100Mbit`, `64KiB`, `0.1%`.
//!
//! A unit is mandatory: `10` could be seconds to one reader and milliseconds to the next. Numbers
//! are decimal and exact; what the base unit cannot hold is refused, never rounded. Each type
//! displays in the shortest form that reads back as the same value, and serializes as that text.
//!
//! | type | base unit | units |
//! |---|---|---|
//! | [`Delay`] | ns | `ns` `us` `ms` `s` `min` `h` |
//! | [`Rate`] | bit/s | `bit` `kbit` `Mbit` `Gbit` `Tbit`, `B/s` `kB/s` `MB/s` `GB/s` |
//! | [`Size`] | byte | `B` `KiB` `MiB` `GiB` `TiB`, `kB` `MB` `GB` `TB` |
//! | [`Ratio`] | part per 10⁹ | `%` `ppm` |
//! | [`Frequency`] | mHz | `Hz` `kHz` `MHz` `GHz` |

mod error;
mod kinds;
mod limit;
mod quantity;
mod queue;

pub use error::UnitError;
pub use kinds::{Delay, Frequency, Rate, Ratio, Size};
pub use limit::RateLimit;
pub use queue::QueueSize;

/// The candidate nearest to what was written, if any is near enough to be what was meant.
///
/// Long texts are not compared: the effort grows with the product of the lengths, and nobody
/// mistypes a name of hundreds of characters.
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const COMPARABLE: usize = 64;
    // Finds swapped, missing and doubled letters; below it come words that only share letters
    // (`kind` and `initrd`: 0.71).
    const NEAR_ENOUGH: f64 = 0.8;
    if written.len() > COMPARABLE {
        return None;
    }
    let likeness =
        |candidate: &str| strsim::jaro_winkler(&written.to_lowercase(), &candidate.to_lowercase());
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= COMPARABLE)
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
