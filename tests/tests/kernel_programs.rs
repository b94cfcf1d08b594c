//! Truth tables of the programs in the kernel: a frame in, a verdict and counts out.
//!
//! The kernel itself runs the programs (BPF_PROG_TEST_RUN), on frames that never were on a wire.
//! Without a context it lets them come in by the loopback interface, whose index is 1.

use std::time::Duration;

use aya::Ebpf;
use aya::maps::{RingBuf, XskMap};
use aya::programs::{ProgramError, TestRun, TestRunOptions, Xdp};
use chronotap_common::SOCKETS;
use chronotap_common::counter::{Counter, PortCounters};
use chronotap_common::diagnostic::INTERVAL_NS;
use chronotap_common::stamp::FrameStamp;
use chronotap_tests::programs::{self, growth};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Verdicts of XDP (`enum xdp_action`) and tc (`TC_ACT_SHOT`) in the kernel's `linux/bpf.h` and
/// `linux/pkt_cls.h`.
const XDP_DROP: u32 = 1;
const XDP_REDIRECT: u32 = 4;
const TC_ACT_SHOT: u32 = 2;

const LOOPBACK: u32 = 1;
const BROADCAST: [u8; 6] = [0xff; 6];
const BOB: [u8; 6] = [0x52, 0x54, 0, 0, 0, 2];
const BRIDGE_GROUP: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0];

/// Which XDP program to run.
type Choice = fn(&mut Ebpf) -> &mut Xdp;

/// One row of a table.
struct Case {
    name: &'static str,
    frame: Vec<u8>,
    verdict: u32,
    /// How the port's counts grow.
    counts: PortCounters,
}

/// The programs, loaded, with or without a socket for the loopback's port.
struct Programs {
    ebpf: Ebpf,
    _socket: Option<OwnedFd>,
}

impl Programs {
    fn load() -> Self {
        Self { ebpf: programs::load(), _socket: None }
    }

    fn with_socket() -> Self {
        let mut programs = Self::load();
        let socket = socket(AddressFamily::XDP, SocketType::RAW, None).expect("an AF_XDP socket");
        let map = programs.ebpf.map_mut(SOCKETS).expect("the map SOCKETS");
        let mut sockets = XskMap::try_from(map).expect("SOCKETS holds sockets");
        sockets.set(LOOPBACK, socket.as_raw_fd(), 0).expect("the socket goes into the map");
        Self { _socket: Some(socket), ..programs }
    }

    fn counts(&self) -> PortCounters {
        programs::counts(&self.ebpf, LOOPBACK)
    }

    /// Runs an XDP program on `octets`; returns the verdict and what the frame has become, metadata
    /// included, or nothing if the kernel does not take such a frame.
    fn run(&mut self, program: Choice, octets: &[u8], context: &[u8]) -> Option<(u32, Vec<u8>)> {
        let mut out = vec![0; octets.len() + FrameStamp::SIZE];
        let options = TestRunOptions {
            data_in: Some(octets),
            data_out: Some(&mut out),
            ctx_in: Some(context),
            ..TestRunOptions::new()
        };
        let run = match program(&mut self.ebpf).test_run(options) {
            Ok(run) => run,
            Err(ProgramError::SyscallError(error)) if is_invalid(&error.io_error) => return None,
            Err(error) => panic!("the kernel runs it: {error}"),
        };
        out.truncate(run.data_size_out as usize);
        Some((run.return_value, out))
    }

    /// Runs `capture` on a frame behind `room` octets of metadata that are there already.
    fn capture(&mut self, frame: &[u8], room: usize) -> (u32, Vec<u8>) {
        let octets = [vec![0xee; room].as_slice(), frame].concat();
        let context = xdp_context(room, octets.len());
        self.run(programs::capture, &octets, &context).expect("the kernel takes the frame")
    }

    /// Runs `adopt` on a frame with nothing in front.
    fn adopt(&mut self, octets: &[u8]) -> (u32, Vec<u8>) {
        let context = xdp_context(0, octets.len());
        self.run(programs::adopt, octets, &context).expect("the kernel takes the frame")
    }

    fn gate(&mut self, frame: &[u8]) -> u32 {
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        programs::gate(&mut self.ebpf).test_run(options).expect("the kernel runs gate").return_value
    }

