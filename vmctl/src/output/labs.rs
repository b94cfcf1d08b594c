//! `vmctl ps`.

use super::table::{table, text};
use crate::api::status::Listed;

/// The labs of this host as a table.
pub fn render(labs: &Vec<Listed>) -> String {
    if labs.is_empty() {
        return "no labs; `vmctl up FILE` starts one".into();
    }
    let mut table = table(&["lab", "state", "guests", "daemon", "metrics", "topology"], &[2, 3]);
    for lab in labs {
        table.add_row([
            lab.name.clone(),
            lab.state.clone(),
            or_dash(lab.guests),
            or_dash(lab.daemon_pid),
            or_dash(lab.metrics.map(|address| format!("http://{address}/metrics"))),
            or_dash(lab.topology.as_ref().map(|path| path.display())),
        ]);
    }
    text(&table)
}

/// The value, or a dash where there is none.
pub fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}
