//! Where metrics are scraped, as Prometheus reads it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One lab in a list for `file_sd_configs`
/// (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config>).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its metrics' address and port.
    pub targets: Vec<String>,
    /// What all of its series are labelled with.
    pub labels: TargetLabels,
}

/// A lab's labels.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct TargetLabels {
    /// Its name.
    pub lab: String,
    /// `realtime`, `lockstep` or `exact`.
    pub mode: String,
}

impl TargetGroup {
    /// The lab `lab` in mode `mode`, whose metrics are served on `address`.
    pub fn new(lab: &str, mode: &str, address: SocketAddr) -> Self {
        // Nobody can connect to "any address".
        let ip = match address.ip() {
            IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let target = SocketAddr::new(ip, address.port()).to_string();
        let labels = TargetLabels { lab: lab.to_owned(), mode: mode.to_owned() };
        Self { targets: vec![target], labels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_can_be_connected_to() {
        let told = |address: &str| {
            TargetGroup::new("pair", "exact", address.parse().expect("an address")).targets
        };
        assert_eq!(told("127.0.0.1:9464"), ["127.0.0.1:9464"]);
        assert_eq!(told("0.0.0.0:9464"), ["127.0.0.1:9464"]);
        assert_eq!(told("[::]:1"), ["[::1]:1"]);
        assert_eq!(told("192.0.2.7:9464"), ["192.0.2.7:9464"]);
    }
}
