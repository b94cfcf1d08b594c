//! Columns and durations for people.

/// Lines whose columns stand under each other: the first to the left, the others to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A row of a table.
pub fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// `999ns`, `1.234us`, `10.000ms`, `2.500s`.
pub fn nanos(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{:.3}us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.3}ms", ns as f64 / 1e6),
        _ => format!("{:.3}s", ns as f64 / 1e9),
    }
}

/// The same with a sign.
pub fn signed_nanos(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "+" };
    format!("{sign}{}", nanos(ns.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [row(["clock", "p50"]), row(["tsc", "12345"]), row(["rtc"])];
        assert_eq!(columns(&rows), "clock    p50\ntsc    12345\nrtc");
    }

    #[test]
    fn durations() {
        assert_eq!([0, 999, 1_234].map(nanos), ["0ns", "999ns", "1.234us"]);
        assert_eq!([10_000_000, 2_500_000_000].map(nanos), ["10.000ms", "2.500s"]);
        assert_eq!([-5, 5].map(signed_nanos), ["-5ns", "+5ns"]);
        assert_eq!(signed_nanos(i64::MIN), "-9223372036.855s");
    }
}