    /// Lines in the log that nobody has read yet.
    fn log_lines(&mut self) -> usize {
        let map = self.ebpf.map_mut("AYA_LOGS").expect("the log's map");
        let mut ring = RingBuf::try_from(map).expect("the log is a ring buffer");
        std::iter::from_fn(|| ring.next().map(drop)).count()
    }
}

fn is_invalid(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidInput
}

/// `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
fn xdp_context(data: usize, data_end: usize) -> Vec<u8> {
    let field = |value: usize| u32::try_from(value).expect("a short frame").to_ne_bytes();
    [field(data), field(data_end), [0; 4], [0; 4], [0; 4], [0; 4]].concat()
}

/// An Ethernet frame of `len` octets; the payload counts upwards.
fn frame(destination: [u8; 6], ether_type: &[u8], len: usize) -> Vec<u8> {
    let header = [&destination, &[0x52, 0x54, 0, 0, 0, 1], ether_type].concat();
    let payload = (0..len.saturating_sub(header.len())).map(|position| position as u8);
    header.iter().copied().chain(payload).take(len).collect()
}

/// Octets without any order, the same in every run (a linear congruential generator, Knuth's MMIX).
fn garbage(len: usize) -> Vec<u8> {
    let mut state = 0x5eed_u64;
    let mut octet = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| octet()).collect()
}

/// Frames that a guest may send, from the ordinary to the hostile. Each is long enough to be
/// Ethernet, and nothing else about it is capture's or gate's business.
fn admitted_frames() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("header only", frame(BOB, &[0x08, 0x00], 14)),
        ("one octet of payload", frame(BOB, &[0x08, 0x00], 15)),
        ("ARP", frame(BROADCAST, &[0x08, 0x06], 42)),
        ("IPv4", frame(BOB, &[0x08, 0x00], 60)),
        ("IPv6", frame(BOB, &[0x86, 0xdd], 60)),
        ("full IPv4", frame(BOB, &[0x08, 0x00], 1514)),
        ("IPv4 header cut off", frame(BOB, &[0x08, 0x00], 20)),
        ("VLAN", frame(BOB, &[0x81, 0x00, 0x00, 0x0a, 0x08, 0x00], 64)),
        ("full VLAN", frame(BOB, &[0x81, 0x00, 0x00, 0x0a, 0x08, 0x00], 1518)),
        ("VLAN tag cut off", frame(BOB, &[0x81, 0x00, 0x00], 15)),
        ("VLAN in VLAN", frame(BOB, &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x08, 0], 68)),
        ("spanning tree", frame(BRIDGE_GROUP, &[0x00, 0x26], 60)),
        ("unknown EtherType", frame(BOB, &[0x88, 0xb5], 60)),
        ("zeros", vec![0; 60]),
        ("ones", vec![0xff; 60]),
        ("short garbage", garbage(37)),
        ("long garbage", garbage(1514)),
        ("large, one buffer", frame(BOB, &[0x08, 0x00], 3000)),
        ("jumbo", frame(BOB, &[0x08, 0x00], 9014)),
        ("jumbo garbage", garbage(9014)),
        ("largest of IPv4", frame(BOB, &[0x08, 0x00], 65_549)),
    ]
}

fn expected(counts: PortCounters) -> [(&'static str, u64); Counter::ALL.len()] {
    growth(PortCounters::default(), counts)
}

fn monotonic_ns() -> u64 {
    let at = clock_gettime(ClockId::Monotonic);
    at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64
}

#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn capture_stamps_and_redirects_whatever_is_ethernet() {
    let mut programs = Programs::with_socket();
    for (name, frame) in admitted_frames() {
        let bytes = frame.len() as u64;
        let counts = PortCounters { frames: 1, bytes, ..PortCounters::default() };
        let case = Case { name, frame, verdict: XDP_REDIRECT, counts };
        let earliest = monotonic_ns();
        let out = run_capture(&mut programs, &case, 0);
        let (stamp, rest) = out.split_first_chunk().expect("room for a stamp");
        let stamp = FrameStamp::read(stamp).unwrap_or_else(|| panic!("{name}: not stamped"));
        assert!((earliest..=monotonic_ns()).contains(&stamp.at_ns), "{name}: {stamp:?}");
        assert!(rest == case.frame, "{name}: the frame has changed");
    }
}

