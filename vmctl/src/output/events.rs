//! Events as lines, which can be printed one by one.

use super::text::printable;
use crate::api::status::Event;

/// The titles of the columns.
pub fn titles() -> String {
    format!("{:>6} {:>12} {:>12}  EVENT", "NUMBER", "WALL", "VIRTUAL")
}

/// One event.
pub fn line(event: &Event) -> String {
    let Event { number, at_seconds, virtual_seconds, message, .. } = event;
    format!("{number:>6} {at_seconds:>10.3} s {virtual_seconds:>10.3} s  {}", printable(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stand_below_their_titles_and_cannot_move_the_cursor() {
        let event = Event {
            number: 7,
            date: "2026-01-01T00:00:00.000Z".into(),
            at_seconds: 12.3456,
            virtual_seconds: 1234.5,
            message: "guest a: \x1b[2Jodd\n".into(),
        };
        insta::assert_snapshot!([titles(), line(&event)].join("\n"), @r"
        NUMBER         WALL      VIRTUAL  EVENT
             7     12.346 s   1234.500 s  guest a: �[2Jodd�
        ");
    }
}
