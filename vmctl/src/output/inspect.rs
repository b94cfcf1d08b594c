//! Everything about one guest or link, for people.

use super::{
    labs::or_dash,
    links::{drops, queue},
    table::{table, text},
    text::{bytes, nanos, rate, share},
};
use crate::{
    api::{
        inspect::{Boot, Guest, Port},
        status::Way,
    },
    commands::inspect::{LinkNow, Now},
};

/// A guest.
pub fn guest(guest: &Guest) -> String {
    let status = &guest.status;
    let mut lines = Facts::default();
    let paused = if status.paused { ", paused" } else { "" };
    lines.add("guest", &status.name);
    lines.add("state", format!("{}{paused}, rebooted {}x", status.state.word(), status.reboots));
    lines.add("boots", boots(&guest.boot));
    lines.add(
        "machine",
        format!(
            "{} vcpus, {}; on exit: {}",
            status.vcpus,
            bytes(status.memory_bytes),
            guest.on_exit
        ),
    );
    if guest.scheduled_commands > 0 {
        lines.add("runs", format!("{} scheduled commands", guest.scheduled_commands));
    }
    if let Some(clock) = &guest.clock {
        let from = if clock.ended { "ended" } else { &clock.source };
        let at = clock.clock_ns as f64 / 1e9;
        lines.add("clock", format!("{at:.9} s, {:+} ns ({from})", clock.offset_ns));
    }
    if let Some(process) = &guest.process {
        lines.add("pid", process.pid);
        let (all, vcpu) = (process.cpu_seconds, process.vcpu_seconds);
        lines.add("cpu time", format!("{all:.2} s, of it {vcpu:.2} s by its vcpus"));
        lines.add("resident", bytes(process.resident_bytes));
    }
    for (index, (socket, log)) in
        guest.files.console_sockets.iter().zip(&guest.files.console_logs).enumerate()
    {
        let (socket, log) = (socket.display(), log.display());
        lines.add(&format!("console {index}"), format!("{socket}, {log}"));
    }
    lines.add("qemu log", guest.files.qemu_log.display());
    lines.add("monitor", guest.files.qmp_socket.display());
    let mut parts = vec![lines.text(), ports(&guest.ports)];
    if let Some(process) = &guest.process {
        let words = process.command_line.iter().map(|word| quoted(word));
        parts.push(format!("command line:\n{}", words.collect::<Vec<_>>().join(" ")));
    }
    parts.join("\n\n")
}

fn boots(boot: &Boot) -> String {
    let what = match (boot.built_in, &boot.image) {
        (_, Some(_)) => "a disk image",
        (true, None) => "built-in guest",
        (false, None) => "a kernel of yours",
    };
    let mut text = what.to_owned();
    for file in [&boot.image, &boot.kernel, &boot.initrd, &boot.modules].into_iter().flatten() {
        text.push_str(&format!(", {}", file.display()));
    }
    if !boot.append.is_empty() {
        text.push_str(&format!(", with {:?}", boot.append));
    }
    text
}

fn ports(ports: &[Port]) -> String {
    let titles =
        ["port", "address", "mac", "tap", "peer", "sent", "received", "dropped out", "dropped in"];
    let mut table = table(&titles, &[5, 6]);
    for port in ports {
        table.add_row([
            port.address.interface.clone(),
            or_dash(port.address.address.as_ref()),
            port.address.mac.clone(),
            if port.gone { format!("{}, gone", port.tap) } else { port.tap.clone() },
            or_dash(port.peer.as_ref()),
            counted(port.sent_frames, port.sent_bytes),
            counted(port.received_frames, port.received_bytes),
            drops(&port.sent_dropped),
            drops(&port.received_dropped),
        ]);
    }
    text(&table)
}

fn counted(frames: u64, octets: u64) -> String {
    format!("{frames} ({})", bytes(octets))
}

/// A link: one column for each way.
pub fn link(now: &LinkNow) -> String {
    let link = &now.link;
    let ways = [(&link.forward, &now.forward_now), (&link.backward, &now.backward_now)];
    let mut table = table(&["", "forward", "backward"], &[1, 2]);
    let mut row = |title: &str, tell: &dyn Fn(&Way, &Now) -> String| {
        let [there, back] = ways.map(|(way, now)| tell(way, now));
        table.add_row([title.to_owned(), there, back]);
    };
    row("from", &|way, _| way.from.clone());
    row("to", &|way, _| way.to.clone());
    row("up", &|way, _| if way.up { "yes" } else { "no" }.into());
    row("delay", &|way, _| nanos(way.delay_ns));
    row("measured delay", &|way, _| or_dash(way.measured_delay_ns.map(nanos)));
    row("jitter", &|way, _| nanos(way.jitter_ns));
    row("rate", &|way, _| or_dash(way.rate_bit_per_s.map(rate)));
    row("rate now", &|_, now| or_dash(now.bit_per_s.map(|bits| rate(bits as u64))));
    row("utilisation", &|_, now| or_dash(now.utilisation.map(percent)));
    row("queue", &|way, _| queue(way.queue_bytes, way.queue_frames));
    row("backlog", &|way, _| counted(way.backlog_frames, way.backlog_bytes));
    row("in flight", &|way, _| way.in_flight_frames.to_string());
    row("loss", &|way, _| share(way.loss));
    row("duplicate", &|way, _| share(way.duplicate));
    row("corrupt", &|way, _| share(way.corrupt));
    row("reorder", &|way, _| share(way.reorder));
    row("overhead", &|way, _| bytes(way.overhead_bytes.into()));
    row("sent", &|way, _| counted(way.sent_frames, way.sent_bytes));
    row("delivered", &|way, _| counted(way.delivered_frames, way.delivered_bytes));
    row("delivered/s", &|_, now| or_dash(now.delivered_frames_per_s.map(|rate| rate.round())));
    row("copies", &|way, _| way.copies.to_string());
    row("dropped", &|way, _| drops(&way.dropped));
    row("dropped/s", &|_, now| or_dash(now.dropped_frames_per_s.map(|rate| rate.round())));
    format!("link {}, mtu {}\n\n{}", link.name, link.mtu_bytes, text(&table))
}

fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./,:=+@%".contains(&octet);
    let word = super::text::printable(word);
    if !word.is_empty() && word.bytes().all(plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Facts below each other, with what they are called.
#[derive(Default)]
struct Facts(Vec<String>);

impl Facts {
    fn add(&mut self, title: &str, fact: impl std::fmt::Display) {
        self.0.push(format!("{title:<9} {fact}"));
    }

    fn text(&self) -> String {
        self.0.join("\n")
    }
}
