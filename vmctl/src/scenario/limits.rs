//! What a lab may have at most, and at least. A file beyond a limit is refused with its name.

use std::ops::RangeInclusive;
use std::time::Duration;

use chronotap::sim::Quantum;

/// Guests in a lab.
pub const GUESTS: usize = 64;
/// Switches in a lab.
pub const SWITCHES: usize = 256;
/// Links in a lab.
pub const LINKS: usize = 1024;
/// NICs of a guest: half of the 32 slots of a PCI bus.
pub const NICS: usize = 16;

/// Memory of a guest in bytes: from what a small kernel of one's own may do with.
pub const MEMORY: RangeInclusive<u64> = 32 << 20..=1 << 40;
/// Memory of a guest is a whole number of these.
pub const MEMORY_STEP: u64 = 1 << 20;
/// Virtual CPUs of a guest.
pub const VCPUS: RangeInclusive<u64> = 1..=64;
/// Octets of a kernel command line: x86's COMMAND_LINE_SIZE.
pub const COMMAND_LINE: usize = 2048;

/// Delay of a link direction in ns: up to a day (Voyager 1 is 23 light-hours away).
pub const DELAY: RangeInclusive<u64> = 0..=24 * 3600 * NANOS;
/// Rate of a link direction in bit/s.
pub const RATE: RangeInclusive<u64> = 1_000..=100_000_000_000;
/// Bytes in a queue.
pub const QUEUE_BYTES: RangeInclusive<u64> = 0..=1 << 30;
/// Frames in a queue.
pub const QUEUE_FRAMES: RangeInclusive<u64> = 0..=1_000_000;
/// Wire overhead of a frame in bytes.
pub const OVERHEAD: RangeInclusive<u64> = 0..=1024;
/// MTU in bytes: from the least of IPv4 (RFC 791) to the usual jumbo frame.
pub const MTU: RangeInclusive<u64> = 68..=9216;
/// MTU where the file says none.
pub const MTU_DEFAULT: u32 = 1500;

/// Lateness that counts as overload, in ns.
pub const TOLERANCE: RangeInclusive<u64> = 10_000..=10 * NANOS;
/// Tolerance where the file says none.
pub const TOLERANCE_DEFAULT: Duration = Duration::from_millis(2);
/// Length of a window in ns.
pub const QUANTUM: RangeInclusive<u64> =
    Quantum::SHORTEST.as_nanos() as u64..=Quantum::LONGEST.as_nanos() as u64;
/// Cap on the length of a window in mode `exact`, in ns. Stops there cost some ten microseconds and
/// are exact, so windows may be shorter than in lockstep, and need not be as long.
pub const EXACT_QUANTUM: RangeInclusive<u64> = 1_000..=NANOS / 10;
/// Virtual time at which `vmctl run` stops, in ns.
pub const UNTIL: RangeInclusive<u64> = NANOS / 1000..=1_000_000 * NANOS;
/// Overrun budget in ns; the lookahead bounds it further.
pub const OVERRUN_BUDGET: RangeInclusive<u64> = DELAY;
/// Guests that run at once: more than a lab has.
pub const PARALLEL: RangeInclusive<u64> = 1..=256;
/// Memory where the file says none, in bytes.
pub const MEMORY_DEFAULT: u64 = 256 << 20;

/// Memory of a guest with a disk image where the file says none, in bytes: what distributions'
/// cloud images ask for.
pub const MEMORY_OF_IMAGES: u64 = 1 << 30;

/// Routes that the file gives a guest.
pub const ROUTES: usize = 256;

/// Scheduled commands in a lab.
pub const RUNS: usize = 1024;
/// Events of links in a lab; as many faults.
pub const EVENTS: usize = 1024;
/// Partitions in a lab.
pub const PARTITIONS: usize = 64;
/// How long an event or a partition lasts, in ns.
pub const LASTS: RangeInclusive<u64> = 1..=1_000_000 * NANOS;
/// Frames that a fault counts.
pub const FAULT_COUNT: RangeInclusive<u64> = 1..=u64::MAX;
/// Ports of TCP and UDP.
pub const PORT: RangeInclusive<u64> = 0..=65_535;
/// Bytes of a trace or a table: an hour of 12 Mbit/s is a tenth of it.
pub const RECORDING: u64 = 64 << 20;
/// The last instant of a trace in ms: 11 days.
pub const TRACE_MILLIS: u64 = 1_000_000_000;
/// Deviations in a table: MAX_DIST of iproute2's tc/q_netem.c.
pub const DEVIATIONS: usize = 16 * 1024;

/// When a scheduled command runs, in ns since power-on.
pub const RUN_AT: RangeInclusive<u64> = 0..=1_000_000 * NANOS;
/// Bytes of a guest's schedule as an argument of QEMU: half of Linux's MAX_ARG_STRLEN.
pub const SCHEDULE: usize = 64 << 10;
/// Statuses that a program can exit with (wait(2)).
pub const EXIT: RangeInclusive<u64> = 0..=255;
/// Bytes that a compiled regular expression takes: a file full of larger ones would take long to
/// check. Most take less than 2 KiB, but each `\w` some 60, for all the letters of Unicode.
pub const REGEX: usize = 512 << 10;

/// How long a switch remembers an address, in ns: IEEE 802.1Q table 8-6, and down to a tenth of a
/// second for experiments.
pub const AGEING: RangeInclusive<u64> = NANOS / 10..=1_000_000 * NANOS;
/// How many addresses a switch remembers; with 0 it is a hub.
pub const TABLE: RangeInclusive<u64> = 0..=65_536;

const NANOS: u64 = 1_000_000_000;
