//! Taps of senders that stamp: frames behind a prefix through `adopt` to AF_XDP, and back again.
//!
//! Each experiment runs with the program in the driver and in the generic hook. Tests write to the
//! tap and read from it what the sender would.

use aya::Ebpf;
use aya::maps::XskMap;
use aya::programs::XdpMode;
use chronotap::programs::{Programs, StampedBy};
use chronotap::xsk::{Arrival, Frame, Memory, Occupancy, Settings, Socket, Stamp, Tap};
use chronotap_common::SOCKETS;
use chronotap_common::counter::{Counter, PortCounters};
use chronotap_common::stamp::FrameStamp;
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{QUEUE, frame, object};
use chronotap_tests::programs::{self, growth};

/// Octets that a test reads at once: more than any frame has.
const ROOM: usize = 1 << 16;

/// From a bare Ethernet header over an MTU of 1500 to one of 9000, and what just fits and does not
/// fit into a chunk or a page.
const LENGTHS: [usize; 13] =
    [14, 15, 60, 1498, 1514, 1518, 1776, 1792, 1793, 3500, 3840, 9014, 9018];

const BURST: u32 = 800;

/// A tap with `adopt` on it, and the socket behind that.
struct Port {
    tap: Tap,
    socket: Socket,
    memory: Memory,
    ebpf: Ebpf,
    /// With nothing under way.
    at_rest: Occupancy,
}

impl Port {
    fn new(mode: XdpMode) -> Self {
        let (tap, socket, memory) = tap_and_socket();
        let mut ebpf = programs::load();
        let map = ebpf.map_mut(SOCKETS).expect("the map SOCKETS");
        let mut sockets = XskMap::try_from(map).expect("SOCKETS holds sockets");
        sockets.set(tap.index(), socket.number(), 0).expect("the socket goes into the map");
        let attached = programs::adopt(&mut ebpf).attach_to_if_index(tap.index(), mode);
        attached.expect("adopt is attached");
        let at_rest = memory.occupancy();
        Self { tap, socket, memory, ebpf, at_rest }
    }

    /// Sends a stamped frame as the guest's side would.
    fn send(&self, stamp: FrameStamp, frame: &[u8]) {
        let whole = [&stamp.write()[..], frame].concat();
        self.tap.send(&whole).unwrap_or_else(|error| panic!("{} octets: {error}", frame.len()));
    }

    /// What has arrived at the socket: the kernel is done when a write to the tap returns.
    fn arrivals(&mut self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        self.socket.receive(u32::MAX, |arrival| arrivals.push(arrival.expect("room")));
        arrivals
    }

    /// Hands a frame to the guest's side, and expects that the tap takes it.
    fn hand_over(&mut self, frame: Frame, stamp: FrameStamp) {
        self.socket.send_stamped(frame, stamp).expect("room on the ring");
        assert_eq!(self.socket.kick().sent, 1);
    }

    /// What the guest's side reads next, if anything.
    fn handed_over(&self) -> Option<(FrameStamp, Vec<u8>)> {
        let mut room = vec![0; ROOM];
        let whole = self.tap.receive(&mut room).expect("the tap is readable")?;
        let (prefix, frame) = whole.split_first_chunk().expect("a prefix");
        Some((FrameStamp::read(prefix).expect("a stamp"), frame.to_vec()))
    }

    fn counts(&self) -> PortCounters {
        programs::counts(&self.ebpf, self.tap.index())
    }
}

fn tap_and_socket() -> (Tap, Socket, Memory) {
    let tap = Tap::create("tap0", 9000, QUEUE).expect("a tap (needs root)");
    let memory = Memory::new(8192, 64 << 20).expect("memory");
    let settings = Settings { ifindex: tap.index(), fill: 4096 };
    let socket = Socket::bind(&memory, settings).expect("a socket");
    (tap, socket, memory)
}

/// Runs an experiment in either mode, each in a namespace of its own.
fn in_both_modes(experiment: impl Fn(&mut Port) + Sync) {
    for mode in [XdpMode::Driver, XdpMode::Skb] {
        in_new_netns(|| {
            let mut port = Port::new(mode);
            experiment(&mut port);
            assert_eq!(port.memory.occupancy(), port.at_rest, "{mode:?}: chunks come home");
        });
    }
}