#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn capture_drops_what_has_no_socket() {
    let mut programs = Programs::load();
    for (name, frame) in admitted_frames() {
        let counts = PortCounters { no_socket: 1, ..PortCounters::default() };
        run_capture(&mut programs, &Case { name, frame, verdict: XDP_DROP, counts }, 0);
    }
}

/// A frame whose header lies in a fragment is as good as any: nothing reads it in the kernel.
#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn capture_redirects_a_frame_whose_first_buffer_is_short() {
    let mut programs = Programs::with_socket();
    for linear in [0, 4, 13, 14] {
        let frame = frame(BOB, &[0x08, 0x00], 60);
        let run = programs.run(programs::capture, &frame, &xdp_context(0, linear));
        let Some((verdict, out)) = run else {
            // Before Linux 6.18 TEST_RUN has no such frames.
            continue;
        };
        assert_eq!(verdict, XDP_REDIRECT, "{linear} octets in the first buffer");
        assert!(out.ends_with(&frame), "{linear} octets in the first buffer: frame has changed");
    }
}

/// Metadata makes up the 14 octets that TEST_RUN insists on; newer kernels see through that, and
/// let no runt come near an XDP program in the first place.
#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn no_runt_passes_capture() {
    let mut programs = Programs::with_socket();
    let rows = [("nothing", 0), ("one octet", 1), ("addresses only", 12), ("half a type", 13)];
    for (name, len) in rows {
        let frame = [vec![0; 16], frame(BOB, &[0x08, 0x00], len)].concat();
        let before = programs.counts();
        let run = programs.run(programs::capture, &frame, &xdp_context(16, frame.len()));
        let runt = u64::from(run.is_some());
        let counts = PortCounters { runt, ..PortCounters::default() };
        assert_eq!(run.map_or(XDP_DROP, |(verdict, _)| verdict), XDP_DROP, "{name}: verdict");
        assert_eq!(growth(before, programs.counts()), expected(counts), "{name}: counts");
    }
}

/// Metadata of the greatest length the kernel allows leaves no room for a stamp.
#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn capture_redirects_a_frame_that_cannot_be_stamped() {
    let mut programs = Programs::with_socket();
    for (name, frame) in admitted_frames().into_iter().filter(|(_, frame)| frame.len() < 2000) {
        let bytes = frame.len() as u64;
        let counts = PortCounters { frames: 1, bytes, unstamped: 1, ..PortCounters::default() };
        let case = Case { name, frame, verdict: XDP_REDIRECT, counts };
        let out = run_capture(&mut programs, &case, greatest_room(&mut Programs::load()));
        assert!(out.ends_with(&case.frame), "{name}: the frame has changed");
    }
}

/// TEST_RUN leaves 216 octets beside its own bookkeeping (`bpf_prog_test_run_xdp` in the kernel's
/// `net/bpf/test_run.c`); before Linux 6.3 metadata ended at 32.
fn greatest_room(programs: &mut Programs) -> usize {
    let fits = |room: &usize| {
        let octets = vec![0; room + 60];
        programs.run(programs::capture, &octets, &xdp_context(*room, octets.len())).is_some()
    };
    [216, 32].into_iter().find(fits).expect("some metadata is allowed")
}

/// The stamp of a sender in front of a frame.
fn stamped(frame: &[u8]) -> Vec<u8> {
    [&FrameStamp::numbered(5, 7).write()[..], frame].concat()
}

#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn adopt_makes_the_prefix_metadata_and_redirects() {
    let mut programs = Programs::with_socket();
    for (name, frame) in admitted_frames() {
        let (octets, before) = (stamped(&frame), programs.counts());
        let (verdict, out) = programs.adopt(&octets);
        assert_eq!(verdict, XDP_REDIRECT, "{name}: verdict");
        let counts = PortCounters { frames: 1, bytes: frame.len() as u64, ..Default::default() };
        assert_eq!(growth(before, programs.counts()), expected(counts), "{name}: counts");
        assert!(out == octets, "{name}: metadata and frame are what frame and prefix were");
    }
}

