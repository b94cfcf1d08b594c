//! All rows, as a page.

use std::{fmt, process::Command};

use clap::ValueEnum as _;
use comfy_table::{Table, presets::ASCII_MARKDOWN};

use super::row::{Row, Subject};
use crate::machine::{Machine, Strain, first_line};

/// Everything that was measured.
#[derive(Debug)]
pub struct Report {
    /// In the order of measurement.
    pub rows: Vec<Row>,
    machine: Machine,
    /// What runs the guests.
    programs: [String; 2],
    command: String,
    begun: Strain,
    ended: Option<Strain>,
}

impl Report {
    /// Looks at the machine.
    pub fn begin(command: &str) -> Self {
        let qemu = first_line(Command::new("qemu-system-x86_64").arg("--version"));
        let vmctl = first_line(crate::lab::command().arg("--version"));
        Self::on(Machine::look(), [vmctl, qemu], command)
    }

    fn on(machine: Machine, programs: [String; 2], command: &str) -> Self {
        let (command, begun) = (command.to_owned(), Strain::now());
        Self { rows: Vec::new(), machine, programs, command, begun, ended: None }
    }

    /// Looks at it again.
    pub fn end(&mut self) {
        self.ended = Some(Strain::now());
    }

    /// Whether all is as it was asked for.
    pub fn held(&self) -> bool {
        self.rows.iter().all(Row::held)
    }

    fn failed(&self) -> usize {
        self.rows.iter().filter(|row| !row.held()).count()
    }
}

impl Subject {
    /// The section's title, and how its rows are measured and judged.
    fn told(self) -> [&'static str; 2] {
        match self {
            Self::Delay => [
                "Delay",
                "Pings, 20 ms apart, seen where they enter and leave the network. No frame may be early \
                 (by 1 us; 2 ns in `exact`), and half of them late by no more than 250 us in `realtime`, \
                 1 ms in `lockstep`, 2 ns in `exact`. What `ping` sees in the guest has the guests' own \
                 time on top, of which 5 ms are allowed for in the median.",
            ],
            Self::Jitter => [
                "Jitter",
                "One-way times of pings that are too far apart to push each other, held against the \
                 distribution that was asked for: Kolmogorov–Smirnov test of one sample, fails at \
                 p < 0.001. The control must fail that test, and its row fails if it does not.",
            ],
            Self::Loss => [
                "Loss and copies",
                "Pings, 5 ms apart. The share that was asked for must lie within the Clopper–Pearson \
                 interval of what was counted, at 99.9 %.",
            ],
            Self::Order => [
                "Order",
                "Pings that jitter moves by more than they are apart: none may overtake another. Where \
                 `reorder` is asked for, the share that is held back is judged as loss is, and some must \
                 be overtaken.",
            ],
            Self::Rate => [
                "Rate",
                "Goodput that iperf3 sees in the guest that receives, without its first two seconds and \
                 its last, beside `rate` × payload / (payload + headers + 24 octets of `overhead`). UDP \
                 offers 1.4 times the rate, and may be 1 % off; TCP may reach 5 % less.",
            ],
            Self::Queue => [
                "Queue",
                "Pings behind a queue that UDP keeps full (1.4 times the rate): what fits into the queue, \
                 and half of a frame on the wire, by the rate. The median may be off by two frames and \
                 5 %. The round trip has 30 ms of delays in it, and the guests' own time.",
            ],
            Self::Sharing => [
                "Sharing",
                "Four senders on a switch, one link of 10 Mbit/s behind it, queue 64 KiB; counted in a \
                 capture where the sink is handed frames. UDP against a fluid model, in which each flow \
                 loses the same share; TCP against equal shares, which it only tends to. Jain's index is \
                 that of flows relative to the model. \
                 Senders that keep exactly to their pace may fall into step with a full queue, which \
                 then takes from some what it gives to others (Floyd and Jacobson, Traffic Phase \
                 Effects in Packet-Switched Gateways, 1991): in `exact` nothing disturbs that, and \
                 the model does not know it.",
            ],
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, machine, programs, command, begun, ended } = self;
        writeln!(f, "# Validation\n")?;
        writeln!(
            f,
            "What labs are asked for, beside what real guests find. `{command}` has written this page; \
             `cargo xtask validate` makes it anew.\n"
        )?;
        writeln!(f, "{machine}\n* Versions: {}", programs.join(", "))?;
        if let Some(ended) = ended {
            writeln!(f, "{}", begun.until(ended))?;
        }
        writeln!(f, "{} rows, **{} failed**.", rows.len(), self.failed())?;
        for subject in Subject::value_variants() {
            let of_subject: Vec<_> = rows.iter().filter(|row| row.subject == *subject).collect();
            if of_subject.is_empty() {
                continue;
            }
            let [title, told] = subject.told();
            writeln!(f, "\n## {title}\n\n{told}\n\n{}", table(&of_subject))?;
        }
        Ok(())
    }
}

fn table(rows: &[&Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(["mode", "case", "asked", "measured", "n", "verdict"]);
    for row in rows {
        let cells = [&row.case, &row.asked, &row.measured].map(|text| text.replace('|', "/"));
        let [case, asked, measured] = cells;
        let verdict = row.verdict.to_string().replace('|', "/");
        table.add_row([
            row.mode.to_string(),
            case,
            asked,
            measured,
            row.samples.to_string(),
            verdict,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::row::Mode;
    use super::*;

    #[test]
    fn failures_are_counted_and_plain_to_see() {
        let mut report = Report::on(Machine::default(), Default::default(), "cargo xtask validate");
        let row =
            || Row::new(Subject::Delay, Mode::Exact, "a|b").asked("20 ms").measured("20 ms", 7);
        report.rows.extend([row(), row().demand(false, "a frame was early")]);
        report.end();
        let text = report.to_string();
        assert!(text.contains("2 rows, **1 failed**") && !report.held(), "{text}");
        assert!(text.contains("**FAILED**: a frame was early") && text.contains("a/b"), "{text}");
        assert!(text.contains("## Delay") && !text.contains("## Rate"), "{text}");
        assert!(text.contains("Machine") && text.contains("Load average"), "{text}");
    }
}
