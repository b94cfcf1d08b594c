//! Watching frames.

use std::path::PathBuf;

use clap::Args;

/// Record frames with their virtual nanoseconds, and why those that were lost were
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl capture                                 a line for each frame that any guest sends or receives
  vmctl capture alice:eth0                      what alice sends and receives there
  vmctl capture alice:eth0-bob:eth0             what enters the link, what leaves it, what it drops
  vmctl capture --count 10 -w ten.pcapng        a file for tshark, Wireshark, capinfos
  vmctl capture -w - | wireshark -k -i -        live
  vmctl capture -o json | jq 'select(.dropped)'

Without a place: all ports, and frames that end anywhere. Ctrl-C ends a capture; what it came to is
told on standard error. The lab does not wait for a capture: frames that are not read quickly enough
are missing in it, and counted. In mode exact it changes nothing in the run.
From the first frame on: `vmctl up --capture FILE`, `vmctl run --capture FILE`.")]
pub struct Capture {
    /// Where: a guest, a port as alice:eth0, a link as alice:eth0-bob:eth0, a switch
    #[arg(value_name = "PLACE")]
    pub places: Vec<String>,

    /// Every place: all ports and both ways of all links; frames are seen several times
    #[arg(long, conflicts_with = "places")]
    pub all: bool,

    /// Write pcapng into this file, or with `-` to standard output
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// End after so many frames
    #[arg(short, long, value_name = "NUMBER")]
    pub count: Option<u64>,

    /// Keep so many octets of each frame
    #[arg(short, long, value_name = "OCTETS")]
    pub snaplen: Option<u32>,
}
