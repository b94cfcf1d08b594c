//! What loads tell: goodput, and full queues.

use std::time::Duration;

use super::{
    pings::{LINK, tolerance},
    row::{Row, Subject},
    theory::{datagram, queueing, serialization, tcp_goodput, udp_goodput},
    trial::{Result, Trial, spans},
};
use crate::figures::Figures;

/// MTU of the labs here.
pub const MTU: u32 = 1500;
/// Payload of datagrams that fill a link.
pub const LARGE: u32 = 1400;
/// Goodput of datagrams is known to this share: an interval ends between two of them.
pub const UDP_SLACK: f64 = 0.01;
/// TCP does without this share of a link at times, while it looks for its rate.
pub const TCP_SLACK: f64 = 0.05;

/// Goodput of datagrams that are too many, and of TCP, there and back at different rates.
///
/// # Errors
/// When it could not be measured.
pub fn rate(trial: &Trial, seconds: u32, with_tcp: bool) -> Result<Vec<Row>> {
    trial.set(LINK, &[("forward", "rate=10Mbit"), ("backward", "rate=4Mbit")])?;
    let mut rows = Vec::new();
    for (way, direction, rate) in [("there", "", 10e6), ("back", "-R", 4e6)] {
        let offered = rate * 1.4;
        let udp = format!("-u -b {offered} -l {LARGE} -t {seconds} {direction}");
        let allowed = udp_goodput(rate, LARGE);
        let case = format!("UDP {way}, {} Mbit/s offered to {}", offered / 1e6, rate / 1e6);
        let goodput = trial.transfer(&udp)?;
        let row = goodput_row(trial, &case, allowed, goodput.bit_per_s, UDP_SLACK);
        rows.push(Row { samples: goodput.intervals, ..row });
        if with_tcp {
            let goodput = trial.transfer(&format!("-t {} {direction}", seconds + 2))?;
            let (case, allowed) =
                (format!("TCP {way}, {} Mbit/s", rate / 1e6), tcp_goodput(rate, MTU));
            let row = goodput_row(trial, &case, allowed, goodput.bit_per_s, TCP_SLACK);
            rows.push(Row { samples: goodput.intervals, ..row });
        }
    }
    Ok(rows)
}

fn goodput_row(trial: &Trial, case: &str, allowed: f64, measured: f64, slack: f64) -> Row {
    let off = measured / allowed - 1.0;
    Row::new(Subject::Rate, trial.mode, case)
        .asked(format!("{:.3} Mbit/s", allowed / 1e6))
        .measured(format!("{:.3} Mbit/s, {:+.2} %", measured / 1e6, off * 100.0), 0)
        .demand(off <= UDP_SLACK, "more than the rate allows")
        .demand(off >= -slack, format!("less than {} % of it", (1.0 - slack) * 100.0))
}

/// How long a ping takes behind a queue that datagrams keep full, by the queue's length.
///
/// # Errors
/// When it could not be measured.
pub fn queue(trial: &Trial, sizes_kib: &[u32]) -> Result<Vec<Row>> {
    const PAYLOAD: u32 = 1000;
    const RATE: f64 = 5e6;
    const DELAYS: [f64; 2] = [20e-3, 10e-3];
    let mut rows = Vec::new();
    for kib in sizes_kib {
        let change = format!("delay=20ms rate=5Mbit queue={kib}KiB");
        trial.set(LINK, &[("forward", &change), ("backward", "delay=10ms")])?;
        trial.sh("bob", "iperf3 -s -1 -D && sleep 0.5")?;
        // What is too much fills the longest queue within two seconds.
        let load = format!("iperf3 -c bob -u -b 7M -l {PAYLOAD} -t 9 >/dev/null 2>&1 & sleep 3");
        let volley = trial.ping_after(&load, 80, Duration::from_millis(50))?;
        let frame = datagram(PAYLOAD);
        let waits = queueing(RATE, kib * 1024, frame);
        let arrived = spans(&volley.ways[0]);
        if arrived.is_empty() {
            return Err(format!("no ping got into a queue of {kib} KiB"));
        }
        let middle = Figures::of(arrived.iter().map(|span| span - DELAYS[0])).quantile(0.5);
        let rtt = match volley.rtts.as_slice() {
            [] => "none".to_owned(),
            rtts => format!("{:.1} ms", Figures::of(rtts.iter().copied()).quantile(0.5)),
        };
        // Where the sender stood still for a moment, or the queue had no room for one more.
        let slack = 2.0 * serialization(RATE, frame) + 0.05 * waits + tolerance(trial.mode);
        let asked_rtt = (waits + DELAYS[0] + DELAYS[1]) * 1e3;
        let row = Row::new(Subject::Queue, trial.mode, format!("{kib} KiB at 5 Mbit/s"));
        let row = row
            .asked(format!("waits {:.1} ms; round trip {asked_rtt:.1} ms", waits * 1e3))
            .measured(
                format!("waits {:.1} ms; round trip {rtt} (p50)", middle * 1e3),
                arrived.len(),
            )
            .demand((middle - waits).abs() <= slack, "not the time that a full queue takes");
        rows.push(row);
    }
    Ok(rows)
}
