//! Quantities read back as they are shown, and nothing reads as two things.

use proptest::prelude::*;
use vmctl::units::{Delay, Frequency, QueueSize, Rate, RateLimit, Ratio, Size};

/// The greatest values that are read.
const DELAYS: u64 = 1_000_000 * 3_600_000_000_000;
const RATES: u64 = 1_000_000_000_000_000_000;
const SIZES: u64 = 1 << 60;
const RATIOS: u64 = 1_000_000_000;
const FREQUENCIES: u64 = 1_000_000_000_000_000;

/// Values of all magnitudes up to a limit, round ones among them.
fn up_to(most: u64) -> impl Strategy<Value = u64> {
    let round = (0..19_u32, 1..1000_u64, prop_oneof![Just(10_u64), Just(2), Just(60)]);
    prop_oneof![
        0..=most,
        (0..=most, 0..64_u32).prop_map(|(value, bits)| value >> bits),
        round.prop_map(move |(power, factor, base)| {
            base.checked_pow(power).and_then(|p| p.checked_mul(factor)).unwrap_or(0).min(most)
        }),
    ]
}

proptest! {
    #[test]
    fn delays_come_back(ns in up_to(DELAYS)) {
        let delay = Delay::from_nanos(ns);
        prop_assert_eq!(delay.to_string().parse(), Ok(delay));
    }

    #[test]
    fn rates_come_back(bits in up_to(RATES)) {
        let rate = Rate::from_bits_per_second(bits);
        prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        prop_assert_eq!(RateLimit::At(rate).to_string().parse(), Ok(RateLimit::At(rate)));
    }

    #[test]
    fn sizes_come_back(bytes in up_to(SIZES)) {
        let size = Size::from_bytes(bytes);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
        prop_assert_eq!(QueueSize::Bytes(size).to_string().parse(), Ok(QueueSize::Bytes(size)));
    }

    #[test]
    fn ratios_come_back(ppb in up_to(RATIOS)) {
        let ratio = Ratio::from_parts_per_billion(ppb);
        prop_assert_eq!(ratio.to_string().parse(), Ok(ratio));
    }

    #[test]
    fn frequencies_come_back(millihertz in up_to(FREQUENCIES)) {
        let frequency = Frequency::from_millihertz(millihertz);
        prop_assert_eq!(frequency.to_string().parse(), Ok(frequency));
    }

    #[test]
    fn frames_come_back(count: u64) {
        let queue = QueueSize::Frames(count);
        prop_assert_eq!(queue.to_string().parse(), Ok(queue));
    }

    #[test]
    fn json_holds_what_people_read(ns in up_to(DELAYS)) {
        let delay = Delay::from_nanos(ns);
        let json = serde_json::to_string(&delay).expect("serializes");
        prop_assert_eq!(&json, &format!("\"{delay}\""));
        prop_assert_eq!(serde_json::from_str::<Delay>(&json).expect("reads"), delay);
    }

    #[test]
    fn no_text_panics(text in "[-0-9.]{0,40} ?\\PC{0,6}") {
        let _: Result<Delay, _> = text.parse();
        let _: Result<RateLimit, _> = text.parse();
        let _: Result<Ratio, _> = text.parse();
        let _: Result<QueueSize, _> = text.parse();
    }
}

#[test]
fn units_mean_what_they_say() {
    let delays = [
        ("0ns", 0),
        ("1ns", 1),
        ("250us", 250_000),
        ("250µs", 250_000),
        ("10ms", 10_000_000),
        ("10 ms", 10_000_000),
        ("1.5ms", 1_500_000),
        ("0.000000001s", 1),
        ("1s", 1_000_000_000),
        ("2min", 120_000_000_000),
        ("24h", 86_400_000_000_000),
        ("007ms", 7_000_000),
        (" 1.50 ms ", 1_500_000),
    ];
    for (text, ns) in delays {
        assert_eq!(text.parse(), Ok(Delay::from_nanos(ns)), "{text}");
    }
    let rates = [
        ("1bit", 1),
        ("64kbit", 64_000),
        ("100Mbit", 100_000_000),
        ("100Mbit/s", 100_000_000),
        ("2.5Gbit", 2_500_000_000),
        ("12.5MB/s", 100_000_000),
        ("1B/s", 8),
    ];
    for (text, bits) in rates {
        assert_eq!(text.parse(), Ok(Rate::from_bits_per_second(bits)), "{text}");
    }
    let sizes = [("24B", 24), ("64KiB", 65_536), ("64kB", 64_000), ("1.5MiB", 1_572_864)];
    for (text, bytes) in sizes {
        assert_eq!(text.parse(), Ok(Size::from_bytes(bytes)), "{text}");
    }
    let ratios = [("100%", RATIOS), ("0.1%", 1_000_000), ("1ppm", 1_000), ("0.0000001%", 1)];
    for (text, ppb) in ratios {
        assert_eq!(text.parse(), Ok(Ratio::from_parts_per_billion(ppb)), "{text}");
    }
    assert_eq!("none".parse(), Ok(RateLimit::Unlimited));
    assert_eq!("auto".parse(), Ok(QueueSize::Auto));
    assert_eq!("1 frame".parse(), Ok(QueueSize::Frames(1)));
}

#[test]
fn values_are_shown_shortly() {
    let shown = [
        (Delay::from_nanos(0).to_string(), "0ns"),
        (Delay::from_nanos(1_500_000).to_string(), "1.5ms"),
        (Delay::from_nanos(90_000_000_000).to_string(), "90s"),
        (Delay::from_nanos(86_400_000_000_000).to_string(), "24h"),
        (Rate::from_bits_per_second(100_000_000).to_string(), "100Mbit"),
        (Rate::from_bits_per_second(2_048_000).to_string(), "2.048Mbit"),
        (Size::from_bytes(1500).to_string(), "1500B"),
        (Size::from_bytes(268_435_456).to_string(), "256MiB"),
        (Ratio::from_parts_per_billion(1_000_000).to_string(), "0.1%"),
        (Ratio::from_parts_per_billion(0).to_string(), "0%"),
    ];
    for (shown, expected) in shown {
        assert_eq!(shown, expected);
    }
}

#[test]
fn ambiguous_and_bare_numbers_are_refused() {
    for text in
        ["100bps", "100Mbps", "100M", "100", "1e6bit", "0x10bit", "+1bit", "1,5Mbit", "١bit"]
    {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
    for text in ["10", "10m", "-1ms", "1.ms", ".5ms", "1..5ms", "1 0ms", "nanms", "infs", "0.1ns"] {
        assert!(text.parse::<Delay>().is_err(), "{text}");
    }
    for text in ["64K", "64KB", "64", "64kb", "0.3B"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
    for text in ["0.5", "50 percent", "100.0000001%", "101%"] {
        assert!(text.parse::<Ratio>().is_err(), "{text}");
    }
}
