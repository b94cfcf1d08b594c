//! `vmctl doctor`.

use super::table::{table, text};
use crate::commands::doctor::{Diagnosis, Everything, Finding, Host, Verdict};

/// The longest text in the table; all of it stands in the JSON.
const LONGEST: usize = 90;

/// A table of all findings, and what there is to say about warnings.
pub fn render(diagnosis: &Diagnosis) -> String {
    explained(heading(diagnosis), &diagnosis.findings)
}

/// The same of this host.
pub fn host(host: &Host) -> String {
    let count = |verdict: Verdict, name: &str| {
        let count = host.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {name}{plural}"))
    };
    let counts =
        [(Verdict::Error, "error"), (Verdict::Warning, "warning"), (Verdict::Notice, "notice")];
    let counts: Vec<_> =
        counts.into_iter().filter_map(|(verdict, name)| count(verdict, name)).collect();
    let counts =
        if counts.is_empty() { "nothing to warn of".to_owned() } else { counts.join(", ") };
    explained(format!("this host: {counts}"), &host.findings)
}

/// This host, then every guest.
pub fn everything(everything: &Everything) -> String {
    let guests = everything.guests.iter().map(render);
    [host(&everything.host)].into_iter().chain(guests).collect::<Vec<_>>().join("\n\n")
}

fn explained(heading: String, all: &[Finding]) -> String {
    let mut parts = vec![heading, findings(all)];
    let odd = all.iter().filter(|finding| finding.verdict != Verdict::Ok);
    parts.extend(odd.map(explanation));
    parts.join("\n\n")
}

fn warnings(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    diagnosis.findings.iter().filter(|finding| finding.verdict == Verdict::Warning)
}

fn heading(diagnosis: &Diagnosis) -> String {
    let Diagnosis { guest, accelerator, mode, .. } = diagnosis;
    let count = match warnings(diagnosis).count() {
        0 => "nothing to warn of".to_owned(),
        1 => "1 warning".to_owned(),
        count => format!("{count} warnings"),
    };
    format!("guest {guest}: {mode} on {accelerator}; {count}")
}

fn findings(findings: &[Finding]) -> String {
    let mut table = table(&["checked", "verdict", "found"], &[]);
    for finding in findings {
        table.add_row([&finding.subject, finding.verdict.word(), &shortened(&finding.found)]);
    }
    text(&table)
}

fn shortened(found: &str) -> String {
    let line = found.lines().next().unwrap_or_default();
    let short: String = line.chars().take(LONGEST).collect();
    if short.len() < found.len() { format!("{short} ...") } else { short }
}

fn explanation(finding: &Finding) -> String {
    let consequence = finding.consequence.as_deref().unwrap_or_default();
    let mut lines = vec![format!("{}: {consequence}", finding.subject)];
    if finding.found.lines().count() > 1 {
        lines.extend(finding.found.lines().map(|line| format!("  | {line}")));
    }
    lines.extend(finding.remedy.as_ref().map(|remedy| format!("  change: {remedy}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use chronotap_guest::report::facts::Facts;

    use super::*;

    #[test]
    fn warnings_are_explained_below_the_table() {
        let log = "[1.0] clocksource: tsc unstable\n[2.0] watchdog: soft lockup";
        let diagnosis = Diagnosis {
            guest: "alice".into(),
            accelerator: "kvm".into(),
            mode: "lockstep".into(),
            findings: vec![
                Finding::ok("clocksource", "tsc").warn("time leaks").remedy("use kvm-clock"),
                Finding::ok("rtc", "clock=vm"),
                Finding::ok("kernel log", log).warn("a clock went wrong"),
            ],
            facts: Facts::default(),
        };
        insta::assert_snapshot!(render(&diagnosis), @r"
        guest alice: lockstep on kvm; 2 warnings

        CHECKED      VERDICT  FOUND
        clocksource  warning  tsc
        rtc          ok       clock=vm
        kernel log   warning  [1.0] clocksource: tsc unstable ...

        clocksource: time leaks
          change: use kvm-clock

        kernel log: a clock went wrong
          | [1.0] clocksource: tsc unstable
          | [2.0] watchdog: soft lockup
        ");
    }
}