fn all_counts(counts: PortCounters) -> [(&'static str, u64); Counter::ALL.len()] {
    growth(PortCounters::default(), counts)
}

#[test]
#[ignore = "needs root and the eBPF object; run `cargo xtask test kernel`"]
fn a_stamped_frame_arrives_intact_without_its_prefix() {
    in_both_modes(|port| {
        for (number, len) in LENGTHS.into_iter().enumerate() {
            let (sent, seq) = (frame(1, 2, number as u64, len), number as u32 + 7);
            let at_ns = u64::from(u32::MAX) * 3 + number as u64;
            port.send(FrameStamp::numbered(at_ns, seq), &sent);
            let arrivals = port.arrivals();
            let [arrival] = arrivals.as_slice() else { panic!("{len} octets: {arrivals:?}") };
            assert_eq!(arrival.stamp, Some(Stamp { at_ns, seq }), "{len} octets");
            assert!(arrival.frame.octets() == sent, "{len} octets have changed");
        }
        let (frames, bytes) = (LENGTHS.len() as u64, LENGTHS.iter().sum::<usize>() as u64);
        let counts = PortCounters { frames, bytes, ..PortCounters::default() };
        assert_eq!(all_counts(port.counts()), all_counts(counts));
    });
}

#[test]
#[ignore = "needs root and the eBPF object; run `cargo xtask test kernel`"]
fn what_is_not_stamped_or_too_short_is_dropped_and_counted() {
    in_both_modes(|port| {
        for len in LENGTHS {
            port.tap.send(&frame(1, 2, 0, len)).expect("the tap takes it");
        }
        let stamp = FrameStamp::numbered(5, 1);
        let forged = FrameStamp { magic: FrameStamp::MAGIC ^ 1, ..stamp };
        port.send(forged, &frame(1, 2, 0, 60));
        port.tap.send(&stamp.write()[..15]).expect("the tap takes it");
        for len in 0..14 {
            port.send(stamp, &frame(1, 2, 0, 14)[..len]);
        }
        assert!(port.arrivals().is_empty());
        let unmarked = LENGTHS.len() as u64 + 2;
        let counts = PortCounters { unmarked, runt: 14, ..PortCounters::default() };
        assert_eq!(all_counts(port.counts()), all_counts(counts));
    });
}

#[test]
#[ignore = "needs root and the eBPF object; run `cargo xtask test kernel`"]
fn a_frame_is_handed_over_behind_its_stamp() {
    in_both_modes(|port| {
        for (number, len) in LENGTHS.into_iter().chain([30_000]).enumerate() {
            let (octets, seq) = (frame(1, 2, number as u64, len), number as u32 + 7);
            let stamp = FrameStamp::numbered(u64::MAX - number as u64, seq);
            let copied = Frame::copied(&port.memory, &octets).expect("room");
            port.hand_over(copied, stamp);
            let handed = port.handed_over().expect("a frame");
            assert_eq!(handed.0, stamp, "{len} octets");
            assert!(handed.1 == octets, "{len} octets have changed");
        }
    });
}

/// The prefix takes the place of the stamp that the frame came with.
#[test]
#[ignore = "needs root and the eBPF object; run `cargo xtask test kernel`"]
fn a_burst_passes_in_order_and_gives_all_chunks_back() {
    in_both_modes(|port| {
        let octets = |seq: u32| frame(1, 2, seq.into(), LENGTHS[seq as usize % LENGTHS.len()]);
        for round in 1..=3 {
            for seq in 0..BURST {
                port.send(FrameStamp::numbered(u64::from(seq) * 1000, seq), &octets(seq));
            }
            let arrivals = port.arrivals();
            let numbers = arrivals.iter().map(|arrival| arrival.stamp.expect("a stamp").seq);
            assert!(numbers.eq(0..BURST), "round {round}: order of arrivals");
            for Arrival { frame, stamp } in arrivals {
                let Stamp { at_ns, seq } = stamp.expect("a stamp");
                let due = FrameStamp::numbered(at_ns + 1, seq + BURST);
                port.socket.send_stamped(frame, due).expect("room on the ring");
            }
            assert_eq!(port.socket.kick().sent, BURST);
            for seq in 0..BURST {
                let (stamp, frame) = port.handed_over().expect("a frame");
                let due = FrameStamp::numbered(u64::from(seq) * 1000 + 1, seq + BURST);
                assert_eq!(stamp, due, "round {round}");
                assert!(frame == octets(seq), "round {round}: frame {seq} has changed");
            }
            assert_eq!(port.handed_over(), None);
        }
    });
}

/// On the way that the data plane takes, each port gets the program that suits its sender.
#[test]
#[ignore = "needs root and the eBPF object; run `cargo xtask test kernel`"]
fn the_program_follows_from_who_stamps() {
    for (stamped_by, arrives) in [(StampedBy::Kernel, true), (StampedBy::Sender, false)] {
        in_new_netns(|| {
            let (tap, mut socket, _memory) = tap_and_socket();
            let mut programs = Programs::load(&object()).expect("the programs are loaded");
            programs.connect(tap.index(), socket.number()).expect("the socket is connected");
            programs.attach(tap.index(), tap.name(), stamped_by).expect("they are attached");
            tap.send(&frame(1, 2, 0, 60)).expect("the tap takes it");
            assert_eq!(socket.receive(8, drop) == 1, arrives, "{stamped_by:?}");
            let unmarked = programs.counters(tap.index()).expect("counters").unmarked;
            assert_eq!(unmarked == 0, arrives, "{stamped_by:?}");
        });
    }
}
