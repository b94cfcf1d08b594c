//! The battery-backed clock, as /sys/class/rtc/rtc0 shows it: whole seconds.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use super::gaps::Watched;
use crate::tool::clock;

const FILE: &str = "/sys/class/rtc/rtc0/since_epoch";

/// Watched for less, it might not move twice.
const LEAST: Duration = Duration::from_secs(3);

/// What was seen of the RTC.
pub struct Seen {
    /// Its readings, in seconds.
    pub watched: Watched,
    /// Its value, and CLOCK_REALTIME, when it was first read with a new value; both in ns.
    pub steps: Vec<(u64, u64)>,
}

/// Reads it as fast as it goes.
///
/// # Errors
/// If there is no RTC, or it cannot be read.
pub fn watch(span: Duration) -> Result<Seen, String> {
    let because = |error: io::Error| format!("{FILE}: {error}");
    let file = File::open(FILE).map_err(because)?;
    let mut seen = Seen { watched: Watched::new(), steps: Vec::new() };
    let end = clock::monotonic().saturating_add(span.max(LEAST).as_nanos() as u64);
    let mut last = None;
    while clock::monotonic() < end {
        let seconds = read(&file).map_err(because)?;
        let realtime = clock::realtime();
        seen.watched.see(seconds);
        if last.replace(seconds).is_some_and(|last| last != seconds) {
            seen.steps.push((seconds.saturating_mul(1_000_000_000), realtime));
        }
    }
    Ok(seen)
}

fn read(file: &File) -> io::Result<u64> {
    let mut text = [0; 24];
    let length = file.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..length]);
    text.trim().parse().map_err(|_| io::Error::other(format!("`{}` is no time", text.trim())))
}
