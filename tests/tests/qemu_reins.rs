//! A real guest's clock, read from outside whenever it stands: by its HPET, by its ACPI timer, and
//! by the host. They tell the same, to within a tick.

use std::time::Duration;

use chronotap_tests::programs;
use chronotap_tests::site::{PATIENT, Site};
use tokio::io::AsyncReadExt as _;
use vmctl::parts::Parts;
use vmctl::qemu::{Accel, Binary, Images, Launch, RunAs, Running, spawn};
use vmctl::qmp::{Client, Going, Halted, Limits};
use vmctl::scenario::{Access, Boot, Guest, NodeName, OnExit};

const HPET: &str = "xp/gx 0xfed000f0";
const ACPI_PM: &str = "i/w 0x608";
const HPET_NS: u64 = 10;
const PM_HZ: u128 = 3_579_545;
const PM_WRAP: u64 = 1 << 24;
/// Two counters that are cut to whole ticks cannot agree any better than to the longer tick.
const AGREE_NS: u64 = 1_000;

/// A guest of its own on a site of its own. The site goes last.
struct Stand {
    qmp: Client,
    running: Running,
    _site: Site,
}

impl Stand {
    /// Starts the built-in guest; it stands still.
    async fn start() -> Self {
        let (site, user) = (Site::new(), RunAs::choose());
        let guest = Guest {
            name: NodeName::new("alice").expect("a name"),
            boot: Boot::BuiltIn,
            access: Access::default(),
            memory: 128 << 20,
            vcpus: 1,
            on_exit: OnExit::Continue,
            nics: Vec::new(),
            runs: Vec::new(),
            forward: false,
            routes: Vec::new(),
        };
        let parts = Parts::at(programs::parts());
        let running = spawn(Launch {
            binary: &Binary::find().await.expect("a QEMU"),
            user: &user,
            accel: Accel::Tcg,
            lab: &site.ground.name,
            netns: &site.netns,
            guest: &guest,
            directory: &site.state.guest(&guest.name).expect("a directory"),
            hosts: &[],
            images: &Images::open(&guest.boot, &parts, &user).expect("images"),
            disks: None,
            management: None,
            taps: Vec::new(),
            exact: None,
        })
        .expect("spawned");
        let limits = Limits { reply: PATIENT, ..Limits::default() };
        let connected = Client::connect(&running.qmp, limits).await;
        let told = |error| panic!("{error}; {}", running.last_words().expect("a log"));
        let qmp = connected.unwrap_or_else(told);
        Self { qmp, running, _site: site }
    }

    /// Lets the guest boot until it has enabled its HPET.
    async fn boot(&mut self) {
        self.qmp.go().await.expect("it goes");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains("chronotap: alice ready") {
            let read = self.running.consoles[0].read_buf(&mut text);
            let read = tokio::time::timeout(PATIENT, read).await.expect("it boots");
            assert_ne!(read.expect("the console is open"), 0, "the guest ended");
        }
        self.qmp.stop().await.expect("it stops");
    }

    async fn ask(&self, question: &str) -> u64 {
        ticks(&self.qmp.ask(question).await.expect("an answer").0)
    }
}

/// The number at the end of what the human monitor prints.
fn ticks(answer: &str) -> u64 {
    let number = answer.trim_end().rsplit_once(" 0x").expect("a number").1;
    u64::from_str_radix(number, 16).expect("a hexadecimal number")
}

/// Nanoseconds that passed from one reading of the ACPI timer to another, where `about` so many did.
fn pm_nanos(from: u64, to: u64, about: u64) -> u64 {
    let nanos =
        |ticks: u64| u64::try_from(u128::from(ticks) * 1_000_000_000 / PM_HZ).expect("years");
    let shown = to.wrapping_sub(from) % PM_WRAP;
    let wraps = (about + nanos(PM_WRAP) / 2).saturating_sub(nanos(shown)) / nanos(PM_WRAP);
    nanos(shown + wraps * PM_WRAP)
}

#[tokio::test]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test qemu`"]
async fn both_counters_and_the_host_agree_at_every_stop() {
    let mut stand = Stand::start().await;
    stand.boot().await;
    let (hpet, pm) = (stand.ask(HPET).await, stand.ask(ACPI_PM).await);
    let mut before = hpet;
    for stop in 0..50_u64 {
        let going = stand.qmp.go().await.expect("it goes");
        // As good as random, and beyond a wrap of the ACPI timer now and then.
        let long = if stop % 20 == 7 { 5_000 } else { 0 };
        tokio::time::sleep(Duration::from_millis(stop * 7_919 % 97 + long)).await;
        let halted = stand.qmp.halt(HPET).await.expect("it stops");
        let now = ticks(&halted.answer);
        let ran = (now - before) * HPET_NS;
        assert_within_bounds(ran, &going, &halted);
        let passed = (now - hpet) * HPET_NS;
        let by_pm = pm_nanos(pm, stand.ask(ACPI_PM).await, passed);
        assert!(passed.abs_diff(by_pm) <= AGREE_NS, "stop {stop}: {passed} and {by_pm} ns");
        // It stands, however long.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(stand.ask(HPET).await, now, "stop {stop}");
        assert_eq!(pm_nanos(pm, stand.ask(ACPI_PM).await, passed), by_pm, "stop {stop}");
        before = now;
    }
}

/// What the fleet holds readings against.
fn assert_within_bounds(ran: u64, going: &Going, halted: &Halted) {
    let ran = Duration::from_nanos(ran);
    let least = halted.sent - halted.going.expect("it ran until it was stopped");
    let most = halted.stopped - going.sent;
    let tick = Duration::from_nanos(HPET_NS);
    assert!(least <= ran + tick && ran <= most + tick, "{least:?} {ran:?} {most:?}");
}

#[tokio::test]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test qemu`"]
async fn a_machine_that_has_not_run_yet_has_no_clock_to_read() {
    let stand = Stand::start().await;
    let printed = async |question| stand.qmp.ask(question).await.expect("an answer").0;
    assert_eq!(printed(HPET).await, "00000000fed000f0: 0x0000000000000000\r\n");
    assert_eq!(printed(ACPI_PM).await, "portl[0x0608] = 0xffffffff\r\n");
    let halted = stand.qmp.halt(HPET).await.expect("it stands already");
    assert_eq!((halted.going, halted.answer.len()), (None, 38));
}

/// Printed, not asserted: what the reins cost on this host, for a guest with nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test qemu`"]
async fn what_a_turn_costs() {
    let mut stand = Stand::start().await;
    stand.boot().await;
    let (mut cont, mut stop, mut read, mut both) = (vec![], vec![], vec![], vec![]);
    for _ in 0..300 {
        let going = stand.qmp.go().await.expect("it goes");
        cont.push(going.running - going.sent);
        tokio::time::sleep(Duration::from_millis(3)).await;
        let halted = stand.qmp.halt(HPET).await.expect("it stops");
        stop.push(halted.stopped - halted.sent);
        read.push(halted.answered - halted.stopped);
        both.push(halted.answered - halted.sent);
    }
    show("cont", cont);
    show("stop", stop);
    show("read", read);
    show("stop and read", both);
}

fn show(what: &str, mut costs: Vec<Duration>) {
    costs.sort_unstable();
    let at = |share: usize| costs[costs.len() * share / 100].as_micros();
    println!("{what}: p50 {} us, p90 {} us, p99 {} us", at(50), at(90), at(99));
}
