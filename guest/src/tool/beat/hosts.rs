//! Names of guests, as in /etc/hosts. No resolver: a static program has none that always works.

use std::fs;
use std::net::IpAddr;

const FILE: &str = "/etc/hosts";

/// The address that `host` is or has.
///
/// # Errors
/// If it is neither an address nor in /etc/hosts.
pub fn find(host: &str) -> Result<IpAddr, String> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let hosts = fs::read_to_string(FILE).unwrap_or_default();
    look_up(&hosts, host)
        .ok_or_else(|| format!("`{host}` is not in {FILE}; give a name that is, or an address"))
}

fn look_up(hosts: &str, host: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.9 bob\n10.0.0.2\tbob bob.lab # x\n::1 six\n";
        assert_eq!(look_up(hosts, "bob"), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(look_up(hosts, "BOB.lab"), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(look_up(hosts, "six"), Some("::1".parse().unwrap()));
        assert_eq!(look_up(hosts, "x"), None);
        assert_eq!(find("10.1.2.3"), Ok("10.1.2.3".parse().unwrap()));
        assert!(find("no-such-guest").unwrap_err().contains("no-such-guest"));
    }
}
