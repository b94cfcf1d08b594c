//! Numbers in few columns: three digits that count, and a unit.

/// Frames per second and the like: `0`, `12`, `1.23k`, `45M`; a dash for what is not known.
pub fn count(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| scaled(value, 1000.0, &["", "k", "M", "G", "T"]))
}

/// Bits per second: `98.7Mbit`.
pub fn bits(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| scaled(value, 1000.0, &["bit", "kbit", "Mbit", "Gbit", "Tbit"]))
}

/// Nanoseconds: `10.1ms`.
pub fn span(ns: Option<u64>) -> String {
    ns.map_or_else(dash, |ns| scaled(ns as f64, 1000.0, &["ns", "us", "ms", "s"]))
}

/// Bytes: `64KiB`.
pub fn bytes(count: u64) -> String {
    scaled(count as f64, 1024.0, &["B", "KiB", "MiB", "GiB"])
}

/// A share of one: `37%`, `200%`.
pub fn share(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{:.0}%", value * 100.0))
}

/// A share of one as so many columns of blocks, to the eighth of a column.
pub fn bar(share: f64, columns: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if eighths / 8 < columns {
        // Whatever moves at all is seen.
        let rest = if eighths == 0 && share > 0.0 { 1 } else { eighths % 8 };
        bar.push(EIGHTHS[rest]);
    }
    bar
}

fn dash() -> String {
    "-".into()
}

/// Three digits and the unit in which they do.
fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // What would be rounded up to a whole step is one.
    while value >= step - 0.5
        && let Some(next) = units.next()
    {
        value /= step;
        unit = next;
    }
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let counts = [0.0, 0.5, 12.0, 999.4, 999.6, 1_234.0, 45_600_000.0];
        let told = counts.map(|value| count(Some(value))).join(" ");
        assert_eq!(told, "0 0.5 12 999 1k 1.23k 45.6M");
        let told = [0, 999, 10_123_456, 1_500_000_000, 90_000_000_000_000];
        assert_eq!(told.map(|ns| span(Some(ns))).join(" "), "0ns 999ns 10.1ms 1.5s 90000s");
        assert_eq!([bytes(0), bytes(1500), bytes(65_536)].join(" "), "0B 1.46KiB 64KiB");
        assert_eq!([bits(Some(98_700_000.0)), bits(None)].join(" "), "98.7Mbit -");
        assert_eq!([share(Some(0.374)), share(Some(2.0))].join(" "), "37% 200%");
    }

    #[test]
    fn bars_fill_their_columns_and_no_more() {
        assert_eq!([bar(0.0, 4), bar(0.001, 4), bar(0.5, 4)], [" ", "▏", "██ "]);
        assert_eq!([bar(1.0, 4), bar(7.0, 4), bar(0.99, 2)], ["████", "████", "██"]);
    }
}
