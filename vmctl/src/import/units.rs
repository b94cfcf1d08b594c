//! SimGrid's quantities (its `xbt_parse_units.cpp`): bits per second, and picoseconds.

/// What a quantity was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub value: u64,
    /// Whether it lacked a unit.
    pub bare: bool,
}

/// Bits per second. Units are `bps` and `Bps` with decimal (`k`, `M`, …) or binary (`Ki`, `Mi`, …)
/// prefixes, of which `K` is taken for `k`; a number without a unit is bytes per second.
pub(super) fn bandwidth(text: &str) -> Result<Read, String> {
    let (number, unit) = split(text)?;
    let (prefix, bits) = match unit {
        "" => ("", 8.0),
        unit => match (unit.strip_suffix("bps"), unit.strip_suffix("Bps")) {
            (Some(prefix), _) => (prefix, 1.0),
            (_, Some(prefix)) => (prefix, 8.0),
            _ => return Err(unknown(unit, "`Mbps` (bits), `MBps` (bytes), `GBps`, `MiBps`")),
        },
    };
    let factor = scale(prefix)
        .ok_or_else(|| unknown(unit, "`Mbps` (bits), `MBps` (bytes), `GBps`, `MiBps`"))?;
    Ok(Read { value: whole(number * factor * bits)?, bare: unit.is_empty() })
}

/// Picoseconds. `m` is minutes, `ms` milliseconds; a number without a unit is seconds.
pub(super) fn latency(text: &str) -> Result<Read, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "w" => 604_800.0,
        "d" => 86_400.0,
        "h" => 3600.0,
        "m" => 60.0,
        "s" | "" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "ns" => 1e-9,
        "ps" => 1e-12,
        other => return Err(unknown(other, "`w` `d` `h` `m` (minutes) `s` `ms` `us` `ns` `ps`")),
    };
    // Nothing is wrong with a zero of no unit.
    Ok(Read { value: whole(number * seconds * 1e12)?, bare: unit.is_empty() && number > 0.0 })
}

fn unknown(unit: &str, units: &str) -> String {
    format!("unknown unit {}: units are {units}", crate::topology::quote(unit))
}

fn scale(prefix: &str) -> Option<f64> {
    const PREFIXES: &str = "kMGTPEZY";
    let (prefix, base) = match prefix.strip_suffix('i') {
        Some(binary) => (binary, 1024.0_f64),
        None => (prefix, 1000.0),
    };
    let prefix = if prefix == "K" { "k" } else { prefix };
    match prefix {
        "" if base < 1024.0 => Some(1.0),
        "" => None,
        one if one.len() == 1 => {
            let power = i32::try_from(PREFIXES.find(one)?).ok()? + 1;
            Some(base.powi(power))
        }
        _ => None,
    }
}

/// Longest text that is read as a quantity.
const LONGEST: usize = 64;

/// A number, which may have an exponent, and what follows it.
fn split(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err("longer than any number".to_owned());
    }
    let end = (1..=text.len())
        .rev()
        .find(|end| text.get(..*end).is_some_and(|number| number.parse::<f64>().is_ok()));
    // `inf` and `nan` parse, too.
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '+');
    let end = end.filter(|_| digit(text));
    let (number, unit) = text.split_at(end.ok_or("expected a number and a unit, such as `10ms`")?);
    let number: f64 = number.parse().map_err(|_| "not a number".to_owned())?;
    Ok((number, unit.trim()))
}

fn whole(value: f64) -> Result<u64, String> {
    // Beyond, floating point has no units any more.
    const MOST: f64 = 1e19;
    if value.is_finite() && value < MOST {
        Ok(value.round() as u64)
    } else {
        Err("too large".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_simgrids() {
        for (text, bits) in [
            ("10Gbps", 10_000_000_000),
            ("125MBps", 1_000_000_000),
            ("1.25GBps", 10_000_000_000),
            ("100kbps", 100_000),
            ("100Kbps", 100_000),
            ("1KiBps", 8192),
            ("1e6Bps", 8_000_000),
            ("125000", 1_000_000),
        ] {
            assert_eq!(bandwidth(text).map(|read| read.value), Ok(bits), "{text}");
        }
        for (text, ps) in [
            ("1.0E-2s", 10_000_000_000),
            ("0.1E-1s", 10_000_000_000),
            ("1m", 60_000_000_000_000),
            ("1ms", 1_000_000_000),
            ("50us", 50_000_000),
            ("7ps", 7),
            ("0", 0),
            ("0.001", 1_000_000_000),
            ("281.5 us", 281_500_000),
        ] {
            assert_eq!(latency(text).map(|read| read.value), Ok(ps), "{text}");
        }
        assert!(bandwidth("125000").is_ok_and(|read| read.bare));
        assert!(latency("0.001").is_ok_and(|read| read.bare));
        assert!(latency("0").is_ok_and(|read| !read.bare), "no unit is needed there");
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "inf", "nan", "-1ms", "fast", "ms", "1e400s", "1 2ms", "½s"] {
            assert!(latency(text).is_err(), "{text}");
        }
        for text in ["10Mbit", "10mbps", "10iBps", "1YiYBps", "9e99Bps"] {
            assert!(bandwidth(text).is_err(), "{text}");
        }
    }
}
