//! Runs of a lab in mode `exact`, on a host that does its worst.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use vmctl::api::play::Played;

use crate::{
    lab::{Lab, command, told},
    mischief::Frozen,
};

/// `vmctl run` of a topology text under this name, with this environment on top. Returns what it
/// tells; whether expectations held is in there.
///
/// # Panics
/// When the lab did not run to its end.
pub fn run(name: &str, topology: &str, environment: &[(&str, &Path)]) -> Played {
    let (lab, file) = Lab::written(name, topology);
    let mut run = command();
    run.envs(environment.iter().copied()).args(["-o", "json", "run"]).arg(&file);
    let output = run.output().expect("vmctl starts");
    let played = serde_json::from_slice(&output.stdout);
    let played: Played = played.unwrap_or_else(|error| panic!("{error}: {}", told(&output)));
    lab.assert_gone();
    played
}

/// What must be the same in every run: digests, consoles, what commands saw and when.
///
/// # Panics
/// When the run is not exact, or did not come from the mode.
pub fn essence(played: &Played) -> (String, Vec<String>, String) {
    let exact = played.exact.as_ref().expect("a run in mode exact");
    assert_eq!((&exact.doubt, &exact.perturbed), (&None, &None));
    let digest = exact.digest.clone().expect("a digest");
    let consoles = exact.consoles.iter().map(|console| console.digest.clone()).collect();
    (digest, consoles, serde_json::to_string(&played.commands).expect("JSON"))
}

/// Freezes the QEMUs and the daemon of a lab again and again, one at a time, until it is dropped.
pub struct Unrest {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
}

impl Unrest {
    /// Begins at once, whether or not the lab is there yet.
    pub fn of(lab: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (lab, ended) = (lab.to_owned(), over.clone());
        let thread = thread::spawn(move || disturb(&lab, &ended));
        Self { over, thread: Some(thread) }
    }

    /// Ends it; returns how often something was frozen.
    pub fn end(mut self) -> u32 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().map_or(0, |thread| thread.join().expect("it does not panic"))
    }
}

impl Drop for Unrest {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn disturb(lab: &str, over: &AtomicBool) -> u32 {
    let (mut frozen, mut random) = (0, 1u64);
    while !over.load(Ordering::Relaxed) {
        // Knuth's MMIX: any sequence will do, as long as nothing in a lab knows it.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let victims = victims(lab);
        if let Some(victim) = victims.get((random >> 33) as usize % victims.len().max(1)) {
            let _still = Frozen::new(*victim);
            thread::sleep(Duration::from_millis(1 + (random >> 40) % 30));
            frozen += 1;
        }
        thread::sleep(Duration::from_millis(5 + (random >> 50) % 40));
    }
    frozen
}

/// The lab's QEMUs and its daemon.
fn victims(lab: &str) -> Vec<u32> {
    let qemu = format!("guest={lab}/");
    let record = fs::read_to_string(Path::new("/run/chronotap").join(lab).join("lab.json"));
    let record = record.ok().and_then(|text| serde_json::from_str(&text).ok());
    let daemon = record.and_then(|record: serde_json::Value| record["daemon"]["pid"].as_u64());
    let entries = fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline"));
        line.is_ok_and(|line| line.contains(&qemu))
    };
    pids.filter(is_ours).chain(daemon.and_then(|pid| u32::try_from(pid).ok())).collect()
}

/// A directory with a `qemu-system-x86_64` that passes its arguments on to the real one after `sed`
/// has put them through `script`: for what must make runs differ.
pub fn altered_qemu(directory: &Path, script: &str) -> PathBuf {
    let real = find("qemu-system-x86_64");
    let text = format!(
        "#!/bin/sh\nfor word; do\n  shift\n  set -- \"$@\" \"$(printf '%s' \"$word\" | sed -e '{script}')\"\n\
         done\nexec {} \"$@\"\n",
        real.display()
    );
    let place = directory.join("qemu-system-x86_64");
    fs::write(&place, text).expect("a script");
    for open in [directory, &place] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(open, mode).expect("permissions");
    }
    let rest = std::env::var("PATH").unwrap_or_default();
    PathBuf::from(format!("{}:{rest}", directory.display()))
}

fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.into_iter().find(|place| place.is_file()).expect("QEMU is installed")
}
