//! What QEMU was told about a guest's machine, read from its command line.

/// What cannot be seen from inside the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What the RTC counts: `host`, `rt` or `vm`; absent when QEMU's command line cannot be read.
    pub rtc_clock: Option<String>,
}

/// Looks at the QEMU process with this number.
pub fn read(pid: Option<u32>) -> Machine {
    let line = pid.and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok());
    // The line of a process that has ended is empty.
    let line = line.filter(|line| !line.is_empty());
    Machine { rtc_clock: line.map(|line| rtc_clock(&line)) }
}

/// The clock of `-rtc`; QEMU's default is the host's.
fn rtc_clock(line: &[u8]) -> String {
    let words: Vec<_> = line.split(|octet| *octet == 0).map(String::from_utf8_lossy).collect();
    let given = words.windows(2).rev().find(|two| two[0] == "-rtc").and_then(|two| {
        let mut settings = two[1].split(',');
        settings.find_map(|setting| setting.strip_prefix("clock=").map(str::to_owned))
    });
    given.unwrap_or_else(|| "host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_rtc() {
        assert_eq!(rtc_clock(b"qemu\0-rtc\0base=utc,clock=vm\0-S\0"), "vm");
        assert_eq!(rtc_clock(b"qemu\0-rtc\0base=utc\0"), "host");
        assert_eq!(rtc_clock(b"qemu\0-S\0"), "host");
        assert_eq!(rtc_clock(b"qemu\0-rtc"), "host");
    }

    #[test]
    fn a_process_that_is_not_there_tells_nothing() {
        assert_eq!(read(None).rtc_clock, None);
        assert_eq!(read(Some(u32::MAX)).rtc_clock, None);
        assert!(read(Some(std::process::id())).rtc_clock.is_some());
    }
}
