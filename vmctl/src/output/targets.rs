//! `vmctl metrics targets`.

use std::path::Path;

use super::table::{table, text};
use crate::api::targets::TargetGroup;

/// Labs with their targets, and what matches their files.
pub fn render(groups: &[TargetGroup], pattern: &Path) -> String {
    let labs = if groups.is_empty() {
        "no lab is up; `vmctl up FILE` starts one".into()
    } else {
        let mut table = table(&["lab", "mode", "target"], &[]);
        for group in groups {
            let labels = &group.labels;
            table.add_row([labels.lab.clone(), labels.mode.clone(), group.targets.join(", ")]);
        }
        text(&table)
    };
    format!("files for file_sd_configs: {}\n{labs}", pattern.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_like_this() {
        let pattern = Path::new("/run/chronotap/prometheus.d/*.json");
        let group = |lab, port| {
            TargetGroup::new(lab, "exact", std::net::SocketAddr::from(([127, 0, 0, 1], port)))
        };
        let told =
            [render(&[group("pair", 9464), group("star", 9465)], pattern), render(&[], pattern)];
        insta::assert_snapshot!(told.join("\n\n"));
    }
}
