//! Captures as tshark reads them, which has its own idea of the format.

use std::{path::Path, process::Command};

use crate::lab::told;

/// A frame of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Nanoseconds of UNIX time.
    pub at_ns: u64,
    /// The interface's name.
    pub interface: String,
    /// Whether its direction is outbound.
    pub out: bool,
    /// Its comment.
    pub comment: String,
    /// Its octets.
    pub length: u64,
    /// Of an ICMP echo: its type and its sequence number.
    pub echo: Option<(u8, u16)>,
}

/// All frames of a capture, in the file's order.
///
/// # Panics
/// When tshark is not content with it.
pub fn read(capture: &Path) -> Vec<Seen> {
    let fields = [
        "frame.time_epoch",
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.comment",
        "frame.len",
        "icmp.type",
        "icmp.seq",
    ];
    let mut tshark = Command::new("tshark");
    tshark.env("TZ", "UTC").arg("-r").arg(capture).args(["-T", "fields", "-E", "occurrence=f"]);
    let output = tshark.args(fields.iter().flat_map(|field| ["-e", field])).output();
    let output = output.expect("tshark is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(!complaints.contains("cut short"), "{complaints}");
    assert!(output.status.success(), "{}", told(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(seen).collect()
}

fn seen(line: &str) -> Seen {
    let fields: Vec<&str> = line.split('\t').collect();
    let [time, interface, direction, comment, length, kind, number] = fields[..] else {
        panic!("tshark printed {line}");
    };
    let (seconds, nanos) = time.split_once('.').expect("a decimal point");
    assert_eq!(nanos.len(), 9, "nanoseconds: {time}");
    let number_of = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
    Seen {
        at_ns: number_of(seconds) * 1_000_000_000 + number_of(nanos),
        interface: interface.to_owned(),
        out: direction.ends_with('2'),
        comment: comment.to_owned(),
        length: number_of(length),
        echo: kind.parse().ok().zip(number.parse().ok()),
    }
}
