//! Every example of every `--help` is run as it stands, in a folder like the repository's.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use chronotap_tests::{
    lab::{self, told},
    topology::{SMALL, pair},
};
use clap::CommandFactory as _;

/// Examples that need what this test does not have, by how they begin, with who runs them instead.
const ELSEWHERE: [(&str, &str); 9] = [
    ("vmctl ssh", "qemu_images, with a disk image"),
    ("vmctl web --open", "qemu_page, with a script in place of a browser"),
    ("vmctl gdb", "qemu_images"),
    ("eval \"$(vmctl gdb", "qemu_images"),
    ("vmctl capture -w - | wireshark", "qemu_capture, with tshark in place of a window"),
    ("vmctl completions fish", "nobody: fish is not installed for it"),
    ("source <(vmctl completions zsh)", "nobody: zsh is not installed for it"),
    ("vmctl run examples/exact.toml --pause-before", "qemu_terminal, which presses the key"),
    ("vmctl graph --lab star", "this test, as `vmctl graph --lab pair`"),
];

/// What goes on until somebody ends it, by how it begins or what is in it.
const ENDLESS: [&str; 12] = [
    "vmctl up",
    "vmctl status --watch",
    "vmctl clock --watch",
    "vmctl top",
    "vmctl events -f",
    "vmctl logs -f",
    "vmctl exec -t",
    "vmctl console",
    "socat ",
    "vmctl cp alice:/proc/interrupts - | less",
    "vmctl tmux",
    "vmctl capture",
];

/// What begins like one of these, and ends.
const ENDING: [&str; 2] = ["vmctl up -d", "vmctl capture --count"];

/// Exit codes that examples promise, where that is not 0, by how they begin.
const CODES: [(&str, i32); 1] = [("vmctl exec --timeout", 124)];

/// How long something endless is watched, in seconds.
const WATCHED: &str = "3";

/// Exit codes of `timeout` for a command that was ended, and for one that had to be killed.
const ENDED: [i32; 2] = [124, 137];

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn every_example_of_every_help_works() {
    let stage = Stage::new();
    let (mut lab, mut alone) = (Vec::new(), Vec::new());
    for example in examples() {
        let elsewhere = ELSEWHERE.iter().any(|(begins, _)| example.starts_with(begins));
        let changes_labs = ["vmctl up", "vmctl down", "vmctl run examples", "vmctl run --repeat"]
            .iter()
            .chain(&["vmctl run --seeds", "vmctl run --capture"])
            .any(|begins| example.starts_with(begins));
        if !elsewhere {
            if changes_labs { alone.push(example) } else { lab.push(example) }
        }
    }
    assert!(lab.len() > 60 && alone.len() > 10, "{} and {}", lab.len(), alone.len());
    stage.must("vmctl up -d");
    stage.must("vmctl graph --lab pair");
    // Something to see: some of it gets lost.
    let pings = "for to in bob carol; do ping -i 0.2 $to </dev/null >/dev/null 2>&1 & done";
    stage.must(&format!("vmctl exec alice -- sh -c '{pings}'"));
    for example in lab {
        // Some pull cables and stop time: each finds the lab as the one before did.
        stage.must("vmctl link reset --all; vmctl resume");
        stage.run(&example);
    }
    stage.must("vmctl down");
    for example in alone {
        if example.starts_with("vmctl down") {
            stage.must("vmctl up -d");
        }
        stage.run(&example);
        stage.must(
            "for lab in $(vmctl ps -o json | jq -r '.[].name' | grep -E '^(pair|second)$'); \
                    do vmctl down $lab; done",
        );
    }
}

/// All of them, each once.
fn examples() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(&vmctl::cli::Cli::command(), &mut found);
    found
}

fn collect(command: &clap::Command, found: &mut BTreeSet<String>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    // What comes after two blanks is said about the example.
    found.extend(lines.filter_map(|line| Some(line.trim().split("  ").next()?.to_owned())));
    command.get_subcommands().for_each(|command| collect(command, found));
}

/// A folder with what the examples name.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        let stage = tempfile::tempdir().expect("a temporary directory");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let status = Command::new("cp").arg("-r").arg(&examples).arg(stage.path()).status();
        assert!(status.expect("cp").success());
        let put = |name: &str, text: &str| fs::write(stage.path().join(name), text).expect(name);
        // In realtime, where commands of the host take no longer than they do.
        let links = pair(&["delay = '1ms'"])
            + "[node.carol]\n[[link]]\n\
                    endpoints = ['alice:eth1', 'carol:eth0']\nloss = '50%'\n";
        let lab = format!("name = 'pair'\n[time]\nmode = 'realtime'\n{SMALL}{links}");
        put("topology.toml", &lab);
        put("examples/pair.toml", &lab);
        // The real ones take a while, and have tests of their own.
        let quick = format!("[time]\nmode = 'exact'\nips = '62.5MHz'\nuntil = '1s'\n{SMALL}");
        let quick = quick + &pair(&["delay = '10ms'"]);
        put("examples/exact.toml", &format!("name = 'quick'\n{quick}"));
        put("examples/race.toml", &format!("name = 'race'\n{quick}"));
        for (name, file) in
            [("platform.xml", "nova_cluster.xml"), ("deployment.xml", "deployment.xml")]
        {
            fs::copy(examples.join("simgrid").join(file), stage.path().join(name)).expect(name);
        }
        Self(stage)
    }

    /// Runs an example, which must end well; or, if it is to go on, say something until it is ended.
    fn run(&self, example: &str) {
        let endless = ENDLESS.iter().any(|begins| example.starts_with(begins))
            && !ENDING.iter().any(|begins| example.starts_with(begins));
        if !endless {
            self.must(example);
            return;
        }
        // Something happens meanwhile, in a lab that is up.
        let event = "(sleep 2; vmctl --lab pair link reset --all) >/dev/null 2>&1 &";
        let watch = format!("timeout -k 1 {WATCHED} script -qec {} /dev/null", quoted(example));
        let output = self.bash(&format!("{event} {watch}"));
        let code = output.status.code().unwrap_or_default();
        assert!(code == 0 || ENDED.contains(&code), "{example}: {}", told(&output));
        assert!(!output.stdout.is_empty(), "{example} says nothing: {}", told(&output));
    }

    fn must(&self, script: &str) {
        let output = self.bash(script);
        let promised = CODES.iter().find(|(begins, _)| script.starts_with(begins));
        let promised = promised.map_or(0, |(_, code)| *code);
        assert_eq!(output.status.code(), Some(promised), "{script}: {}", told(&output));
    }

    fn bash(&self, script: &str) -> Output {
        let vmctl = lab::command().get_program().to_owned();
        let bin = Path::new(&vmctl).parent().expect("a folder").to_owned();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        Command::new("bash")
            .args(["-o", "pipefail", "-c", script])
            .current_dir(self.0.path())
            .env_remove("VMCTL_LAB")
            .envs([("PATH", path.as_str()), ("NO_COLOR", "1"), ("TERM", "xterm"), ("PAGER", "cat")])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("bash")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Also when an example has failed.
        for lab in ["pair", "second", "quick", "race"] {
            drop(lab::vmctl(["down", lab]));
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
