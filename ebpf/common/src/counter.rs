//! What the programs count, per port. This is the only list of the kernel side's counts.

/// One port's counts on one CPU; the sum over all CPUs is what happened.
///
/// All fields only grow, from zero at load. `u64` throughout, so that there is no padding.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames handed to the port's socket (its RX ring may still refuse them, counted there).
    pub frames: u64,
    /// Octets of these frames, Ethernet header included, frame check sequence excluded.
    pub bytes: u64,
    /// Frames dropped for being shorter than an Ethernet header.
    pub runt: u64,
    /// Frames dropped because their sender, which is to stamp them, has not.
    pub unmarked: u64,
    /// Frames dropped because no socket is bound for the port.
    pub no_socket: u64,
    /// Frames handed on without a stamp, because the driver offers no room for metadata.
    pub unstamped: u64,
    /// Frames of the host's own stack, dropped on their way to the guest.
    pub foreign: u64,
    /// Octets of these foreign frames.
    pub foreign_bytes: u64,
}

const _: () = assert!(size_of::<PortCounters>() == 8 * Counter::ALL.len());

// SAFETY: `repr(C)` with `u64` fields only: no padding, and every bit pattern is a value.
#[cfg(feature = "user")]
unsafe impl aya::Pod for PortCounters {}

/// The fields of [`PortCounters`] by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// [`PortCounters::frames`]
    Frames,
    /// [`PortCounters::bytes`]
    Bytes,
    /// [`PortCounters::runt`]
    Runt,
    /// [`PortCounters::unmarked`]
    Unmarked,
    /// [`PortCounters::no_socket`]
    NoSocket,
    /// [`PortCounters::unstamped`]
    Unstamped,
    /// [`PortCounters::foreign`]
    Foreign,
    /// [`PortCounters::foreign_bytes`]
    ForeignBytes,
}

impl Counter {
    /// Every counter, in the order of the fields.
    pub const ALL: [Self; 8] = [
        Self::Frames,
        Self::Bytes,
        Self::Runt,
        Self::Unmarked,
        Self::NoSocket,
        Self::Unstamped,
        Self::Foreign,
        Self::ForeignBytes,
    ];

    /// The stable name, as metrics and `status` show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Bytes => "bytes",
            Self::Runt => "runt",
            Self::Unmarked => "unmarked",
            Self::NoSocket => "no_socket",
            Self::Unstamped => "unstamped",
            Self::Foreign => "foreign",
            Self::ForeignBytes => "foreign_bytes",
        }
    }
}

impl PortCounters {
    /// One count by name.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        match counter {
            Counter::Frames => self.frames,
            Counter::Bytes => self.bytes,
            Counter::Runt => self.runt,
            Counter::Unmarked => self.unmarked,
            Counter::NoSocket => self.no_socket,
            Counter::Unstamped => self.unstamped,
            Counter::Foreign => self.foreign,
            Counter::ForeignBytes => self.foreign_bytes,
        }
    }

    /// Adds another CPU's counts for the same port.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            frames: self.frames.wrapping_add(other.frames),
            bytes: self.bytes.wrapping_add(other.bytes),
            runt: self.runt.wrapping_add(other.runt),
            unmarked: self.unmarked.wrapping_add(other.unmarked),
            no_socket: self.no_socket.wrapping_add(other.no_socket),
            unstamped: self.unstamped.wrapping_add(other.unstamped),
            foreign: self.foreign.wrapping_add(other.foreign),
            foreign_bytes: self.foreign_bytes.wrapping_add(other.foreign_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field differs, so that a mix-up of two shows.
    const SAMPLE: PortCounters = PortCounters {
        frames: 1,
        bytes: 2,
        runt: 3,
        unmarked: 4,
        no_socket: 5,
        unstamped: 6,
        foreign: 7,
        foreign_bytes: 8,
    };

    #[test]
    fn names_and_fields_are_in_one_order() {
        let values = Counter::ALL.map(|counter| SAMPLE.get(counter));
        assert_eq!(values, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn names_are_unique() {
        for (position, counter) in Counter::ALL.iter().enumerate() {
            let first = Counter::ALL.iter().position(|other| other.name() == counter.name());
            assert_eq!(first, Some(position), "{}", counter.name());
        }
    }

    #[test]
    fn cpus_add_up_field_by_field() {
        let sum = SAMPLE.plus(SAMPLE).plus(PortCounters::default());
        assert_eq!(Counter::ALL.map(|counter| sum.get(counter)), [2, 4, 6, 8, 10, 12, 14, 16]);
    }
}