/// Without a whole stamp a frame is unmarked; without a whole header behind the stamp, a runt.
#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn adopt_drops_what_bears_no_stamp() {
    let mut programs = Programs::with_socket();
    let unmarked = PortCounters { unmarked: 1, ..PortCounters::default() };
    let runt = PortCounters { runt: 1, ..PortCounters::default() };
    let cut = |len| stamped(&garbage(60))[..len].to_vec();
    let mut forged = stamped(&garbage(60));
    forged[15] ^= 1;
    let rows = [("forged", forged, unmarked), ("zeros", vec![0; 76], unmarked)];
    let rows = rows.into_iter().chain((14..16).map(|len| ("half a prefix", cut(len), unmarked)));
    let rows = rows.chain((16..30).map(|len| ("half a header", cut(len), runt)));
    let bare = admitted_frames().into_iter().map(|(name, frame)| (name, frame, unmarked));
    for (name, octets, counts) in rows.chain(bare) {
        let before = programs.counts();
        assert_eq!(programs.adopt(&octets).0, XDP_DROP, "{name}: verdict");
        assert_eq!(growth(before, programs.counts()), expected(counts), "{name}: counts");
    }
}

/// Prefix and header must lie in the first buffer, as they do on taps.
#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn adopt_drops_a_frame_whose_first_buffer_is_short() {
    let mut programs = Programs::with_socket();
    let octets = stamped(&frame(BOB, &[0x08, 0x00], 60));
    for linear in [0, 15, 16, 29, 30, 31] {
        let before = programs.counts().unmarked;
        let run = programs.run(programs::adopt, &octets, &xdp_context(0, linear));
        // Before Linux 6.18 TEST_RUN has no such frames.
        let Some((verdict, _)) = run else { continue };
        let unmarked = programs.counts().unmarked - before;
        let expected = if linear < 30 { (XDP_DROP, 1) } else { (XDP_REDIRECT, 0) };
        assert_eq!((verdict, unmarked), expected, "{linear} octets in the first buffer");
    }
}

#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn adopt_drops_what_has_no_socket() {
    let mut programs = Programs::load();
    assert_eq!(programs.adopt(&stamped(&garbage(60))).0, XDP_DROP);
    let counts = PortCounters { no_socket: 1, ..PortCounters::default() };
    assert_eq!(growth(PortCounters::default(), programs.counts()), expected(counts));
}

#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn gate_drops_and_counts_everything() {
    let mut programs = Programs::with_socket();
    for (name, frame) in admitted_frames().into_iter().filter(|(_, frame)| fits_test_run(frame)) {
        let foreign_bytes = frame.len() as u64;
        let counts = PortCounters { foreign: 1, foreign_bytes, ..PortCounters::default() };
        let before = programs.counts();
        assert_eq!(programs.gate(&frame), TC_ACT_SHOT, "{name}: verdict");
        assert_eq!(growth(before, programs.counts()), expected(counts), "{name}: counts");
    }
}

/// What TEST_RUN makes an skb of: one page less its head and tail rooms, and no IPv4 header cut off.
/// `kernel_gate` sends jumbo frames the real way.
fn fits_test_run(frame: &[u8]) -> bool {
    frame.len() <= 3500 && !(frame[12..14] == [0x08, 0x00] && frame.len() < 34)
}

/// A burst of a rare event leaves one line, and one more for each second that the burst lasts.
#[test]
#[ignore = "needs CAP_BPF and the eBPF object; run `cargo xtask test kernel`"]
fn a_burst_is_logged_once_a_second() {
    let mut cpu = CpuSet::new();
    cpu.set(sched_getcpu());
    sched_setaffinity(None, &cpu).expect("this thread stays on its CPU, as each logs for itself");
    let mut programs = Programs::load();
    let start = monotonic_ns();
    for _ in 0..500 {
        programs.capture(&frame(BOB, &[0x08, 0x00], 60), 0);
    }
    let lasted = Duration::from_nanos(monotonic_ns() - start);
    let most = 1 + (lasted.as_nanos() / u128::from(INTERVAL_NS)) as usize;
    let lines = programs.log_lines();
    assert!((1..=most).contains(&lines), "{lines} lines in {lasted:?}");
    assert_eq!(programs.counts().no_socket, 500);
}

/// Runs one row and checks its verdict and counts; returns the octets that came out.
fn run_capture(programs: &mut Programs, case: &Case, room: usize) -> Vec<u8> {
    let before = programs.counts();
    let (verdict, out) = programs.capture(&case.frame, room);
    assert_eq!(verdict, case.verdict, "{}: verdict", case.name);
    assert_eq!(growth(before, programs.counts()), expected(case.counts), "{}: counts", case.name);
    out
}
