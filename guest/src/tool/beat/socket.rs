//! A UDP socket whose every wait has an end, and whose packets get their stamps here.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::packet::{self, Packet};
use crate::tool::clock;

/// How long a packet may wait for room in the guest's own queue.
const ROOM_WITHIN: Duration = Duration::from_secs(5);

/// A socket.
pub struct Socket {
    socket: UdpSocket,
    octets: Box<[u8; packet::MOST]>,
}

/// A packet that arrived.
pub struct Incoming<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// When it was taken from the socket, in ns of CLOCK_MONOTONIC.
    pub at: u64,
    /// The packet.
    pub packet: Packet,
    /// What is behind it.
    pub rest: &'a [u8],
}

impl Socket {
    /// On a port of all addresses, IPv6 as well where the kernel has it.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn listen(port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port));
        Self::new(match socket {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?
            }
            other => other?,
        })
    }

    /// Towards one address.
    ///
    /// # Errors
    /// If there is no route to it.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(to)?;
        Self::new(socket)
    }

    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, octets: Box::new([0; packet::MOST]) })
    }

    /// Sends over a connected socket. That nobody listened to an earlier packet is no error.
    ///
    /// # Errors
    /// If the network is down.
    pub fn send(&self, octets: &[u8]) -> io::Result<()> {
        self.insist(|| self.socket.send(octets))
    }

    /// Sends to an address.
    ///
    /// # Errors
    /// If the network is down.
    pub fn send_to(&self, octets: &[u8], to: SocketAddr) -> io::Result<()> {
        self.insist(|| self.socket.send_to(octets, to))
    }

    fn insist(&self, send: impl Fn() -> io::Result<usize>) -> io::Result<()> {
        let end = deadline(ROOM_WITHIN);
        loop {
            let error = match send() {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let again = match error.kind() {
                io::ErrorKind::WouldBlock => self.wait(PollFlags::OUT, end)?,
                // The socket tells what became of an earlier packet and has not sent this one.
                io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {
                    clock::monotonic() < end
                }
                _ => false,
            };
            if !again {
                return Err(error);
            }
        }
    }

    /// The next packet of ours, unless none comes before the deadline (ns of CLOCK_MONOTONIC).
    ///
    /// # Errors
    /// If the socket fails.
    pub fn receive(&mut self, deadline: u64) -> io::Result<Option<Incoming<'_>>> {
        loop {
            match self.socket.recv_from(&mut self.octets[..]) {
                Ok((length, from)) => {
                    let at = clock::monotonic();
                    // A second look at the same octets; the borrow would not end in the loop.
                    if Packet::decode(&self.octets[..length]).is_some() {
                        let decoded = Packet::decode(&self.octets[..length]);
                        return Ok(decoded.map(|(packet, rest)| Incoming {
                            from,
                            at,
                            packet,
                            rest,
                        }));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(PollFlags::IN, deadline)? {
                        return Ok(None);
                    }
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
            // Strangers' packets and errors do not hold us beyond the deadline.
            if clock::monotonic() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Whether the socket is ready before the deadline.
    fn wait(&self, for_what: PollFlags, deadline: u64) -> io::Result<bool> {
        let left = deadline.saturating_sub(clock::monotonic());
        let timeout = Timespec {
            tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (left % 1_000_000_000).cast_signed(),
        };
        match poll(&mut [PollFd::new(&self.socket, for_what)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// So long from now, in ns of CLOCK_MONOTONIC.
pub fn deadline(span: Duration) -> u64 {
    let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    clock::monotonic().saturating_add(span)
}

/// What a socket tells of earlier packets: nobody listens there, or nobody can be reached yet.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, Interrupted, NetworkUnreachable};
    [ConnectionRefused, HostUnreachable, Interrupted, NetworkUnreachable].contains(&error.kind())
}
