//! Whether this process may build a lab at all, asked before anything is built.

use crate::api::failure::Failure;

/// A capability, with its number from include/uapi/linux/capability.h.
struct Need {
    bit: u32,
    /// Another one that includes it.
    or: Option<u32>,
    name: &'static str,
    purpose: &'static str,
}

const NET_ADMIN: u32 = 12;
const SYS_ADMIN: u32 = 21;
const BPF: u32 = 39;

const NEEDED: [Need; 3] = [
    Need { bit: NET_ADMIN, or: None, name: "CAP_NET_ADMIN", purpose: "taps" },
    Need { bit: BPF, or: Some(SYS_ADMIN), name: "CAP_BPF", purpose: "XDP and tc programs" },
    Need { bit: SYS_ADMIN, or: None, name: "CAP_SYS_ADMIN", purpose: "a network namespace" },
];

/// Checks the effective capabilities.
///
/// # Errors
/// Privilege, with what is missing and what for.
pub fn check() -> Result<(), Failure> {
    let missing = lacking()?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::privilege(format!("a lab cannot be built without {}", missing.join(", ")))
        .remedy("run it as root, for example with sudo"))
}

/// The capabilities that this process lacks, with what they are for.
///
/// # Errors
/// As [`check`].
pub fn lacking() -> Result<Vec<String>, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| Failure::runtime(format!("cannot read /proc/self/status: {error}")))?;
    let effective = effective(&status)
        .ok_or_else(|| Failure::runtime("/proc/self/status does not tell capabilities"))?;
    Ok(missing(effective).collect())
}

fn missing(effective: u64) -> impl Iterator<Item = String> {
    let has = move |bit: u32| effective & (1 << bit) != 0;
    NEEDED
        .iter()
        .filter(move |need| !has(need.bit) && !need.or.is_some_and(has))
        .map(|need| format!("{} (for {})", need.name, need.purpose))
}

fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernels_line_is_understood() {
        let status = "CapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n";
        assert_eq!(super::effective(status), Some(0x1ff_ffff_ffff));
        assert_eq!(super::effective("Name:\tx\n"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |effective| super::missing(effective).collect::<Vec<_>>().join(", ");
        assert_eq!(missing(u64::MAX), "");
        assert_eq!(missing(1 << 12 | 1 << 21), "");
        assert_eq!(missing(1 << 12 | 1 << 39), "CAP_SYS_ADMIN (for a network namespace)");
        assert!(missing(1 << 12).starts_with("CAP_BPF (for XDP and tc programs), "));
    }
}
