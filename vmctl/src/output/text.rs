//! Durations, rates, shares and failures in words.

use std::io::IsTerminal as _;

use crate::api::failure::Failure;

/// A failure with its log lines and its advice.
pub fn failure(failure: &Failure) -> String {
    // The rustc-style text of a bad topology file carries its own `error:`.
    let headed = failure.message.contains("error:") || failure.message.contains("error[");
    let mut text = if headed { String::new() } else { paint("error: ", "1;31") };
    text.push_str(&failure.message);
    for line in &failure.log {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    if let Some(remedy) = &failure.remedy {
        text.push_str(&paint("\nhelp: ", "1;36"));
        text.push_str(remedy);
    }
    text
}

/// `text` in a colour, when standard error is a terminal that wants colours.
pub fn paint(text: &str, code: &str) -> String {
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Whether standard error takes colours: a terminal, and not <https://no-color.org>.
pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::stderr().is_terminal()
}

/// The text with what would steer a terminal made visible: guests have a say in some messages.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Nanoseconds with the unit that suits them and at most three decimals: `10ms`, `1.234ms`, `0s`.
pub fn nanos(ns: u64) -> String {
    let (unit, name) = match ns {
        0 => return "0s".into(),
        1..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    decimal(ns, unit, name)
}

/// Bits per second: `100Mbit`, `1.5Gbit`.
pub fn rate(bit_s: u64) -> String {
    let (unit, name) = match bit_s {
        0..1_000 => (1, "bit"),
        1_000..1_000_000 => (1_000, "kbit"),
        1_000_000..1_000_000_000 => (1_000_000, "Mbit"),
        _ => (1_000_000_000, "Gbit"),
    };
    decimal(bit_s, unit, name)
}

/// Bytes: `512MiB`, `64KiB`.
pub fn bytes(count: u64) -> String {
    // 250 kB are not 244.141 KiB to whoever wrote them.
    let decimal_units = !count.is_multiple_of(0x400) && count.is_multiple_of(1_000);
    let (unit, name) = match count {
        1_000_000.. if decimal_units && count.is_multiple_of(1_000_000) => (1_000_000, "MB"),
        1_000.. if decimal_units => (1_000, "kB"),
        0..0x400 => (1, "B"),
        0x400..0x10_0000 => (0x400, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000, "GiB"),
    };
    decimal(count, unit, name)
}

/// A share of one as a percentage: `1%`, `0.1%`, `0%`.
pub fn share(part: f64) -> String {
    let text = format!("{:.4}", part * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `value / unit` rounded to three decimals, without trailing zeros.
fn decimal(value: u64, unit: u64, name: &str) -> String {
    let thousandths = (u128::from(value) * 1000 + u128::from(unit) / 2) / u128::from(unit);
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    if rest == 0 {
        return format!("{whole}{name}");
    }
    let rest = format!("{rest:03}");
    format!("{whole}.{}{name}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_unit_that_suits_them() {
        assert_eq!(
            [nanos(0), nanos(999), nanos(1_234), nanos(10_000_000)].join(" "),
            "0s 999ns 1.234us 10ms"
        );
        assert_eq!(
            [rate(999), rate(100_000_000), rate(2_500_000_000)].join(" "),
            "999bit 100Mbit 2.5Gbit"
        );
        assert_eq!([bytes(64), bytes(65_536), bytes(0x2000_0000)].join(" "), "64B 64KiB 512MiB");
        assert_eq!([bytes(250_000), bytes(3_000_000)].join(" "), "250kB 3MB");
        assert_eq!([share(0.0), share(0.01), share(0.001)].join(" "), "0% 1% 0.1%");
    }

    #[test]
    fn extremes_do_not_overflow() {
        assert_eq!(nanos(u64::MAX), "18446744073.71s");
        assert!(bytes(u64::MAX).ends_with("GiB"));
    }
}
