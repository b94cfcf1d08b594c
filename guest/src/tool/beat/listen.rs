//! The listener: answers every beat with its stamps, and counts.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use super::flow::{Arrival, Flow};
use super::packet::{Kind, LEN, Packet};
use super::socket::{Incoming, Socket, deadline};
use crate::tool::clock;
use crate::tool::command_line::{Listen, MOST_PACKETS};

/// Senders that are remembered at once; the one that was quiet the longest gives way.
const SENDERS: usize = 4;

/// How long `--once` still answers a sender whose report may have got lost.
const LINGER: Duration = Duration::from_secs(2);

/// Listens until nobody has come for a while.
pub fn run(args: &Listen) -> Result<(), Box<dyn Error>> {
    let mut socket = Socket::listen(args.port)
        .map_err(|error| format!("cannot listen on port {}: {error}", args.port))?;
    // Whoever started this waits for the line; nobody may be there to read it.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening on port {}", args.port).and_then(|()| out.flush());
    if serve(&mut socket, args)? {
        Ok(())
    } else {
        Err(format!("nobody has come within {}", humantime::format_duration(args.idle)).into())
    }
}

/// Returns whether somebody came.
fn serve(socket: &mut Socket, args: &Listen) -> io::Result<bool> {
    let mut senders = Senders::default();
    let mut patience = args.idle;
    loop {
        let Some(incoming) = socket.receive(deadline(patience))? else {
            return Ok(!senders.0.is_empty());
        };
        if args.once && incoming.packet.kind == Kind::Finish {
            patience = LINGER;
        }
        let from = incoming.from;
        if let Some(answer) = senders.answer(&incoming) {
            // An answer that does not get away is a packet that got lost.
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// All that are remembered, the last to speak at the end.
#[derive(Default)]
struct Senders(Vec<Sender>);

struct Sender {
    address: SocketAddr,
    session: u64,
    flow: Flow,
}

impl Senders {
    fn answer(&mut self, incoming: &Incoming) -> Option<Vec<u8>> {
        let packet = incoming.packet;
        let reply = |kind| Packet { kind, remote_rx: incoming.at, ..packet };
        match packet.kind {
            Kind::Hello => Some(reply(Kind::Hello).encode().into()),
            Kind::Beat => {
                let arrival = Arrival { seq: packet.seq, sent: packet.sent, arrived: incoming.at };
                let new = self.find(incoming)?.flow.see(arrival);
                new.then(|| {
                    let remote_tx = clock::monotonic();
                    Packet { remote_tx, ..reply(Kind::Echo) }.encode().into()
                })
            }
            Kind::Finish => {
                let sent = Some(packet.count);
                let report = self.find(incoming)?.flow.direction(sent);
                let mut octets = reply(Kind::Report).encode().to_vec();
                serde_json::to_writer(&mut octets, &report).ok()?;
                debug_assert!(octets.len() <= super::packet::MOST && octets.len() > LEN);
                Some(octets)
            }
            Kind::Echo | Kind::Report => None,
        }
    }

    /// Who sent this, known before or not; `None` if it asks for too much.
    fn find(&mut self, incoming: &Incoming) -> Option<&mut Sender> {
        let (address, Packet { session, count, .. }) = (incoming.from, incoming.packet);
        if count > MOST_PACKETS {
            return None;
        }
        let known = |sender: &Sender| sender.address == address && sender.session == session;
        let sender = match self.0.iter().position(known) {
            Some(place) => self.0.remove(place),
            None => Sender { address, session, flow: Flow::new(count) },
        };
        if self.0.len() == SENDERS {
            self.0.remove(0);
        }
        self.0.push(sender);
        self.0.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use chronotap_guest::report::beat::Direction;

    use super::*;

    fn incoming(kind: Kind, session: u64, seq: u64) -> Incoming<'static> {
        let packet =
            Packet { kind, session, count: 8, seq, sent: 100 * seq, remote_rx: 0, remote_tx: 0 };
        let from = SocketAddr::from(([10, 0, 0, 1], 4000));
        Incoming { from, at: 7000 + 100 * seq, packet, rest: &[] }
    }

    #[test]
    fn a_beat_is_echoed_once_and_reported() {
        let mut senders = Senders::default();
        for seq in [0, 1, 3] {
            let octets = senders.answer(&incoming(Kind::Beat, 1, seq)).unwrap();
            let (echo, _) = Packet::decode(&octets).unwrap();
            assert_eq!((echo.kind, echo.seq, echo.sent), (Kind::Echo, seq, 100 * seq));
            assert_eq!(echo.remote_rx, 7000 + 100 * seq);
            assert!(echo.remote_tx > 0);
        }
        assert!(senders.answer(&incoming(Kind::Beat, 1, 3)).is_none());
        let octets = senders.answer(&incoming(Kind::Finish, 1, 0)).unwrap();
        let (report, rest) = Packet::decode(&octets).unwrap();
        assert_eq!(report.kind, Kind::Report);
        let there: Direction = serde_json::from_slice(rest).unwrap();
        assert_eq!((there.received, there.lost, there.duplicated), (3, Some(5), 1));
    }

    #[test]
    fn the_quietest_sender_gives_way() {
        let mut senders = Senders::default();
        for session in 0..SENDERS as u64 {
            senders.answer(&incoming(Kind::Beat, session, 0)).unwrap();
        }
        // The first speaks again, so the second is the one that goes.
        senders.answer(&incoming(Kind::Beat, 0, 1)).unwrap();
        senders.answer(&incoming(Kind::Beat, 9, 0)).unwrap();
        let sessions: Vec<u64> = senders.0.iter().map(|sender| sender.session).collect();
        assert_eq!(sessions, [2, 3, 0, 9]);
    }

    #[test]
    fn greed_is_not_answered() {
        let mut senders = Senders::default();
        let mut greedy = incoming(Kind::Beat, 1, 0);
        greedy.packet.count = MOST_PACKETS + 1;
        assert!(senders.answer(&greedy).is_none());
        assert!(senders.answer(&incoming(Kind::Echo, 1, 0)).is_none());
        assert!(senders.0.is_empty());
    }
}
