//! Counters of a PC that tick with the guest's clock and stand still with it, and how QEMU's human
//! monitor prints them. The guest has no part in the reading, but may have moved what is read: what
//! comes out is a number, not yet the truth.

/// A counter that can be read from outside of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    /// Main counter of the HPET, at its fixed place in q35. Stands at zero until the guest enables
    /// it; the guest can set it at any time (IA-PC HPET Specification 1.0a, 2.3.7).
    Hpet,
    /// The ACPI power-management timer, where SeaBIOS and OVMF put it. Before they have, all bits
    /// read as one. 24 bits, so it wraps every 4.69 s. Not even a reset resets it.
    AcpiPm,
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// QEMU's HPET has 10 ns a tick (`HPET_CLK_PERIOD` in hw/timer/hpet.h).
const HPET_PERIOD_NS: u64 = 10;
/// Rate of the ACPI timer (ACPI 6.5, 4.8.3.3).
const PM_HZ: u128 = 3_579_545;
/// It counts to this and begins again.
pub(super) const PM_SPAN: u64 = 1 << 24;

impl Counter {
    /// The QMP command that hands a question to the human monitor.
    pub(super) const COMMAND: &str = "human-monitor-command";

    /// The other one.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Hpet => Self::AcpiPm,
            Self::AcpiPm => Self::Hpet,
        }
    }

    /// What to ask the human monitor. Short, because QEMU reads it byte by byte.
    pub(super) const fn question(self) -> &'static str {
        match self {
            Self::Hpet => "xp/gx 0xfed000f0",
            // In the monitor `w` is a word of 32 bits.
            Self::AcpiPm => "i/w 0x608",
        }
    }

    /// The ticks in the human monitor's answer; `None` unless it is exactly what QEMU prints for a
    /// counter that there is.
    pub(super) fn parse(self, answer: &str) -> Option<u64> {
        let (head, digits) = match self {
            Self::Hpet => ("00000000fed000f0: 0x", 16),
            Self::AcpiPm => ("portl[0x0608] = 0x", 8),
        };
        let number = answer.strip_prefix(head)?.strip_suffix("\r\n")?;
        let is_number = number.len() == digits && number.bytes().all(|d| d.is_ascii_hexdigit());
        let ticks = is_number.then(|| u64::from_str_radix(number, 16).ok())??;
        (self == Self::Hpet || ticks < PM_SPAN).then_some(ticks)
    }

    /// The time that so many ticks take, in nanoseconds, cut.
    pub(super) fn nanos(self, ticks: u64) -> u64 {
        match self {
            Self::Hpet => ticks.saturating_mul(HPET_PERIOD_NS),
            Self::AcpiPm => {
                let nanos = u128::from(ticks) * NANOS_PER_SECOND / PM_HZ;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_prints_is_read() {
        // Both as QEMU 7.2.22 and 10.0.2 print them.
        let hpet = |answer| Counter::Hpet.parse(answer);
        let pm = |answer| Counter::AcpiPm.parse(answer);
        assert_eq!(hpet("00000000fed000f0: 0x000000000394e655\r\n"), Some(0x394_e655));
        assert_eq!(hpet("00000000fed000f0: 0xffffffffffffffff\r\n"), Some(u64::MAX));
        assert_eq!(pm("portl[0x0608] = 0x000712a0\r\n"), Some(0x7_12a0));
        assert_eq!(pm("portl[0x0608] = 0xffffffff\r\n"), None, "no firmware has placed it yet");
        for nonsense in [
            "",
            "\r\n",
            "unknown command: 'xp'\r\n",
            "00000000fed000f0: Cannot access memory\r\n",
            "00000000fed000f0: 0x394e655\r\n",
            "00000000fed000f0: 0x+00000000394e655\r\n",
            "00000000fed000f0: 0x000000000394e655",
            "00000000fed000f0: 0x000000000394e655\r\n0\r\n",
            "00000000fed000f8: 0x000000000394e655\r\n",
            "00000000fed000f0: 0x000000000394é55\r\n",
            "portl[0x0608] = 0x00012a0\r\n",
            "portw[0x0608] = 0x12a0\r\n",
        ] {
            assert_eq!((hpet(nonsense), pm(nonsense)), (None, None), "{nonsense:?}");
        }
    }

    #[test]
    fn ticks_take_their_time() {
        assert_eq!(Counter::Hpet.nanos(100_000_000), 1_000_000_000);
        assert_eq!(Counter::AcpiPm.nanos(3_579_545), 1_000_000_000);
        assert_eq!(Counter::AcpiPm.nanos(PM_SPAN), 4_686_968_874);
        assert_eq!(Counter::Hpet.nanos(u64::MAX), u64::MAX);
        assert_eq!(Counter::AcpiPm.nanos(u64::MAX), u64::MAX);
    }
}
