//! What goes wrong in the windows of a lab in lockstep. No fault holds it for long, and each is
//! told of.

use std::{
    io::Read as _,
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use chronotap_tests::{
    lab::{Lab, told},
    mischief::{Frozen, kill},
    time::{assert_in_step, wait_for},
    topology::{SMALL, lockstep, pair},
};
use vmctl::api::status::{GuestState, LabState};

/// A window is short and the budget wide: no host overruns it by itself.
const TIME: &[&str] = &["quantum = '10ms'"];
const LINK: &[&str] = &["delay = '200ms'"];

/// A stop that takes so long is a slow one.
const SLOW: Duration = Duration::from_secs(1);

fn topology(time: &[&str]) -> String {
    lockstep(&[TIME, time].concat()) + SMALL + &pair(LINK)
}

fn lab(name: &str) -> Lab {
    Lab::up(name, &topology(&[]))
}

fn state_of(lab: &Lab, guest: usize) -> GuestState {
    lab.look().guests[guest].state
}

/// Asserts that alice runs, and that time passes as it should.
fn assert_goes_on(lab: &Lab) {
    assert_eq!(lab.sh("alice", "echo still here"), "still here\n");
    assert_eq!(lab.run_for("50ms").passed_ns, 50_000_000);
    assert_in_step(lab);
    lab.vmctl(&["resume"]);
}

/// Freezes a QEMU for [`SLOW`] until the lab counts an overrun for it: now and then it is frozen
/// while its guest stands still, which delays the next window and nothing else.
fn freeze_until_it_shows(lab: &Lab, guest: &str) {
    let pid = lab.pid_of(guest);
    wait_for("a window is overrun", || {
        let before = lab.windows().over_budget;
        let frozen = Frozen::new(pid);
        sleep(SLOW);
        drop(frozen);
        // At the end of the window that is under way, all overruns before it are counted.
        lab.vmctl(&["pause"]);
        lab.vmctl(&["resume"]);
        lab.windows().over_budget > before
    });
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_stop_that_takes_a_second_is_an_overrun_and_no_more() {
    let lab = lab("t-slowstop");
    let running = lab.spawn(&["exec", "alice", "--", "ping", "-q", "-c", "30", "-i", "0.1", "bob"]);
    freeze_until_it_shows(&lab, "bob");
    let windows = lab.windows();
    println!("overrun {:?} where the budget is {} ns", windows.overrun, windows.budget_ns);
    wait_for("the journal tells", || lab.has_recorded(&["ran past the end of a window"]));
    assert_eq!(lab.look().state, LabState::Running);
    let output = running.wait_with_output().expect("ping ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("30 received"), "frames wait, and none is lost: {text}");
    // The others have caught up: what one window overran by is no part of the next.
    lab.run_for("1500ms");
    assert_in_step(&lab);
    lab.vmctl(&["resume"]);
    assert_goes_on(&lab);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_guest_that_nobody_can_stop_is_given_up() {
    let lab = lab("t-hang");
    let bob = lab.pid_of("bob");
    let frozen = Frozen::new(bob);
    let begun = Instant::now();
    wait_for("bob is given up", || state_of(&lab, 1) == GuestState::Dead);
    println!("a QEMU that hangs was given up after {:.1?}", begun.elapsed());
    drop(frozen);
    assert!(lab.has_recorded(&["bob"]), "{:?}", lab.look().events);
    assert!(!lab.qemu_pids().contains(&bob), "its QEMU is ended, too");
    wait_for("windows go on without him", || lab.clock().guests[1].ended);
    assert_goes_on(&lab);
    println!("{:#?}", lab.look().events);
    lab.vmctl(&["down"]);
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn guests_that_are_killed_leave_windows_to_the_others() {
    let lab = lab("t-killed");
    kill(lab.pid_of("bob"));
    wait_for("bob is dead", || state_of(&lab, 1) == GuestState::Dead);
    wait_for("windows go on without him", || lab.clock().guests[1].ended);
    assert_goes_on(&lab);

    // Nobody is left to wait for: that is said, and nothing hangs.
    kill(lab.pid_of("alice"));
    wait_for("alice is dead", || state_of(&lab, 0) == GuestState::Dead);
    let step = lab.try_vmctl(&["step", "10ms"]);
    assert_eq!(step.status.code(), Some(1), "{}", told(&step));
    let words = String::from_utf8_lossy(&step.stderr).into_owned();
    assert!(words.contains("no guest") && words.contains("is left"), "{words}");
    lab.vmctl(&["down"]);
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn guests_reboot_crash_and_power_off_inside_windows() {
    let lab = lab("t-lives");
    // A guest may be gone before it can report how the command ended.
    let ends = [(1, "reboot -f"), (2, "echo c >/proc/sysrq-trigger")];
    for (reboots, command) in ends {
        lab.try_vmctl(&["exec", "bob", "--", "sh", "-c", command]);
        wait_for("bob answers again", || {
            let again = lab.look().guests[1].reboots == reboots;
            again && state_of(&lab, 1) == GuestState::Ready
        });
        // Its hardware clocks began anew; its place in virtual time did not.
        lab.run_for("100ms");
        assert_in_step(&lab);
        lab.vmctl(&["resume"]);
        let seen = lab.ping("alice", "-c 3 -i 0.1 bob");
        assert!(seen.received == 3 && seen.min_ms() >= 400.0, "after `{command}`: {seen:?}");
    }
    lab.try_vmctl(&["exec", "bob", "--", "poweroff", "-f"]);
    wait_for("bob is off", || state_of(&lab, 1) == GuestState::Dead);
    assert!(lab.has_recorded(&["bob", "powered off"]), "{:?}", lab.look().events);
    assert_goes_on(&lab);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_daemon_that_is_killed_in_its_windows_leaves_guests_that_go_on_or_go_away() {
    let lab = lab("t-abandoned");
    // Between its two guests, in whatever window it is: some stand still, some may run.
    kill(lab.daemon_pid());
    wait_for("ps sees it", || lab.vmctl(&["ps"]).contains("dead"));
    assert_eq!(lab.qemu_pids().len(), 2);
    let said = lab.vmctl(&["resume"]);
    assert!(said.contains("lost its daemon"), "{said}");
    lab.vmctl(&["down"]);
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_lab_with_a_guest_that_hangs_goes_down() {
    let lab = lab("t-hangdown");
    let frozen = Frozen::new(lab.pid_of("bob"));
    lab.vmctl(&["down"]);
    drop(frozen);
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_strict_lab_ends_with_its_first_overrun() {
    let (lab, mut up) = Lab::up_in_foreground("t-strict", &topology(&["strict = true"]));
    let state = |lab: &Lab| lab.try_vmctl(&["-o", "json", "clock"]);
    wait_for("the lab runs", || {
        String::from_utf8_lossy(&state(&lab).stdout).contains("\"running\"")
    });
    let alice = lab.pid_of("alice");
    wait_for("the lab ends", || {
        if up.try_wait().expect("a child of ours").is_none() {
            let _frozen = Frozen::new(alice);
            sleep(SLOW);
        }
        up.try_wait().expect("a child of ours").is_some()
    });
    assert_eq!(up.wait().expect("it has ended").code(), Some(1));
    let words = stderr_of(&mut up);
    for word in ["past the end of a window", "the budget is", "strict"] {
        assert!(words.contains(word), "`{word}` is missing in: {words}");
    }
    lab.assert_gone();
}

fn stderr_of(child: &mut Child) -> String {
    let mut words = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut words).expect("text");
    words
}
