//! The kinds of quantity: delays, rates, sizes, ratios and frequencies.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::UnitError;
use super::quantity::{Ambiguity, Kind, Unit, Use};

const DELAY: Kind = Kind {
    name: "delay",
    base: "nanoseconds",
    example: "10ms",
    usual: &["us", "ms", "s"],
    fraction_of: None,
    units: &[
        Unit("ns", 1, Use::Shown),
        Unit("us", 1_000, Use::Shown),
        Unit("ms", 1_000_000, Use::Shown),
        Unit("s", 1_000_000_000, Use::Shown),
        Unit("min", 60_000_000_000, Use::ShownWhole),
        Unit("h", 3_600_000_000_000, Use::ShownWhole),
        Unit("\u{b5}s", 1_000, Use::Alias),
        Unit("\u{3bc}s", 1_000, Use::Alias),
    ],
    ambiguous: &[
        Ambiguity { unit: "m", why: "minutes or milliseconds", instead: ["min", "ms"] },
        Ambiguity { unit: "M", why: "minutes or milliseconds", instead: ["min", "ms"] },
    ],
    most: 1_000_000 * 3_600_000_000_000,
};

const RATE: Kind = Kind {
    name: "rate",
    base: "bits per second",
    example: "100Mbit",
    usual: &["kbit", "Mbit", "Gbit"],
    fraction_of: None,
    units: &[
        Unit("bit", 1, Use::Shown),
        Unit("kbit", 1_000, Use::Shown),
        Unit("Mbit", 1_000_000, Use::Shown),
        Unit("Gbit", 1_000_000_000, Use::Shown),
        Unit("Tbit", 1_000_000_000_000, Use::Shown),
        Unit("B/s", 8, Use::Listed),
        Unit("kB/s", 8_000, Use::Listed),
        Unit("MB/s", 8_000_000, Use::Listed),
        Unit("GB/s", 8_000_000_000, Use::Listed),
        Unit("bit/s", 1, Use::Alias),
        Unit("kbit/s", 1_000, Use::Alias),
        Unit("Mbit/s", 1_000_000, Use::Alias),
        Unit("Gbit/s", 1_000_000_000, Use::Alias),
        Unit("Tbit/s", 1_000_000_000_000, Use::Alias),
    ],
    // tc(8): `bps` is bytes per second; nearly everybody else means bits.
    ambiguous: &[
        per_second("bps", ["bit", "B/s"]),
        per_second("Bps", ["bit", "B/s"]),
        per_second("kbps", ["kbit", "kB/s"]),
        per_second("Kbps", ["kbit", "kB/s"]),
        per_second("mbps", ["Mbit", "MB/s"]),
        per_second("Mbps", ["Mbit", "MB/s"]),
        per_second("MBps", ["Mbit", "MB/s"]),
        per_second("gbps", ["Gbit", "GB/s"]),
        per_second("Gbps", ["Gbit", "GB/s"]),
        per_second("GBps", ["Gbit", "GB/s"]),
        per_second("k", ["kbit", "kB/s"]),
        per_second("K", ["kbit", "kB/s"]),
        per_second("M", ["Mbit", "MB/s"]),
        per_second("G", ["Gbit", "GB/s"]),
    ],
    most: 1_000_000_000_000_000_000,
};

const fn per_second(unit: &'static str, instead: [&'static str; 2]) -> Ambiguity {
    Ambiguity { unit, why: "bits to most tools, bytes to tc", instead }
}

const SIZE: Kind = Kind {
    name: "size",
    base: "bytes",
    example: "64KiB",
    usual: &["B", "KiB", "MiB"],
    fraction_of: None,
    units: &[
        Unit("B", 1, Use::Shown),
        Unit("KiB", 1 << 10, Use::ShownWhole),
        Unit("MiB", 1 << 20, Use::ShownWhole),
        Unit("GiB", 1 << 30, Use::ShownWhole),
        Unit("TiB", 1 << 40, Use::ShownWhole),
        Unit("kB", 1_000, Use::Listed),
        Unit("MB", 1_000_000, Use::Listed),
        Unit("GB", 1_000_000_000, Use::Listed),
        Unit("TB", 1_000_000_000_000, Use::Listed),
    ],
    ambiguous: &[
        thousand("k", ["KiB", "kB"]),
        thousand("K", ["KiB", "kB"]),
        thousand("KB", ["KiB", "kB"]),
        thousand("M", ["MiB", "MB"]),
        thousand("G", ["GiB", "GB"]),
        thousand("T", ["TiB", "TB"]),
    ],
    most: 1 << 60,
};

const fn thousand(unit: &'static str, instead: [&'static str; 2]) -> Ambiguity {
    Ambiguity { unit, why: "1024 to some, 1000 to others", instead }
}

const RATIO: Kind = Kind {
    name: "ratio",
    base: "parts per billion",
    example: "0.1%",
    usual: &["%"],
    fraction_of: Some(1_000_000_000),
    units: &[Unit("%", 10_000_000, Use::Shown), Unit("ppm", 1_000, Use::Listed)],
    ambiguous: &[],
    most: 1_000_000_000,
};

const FREQUENCY: Kind = Kind {
    name: "frequency",
    base: "thousandths of a hertz",
    example: "500MHz",
    usual: &["kHz", "MHz", "GHz"],
    fraction_of: None,
    units: &[
        Unit("Hz", 1_000, Use::Shown),
        Unit("kHz", 1_000_000, Use::Shown),
        Unit("MHz", 1_000_000_000, Use::Shown),
        Unit("GHz", 1_000_000_000_000, Use::Shown),
    ],
    ambiguous: &[],
    most: 1_000_000_000_000_000,
};

macro_rules! quantity {
    ($(#[$doc:meta])* $type:ident, $kind:ident, $from:ident, $into:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(u64);

        impl $type {
            /// None at all.
            pub const ZERO: Self = Self(0);

            /// From base units.
            pub const fn $from(value: u64) -> Self {
                Self(value)
            }

            /// In base units.
            pub const fn $into(self) -> u64 {
                self.0
            }
        }

        impl FromStr for $type {
            type Err = UnitError;

            fn from_str(text: &str) -> Result<Self, UnitError> {
                $kind.parse(text).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&$kind.display(self.0))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

quantity! {
    /// A span of time, in nanoseconds.
    Delay, DELAY, from_nanos, as_nanos
}
quantity! {
    /// A rate, in bits per second.
    Rate, RATE, from_bits_per_second, as_bits_per_second
}
quantity! {
    /// An amount of memory or frames' octets, in bytes.
    Size, SIZE, from_bytes, as_bytes
}
quantity! {
    /// A probability, in parts per billion.
    Ratio, RATIO, from_parts_per_billion, as_parts_per_billion
}
quantity! {
    /// How often something happens, in thousandths of a hertz.
    Frequency, FREQUENCY, from_millihertz, as_millihertz
}

impl From<Delay> for Duration {
    fn from(delay: Delay) -> Self {
        Self::from_nanos(delay.0)
    }
}

impl From<Duration> for Delay {
    /// Spans beyond 584 years become the greatest delay.
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}
