//! What a scrape of 64 ports takes, and of what.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chronotap::sim::Profile;
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{Plane, delayed, star};
use vmctl::api::status::{GuestState, Lab, LabState};
use vmctl::lab::usage;
use vmctl::metrics::{GuestTally, Names, Scrape, Setting};

const PORTS: usize = 64;
const ROUNDS: usize = 50;

/// Prints medians, and how much text it is.
pub fn run() {
    in_new_netns(|| {
        let profile = delayed(Duration::from_millis(5));
        let plane = Plane::start(star(PORTS as u32, &profile), 1500);
        let names = names();
        let scrape = || scrape(&plane, &profile, &names);
        let text = scrape().render().expect("renders");
        println!("  {} series, {} kB", text.lines().count(), text.len() / 1000);
        println!("  observation of the data plane  {:?}", median(|| drop(plane.observe())));
        let counters = || drop(plane.datapath.kernel_counters().expect("counters"));
        println!("  counters of the kernel         {:?}", median(counters));
        let pid = std::process::id();
        let look = || (0..PORTS).for_each(|_| drop(black_box(usage::threads_time(pid, &[pid]))));
        println!("  processor time of 64 threads   {:?}", median(look));
        let mut scrapes: Vec<Scrape> = (0..ROUNDS).map(|_| scrape()).collect();
        let render = || drop(scrapes.pop().map(Scrape::render));
        println!("  text                           {:?}", median(render));
        println!("target: <= 20 ms together");
    });
}

fn median(mut part: impl FnMut()) -> Duration {
    let mut taken: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            part();
            begun.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[ROUNDS / 2]
}

fn names() -> Arc<Names> {
    let named = |what: &str| (0..PORTS).map(|index| format!("guest{index}{what}")).collect();
    Arc::new(Names {
        lab: "crowd".into(),
        guests: named(""),
        ports: named(":eth0"),
        links: named(":eth0-core:p1"),
        switches: vec!["core".into()],
    })
}

fn scrape(plane: &Plane, profile: &Profile, names: &Arc<Names>) -> Scrape {
    let about = Lab {
        name: "crowd".into(),
        topology: PathBuf::new(),
        mode: "realtime".into(),
        seed: 1,
        daemon_pid: 1,
        version: String::new(),
        accelerator: "tcg".into(),
        stamp: "kernel".into(),
        metrics: None,
        epoch_seconds: 0,
    };
    let second = Duration::from_secs(1);
    let (state, vcpus) = (GuestState::Ready, Some(second));
    let guest = GuestTally { state, reboots: 0, ran: second, held: second, vcpus };
    Scrape {
        names: Arc::clone(names),
        about,
        state: LabState::Running,
        observation: plane.observe(),
        kernel: plane.datapath.kernel_counters().expect("counters"),
        settings: vec![Setting::of(profile); 2 * PORTS],
        guests: vec![guest; PORTS],
        overloads: 0,
        user_pauses: 0,
        overload_pauses: 0,
        virtual_time: second,
        wall_time: second,
        windows: None,
        perturbed: false,
    }
}
