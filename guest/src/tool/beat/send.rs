//! The sender: keeps the pace, takes echoes, and reports.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use chronotap_guest::report::beat::{self, Direction, Report};

use super::flow::{Arrival, Flow};
use super::offset::{Trip, Trips};
use super::packet::{Kind, Packet};
use super::socket::{Socket, deadline};
use super::{hosts, text};
use crate::tool::clock;
use crate::tool::command_line::{MOST_LOGGED, Send};

/// How long to wait for an answer before asking again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// An echo that is not here so long after the last sending, and twice the longest round trip, is
/// not waited for.
const QUIET: Duration = Duration::from_secs(1);

/// Sends, and prints what became of it.
pub fn run(args: &Send) -> Result<(), Box<dyn Error>> {
    if args.log && args.count > MOST_LOGGED {
        let count = args.count;
        return Err(format!("--log with --count {count}: the most is {MOST_LOGGED}").into());
    }
    let to = SocketAddr::new(hosts::find(&args.host)?, args.port);
    let socket = Socket::connect(to).map_err(|error| format!("no way to {to}: {error}"))?;
    let mut run = Run::new(args, socket);
    run.greet().map_err(|error| format!("{to}: {error}"))?;
    run.beat().map_err(|error| format!("{to}: {error}"))?;
    let there = run.finish().map_err(|error| format!("{to}: {error}"))?;
    print(args, &run.report(there), run.log.as_deref())
}

fn print(args: &Send, report: &Report, log: Option<&[beat::Packet]>) -> Result<(), Box<dyn Error>> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for packet in log.unwrap_or_default() {
        serde_json::to_writer(&mut out, packet)?;
        writeln!(out)?;
    }
    match args.json || args.log {
        true => serde_json::to_writer(&mut out, report)?,
        false => write!(out, "{}", text::render(report))?,
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

struct Run<'a> {
    args: &'a Send,
    socket: Socket,
    session: u64,
    back: Flow,
    trips: Trips,
    longest: u64,
    log: Option<Vec<beat::Packet>>,
}

impl<'a> Run<'a> {
    fn new(args: &'a Send, socket: Socket) -> Self {
        let session = clock::realtime() ^ (u64::from(std::process::id()) << 40);
        let (back, trips) = (Flow::new(args.count), Trips::new(args.count));
        let log = args.log.then(Vec::new);
        Self { args, socket, session, back, trips, longest: 0, log }
    }

    fn packet(&self, kind: Kind, seq: u64) -> Packet {
        let (session, count) = (self.session, self.args.count);
        Packet { kind, session, count, seq, sent: clock::monotonic(), remote_rx: 0, remote_tx: 0 }
    }

    /// Asks until the listener answers; so the network has learned its ways before the first beat.
    fn greet(&mut self) -> io::Result<()> {
        match self.ask(Kind::Hello, Kind::Hello)? {
            Some(_) => Ok(()),
            None => Err(io::Error::other(format!(
                "nobody has answered within {}; does `chronotap-guest beat listen` run there?",
                humantime::format_duration(self.args.wait)
            ))),
        }
    }

    /// Sends a question again and again until its answer comes; `None` if it does not in time.
    fn ask(&mut self, question: Kind, answer: Kind) -> io::Result<Option<Vec<u8>>> {
        let end = deadline(self.args.wait);
        loop {
            let sent = self.socket.send(&self.packet(question, 0).encode());
            // The route may not be there yet, as the listener may not.
            let refused = sent.err();
            let again = deadline(ASK_AGAIN).min(end);
            while let Some(incoming) = self.socket.receive(again)? {
                let packet = incoming.packet;
                if packet.session == self.session && packet.kind == answer {
                    return Ok(Some(incoming.rest.to_vec()));
                }
                let at = incoming.at;
                self.take(packet, at);
            }
            if clock::monotonic() >= end {
                return refused.map_or(Ok(None), Err);
            }
        }
    }

    fn beat(&mut self) -> io::Result<()> {
        let interval = self.args.interval.as_nanos() as u64;
        let mut next = clock::monotonic();
        for seq in 0..self.args.count {
            self.take_until(next)?;
            self.send(seq)?;
            next = later(next, interval, clock::monotonic());
        }
        while self.back.received() < self.args.count {
            let quiet = QUIET + Duration::from_nanos(self.longest.saturating_mul(2));
            let Some((packet, at)) = self.receive(deadline(quiet.min(self.args.wait)))? else {
                break;
            };
            self.take(packet, at);
        }
        Ok(())
    }

