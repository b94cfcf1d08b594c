//! Text in place of other text on a terminal, without flicker: lines are overwritten, not erased
//! first.

/// What a terminal of this size is to be sent. `first` clears it of what others have written.
pub fn redrawn(text: &str, columns: usize, rows: usize, first: bool) -> String {
    let mut out = String::from(if first { "\x1b[2J\x1b[H" } else { "\x1b[H" });
    // The last row stays free: a line end there would scroll.
    for line in text.lines().take(rows.saturating_sub(1)) {
        out.extend(line.chars().take(columns));
        // Erase what is left of a longer line; a full line has nothing left.
        out.push_str(if line.chars().count() < columns { "\x1b[K\r\n" } else { "\r\n" });
    }
    out.push_str("\x1b[J");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_do_not_fit_are_cut() {
        let drawn = redrawn("12345\nab\nc\nd", 4, 4, true);
        assert_eq!(drawn, "\x1b[2J\x1b[H1234\r\nab\x1b[K\r\nc\x1b[K\r\n\x1b[J");
        assert_eq!(redrawn("", 4, 4, false), "\x1b[H\x1b[J");
    }
}
