//! What the kernel tells of a process.

use std::fs;

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Memory in RAM, in KiB.
    pub rss_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Held {
    /// By a process.
    ///
    /// # Panics
    /// When there is no such process, or it is somebody else's.
    pub fn by(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status"));
        let status = status.unwrap_or_else(|error| panic!("process {pid}: {error}"));
        let open = fs::read_dir(format!("/proc/{pid}/fd"));
        let open = open.unwrap_or_else(|error| panic!("descriptors of {pid}: {error}"));
        Self {
            rss_kib: number(&status, "VmRSS:"),
            threads: number(&status, "Threads:"),
            descriptors: open.count() as u64,
        }
    }
}

fn number(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {key} in {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something() {
        let held = Held::by(std::process::id());
        assert!(held.rss_kib > 100 && held.threads > 0 && held.descriptors > 2, "{held:?}");
        assert_eq!(number("Name:\tx\nVmRSS:\t  5124 kB\n", "VmRSS:"), 5124);
    }
}
