//! `vmctl status` and what `vmctl up` ends with.

use super::{
    exact,
    labs::or_dash,
    links,
    table::{table, text},
    text::{bytes, nanos, printable},
    time,
};
use crate::api::status::{Event, FirstPing, Guest, Lab, Lateness, Status};

/// The whole status as text.
pub fn render(status: &Status) -> String {
    let mut parts = vec![heading(status), guests(&status.guests)];
    if !status.links.is_empty() {
        parts.push(links::overview(&status.links));
    }
    parts.push(punctuality(status));
    if !status.events.is_empty() {
        parts.push(events(&status.events));
    }
    parts.join("\n\n")
}

/// What a lab that has just come up looks like, and how to go on.
pub fn welcome(status: &Status) -> String {
    let mut parts = vec![guests(&status.guests)];
    if !status.links.is_empty() {
        parts.push(links::settings(&status.links));
    }
    if !status.first_pings.is_empty() {
        parts.push(first_pings(&status.first_pings));
    }
    parts.extend(page(&status.lab).map(|page| format!("page: {page}")));
    parts.push(next_steps(status));
    parts.join("\n\n")
}

fn heading(status: &Status) -> String {
    let (lab, time) = (&status.lab, &status.time);
    format!(
        "lab {}: {}, {} on {}, stamps by the {}\n\
         virtual time {:.3} s of {:.3} s; pauses: {} asked for, {} for overload\n\
         in flight: {}; frames of the host kept out: {}\n\
         page: {}; metrics: {}",
        lab.name,
        status.state.word(),
        lab.mode,
        lab.accelerator,
        lab.stamp,
        time.virtual_seconds,
        time.wall_seconds,
        time.user_pauses,
        time.overload_pauses,
        status.in_flight,
        status.foreign,
        or_dash(page(lab)),
        or_dash(lab.metrics.map(|address| format!("http://{address}/metrics"))),
    )
}

fn page(lab: &Lab) -> Option<String> {
    let key = if lab.web_control { " (`vmctl web` has the key to steer it)" } else { "" };
    lab.web.map(|address| format!("http://{address}/{key}"))
}

fn guests(guests: &[Guest]) -> String {
    let managed = guests.iter().any(|guest| guest.management.is_some());
    let titles = ["guest", "state", "address", "vcpus", "memory", "pid", "management"];
    let mut table = table(&titles[..6 + usize::from(managed)], &[3, 4, 5]);
    for guest in guests {
        let mut row = vec![
            guest.name.clone(),
            state(guest),
            addresses(guest),
            guest.vcpus.to_string(),
            bytes(guest.memory_bytes),
            or_dash(guest.pid),
        ];
        row.extend(managed.then(|| or_dash(guest.management)));
        table.add_row(row);
    }
    text(&table)
}

fn state(guest: &Guest) -> String {
    let mut word = guest.state.word().to_owned();
    if guest.paused {
        word.push_str(", paused");
    }
    if guest.reboots > 0 {
        word.push_str(&format!(", rebooted {}x", guest.reboots));
    }
    word
}

fn addresses(guest: &Guest) -> String {
    let one = |address: &crate::api::status::Address| {
        format!("{} {}", address.interface, or_dash(address.address.as_ref()))
    };
    let all: Vec<String> = guest.addresses.iter().map(one).collect();
    if all.is_empty() { "-".into() } else { all.join(", ") }
}

/// How far the lab was from what was asked.
fn punctuality(status: &Status) -> String {
    match (&status.exact, &status.windows) {
        (Some(exact), _) => exact::run(exact, &status.time),
        (None, Some(windows)) => time::windows(windows) + "\n" + &lateness(&status.lateness),
        (None, None) => lateness(&status.lateness),
    }
}

fn lateness(lateness: &Lateness) -> String {
    match (lateness.p50_ns, lateness.p99_ns, lateness.max_ns) {
        (Some(p50), Some(p99), Some(max)) => format!(
            "lateness of {} releases: p50 {}, p99 {}, max {}",
            lateness.frames,
            nanos(p50),
            nanos(p99),
            nanos(max)
        ),
        _ => "lateness: no frame was released yet".into(),
    }
}

fn events(events: &[Event]) -> String {
    let lines = events
        .iter()
        .map(|event| format!("{:>9.3} s  {}", event.at_seconds, printable(&event.message)));
    lines.collect::<Vec<_>>().join("\n")
}

fn first_pings(pings: &[FirstPing]) -> String {
    let mut table = table(&["first ping", "expected rtt", "measured rtt"], &[1, 2]);
    for ping in pings {
        let measured = ping.measured_ns.map_or_else(|| "no reply".into(), nanos);
        table.add_row([
            format!("{} -> {}", ping.from, ping.to),
            format!(">= {}", nanos(ping.expected_ns)),
            measured,
        ]);
    }
    text(&table)
}

fn next_steps(status: &Status) -> String {
    let ready = status.guests.iter().find(|guest| guest.state.word() == "ready");
    let ping = status.first_pings.first();
    let mut lines = Vec::new();
    if let Some(ping) = ping {
        lines.push(format!("vmctl exec {} -- ping {}", ping.from, ping.to));
    } else if let Some(guest) = ready {
        lines.push(format!("vmctl exec {} -- sh", guest.name));
    }
    if let Some(link) = status.links.first() {
        lines.push(format!("vmctl link set {} delay=50ms", link.name));
    }
    lines.push("vmctl status".into());
    lines.push(format!("vmctl down {}", status.lab.name));
    format!("next:\n  {}", lines.join("\n  "))
}