    fn send(&mut self, seq: u64) -> io::Result<()> {
        let packet = self.packet(Kind::Beat, seq);
        if let Some(log) = &mut self.log {
            log.push(beat::Packet::sent(seq, packet.sent));
        }
        self.socket.send(&packet.encode())
    }

    /// Takes what comes until it is time.
    fn take_until(&mut self, next: u64) -> io::Result<()> {
        while let Some((packet, at)) = self.receive(next)? {
            self.take(packet, at);
        }
        Ok(())
    }

    fn receive(&mut self, deadline: u64) -> io::Result<Option<(Packet, u64)>> {
        let incoming = self.socket.receive(deadline)?;
        Ok(incoming.map(|incoming| (incoming.packet, incoming.at)))
    }

    /// Counts an echo; other packets are late answers to questions.
    fn take(&mut self, packet: Packet, at: u64) {
        let Packet { seq, sent, remote_rx, remote_tx, .. } = packet;
        let ours = packet.kind == Kind::Echo && packet.session == self.session;
        if !ours || !self.back.see(Arrival { seq, sent: remote_tx, arrived: at }) {
            return;
        }
        self.longest = self.longest.max(at.saturating_sub(sent));
        self.trips.see(Trip { seq, sent, remote_rx, remote_tx, received: at });
        let entry = self.log.as_mut().and_then(|log| log.get_mut(usize::try_from(seq).ok()?));
        if let Some(entry) = entry {
            entry.t_remote_rx = Some(remote_rx);
            entry.t_remote_tx = Some(remote_tx);
            entry.t_recv = Some(at);
        }
    }

    /// What the listener counted; `None` if it has gone.
    fn finish(&mut self) -> io::Result<Option<Direction>> {
        let report = self.ask(Kind::Finish, Kind::Report)?;
        Ok(report.and_then(|report| serde_json::from_slice(&report).ok()))
    }

    fn report(&self, there: Option<Direction>) -> Report {
        // Each beat that arrived was echoed once.
        let echoes = there.as_ref().map(|there| there.received);
        Report {
            interval_ns: self.args.interval.as_nanos() as u64,
            back: self.back.direction(echoes),
            rtt: self.trips.rtt(),
            clock: self.trips.clock(),
            there,
        }
    }
}

/// When to send next: an interval after the last time, or at once if that is over. What was missed
/// is not made up for.
fn later(last: u64, interval: u64, now: u64) -> u64 {
    (last + interval).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_without_bursts() {
        assert_eq!(later(1000, 100, 1005), 1100);
        assert_eq!(later(1000, 100, 1950), 1950);
        assert_eq!(later(1950, 100, 1960), 2050);
    }

    #[test]
    fn beats_over_the_loopback() {
        use crate::tool::command_line::Listen;
        let port = std::net::UdpSocket::bind("[::]:0").unwrap().local_addr().unwrap().port();
        let idle = Duration::from_secs(60);
        let listener = std::thread::spawn(move || {
            super::super::listen(&Listen { port, idle, once: true }).unwrap();
        });
        let args = Send {
            host: "127.0.0.1".into(),
            port,
            interval: Duration::from_micros(100),
            count: 200,
            wait: Duration::from_secs(60),
            json: false,
            log: true,
        };
        let to = SocketAddr::from(([127, 0, 0, 1], port));
        let mut run = Run::new(&args, Socket::connect(to).unwrap());
        run.greet().unwrap();
        run.beat().unwrap();
        let there = run.finish().unwrap().unwrap();
        let report = run.report(Some(there.clone()));
        assert_eq!((there.sent, there.received, there.lost), (Some(200), 200, Some(0)));
        assert_eq!((report.back.received, report.back.lost), (200, Some(0)));
        assert!(report.rtt.unwrap().min_ns > 0);
        // One machine, one clock.
        let clock = report.clock.unwrap();
        assert!(clock.offset_ns.unsigned_abs() <= clock.rtt_ns, "{clock:?}");
        for packet in run.log.as_ref().unwrap() {
            let stamps =
                [packet.t_remote_rx, packet.t_remote_tx, packet.t_recv].map(Option::unwrap);
            assert!(packet.t_send <= stamps[0] && stamps.is_sorted(), "{packet:?}");
        }
        listener.join().unwrap();
    }
}
