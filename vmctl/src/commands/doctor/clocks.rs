//! Which clocks run on while a guest stands still. Pure.
//!
//! QEMU's own clock, QEMU_CLOCK_VIRTUAL, stands still with the guest. HPET, ACPI timer and PIT
//! count by it, the RTC with `-rtc clock=vm`, and under TCG the TSC and the LAPIC timer as well
//! (QEMU 10.0, system/cpu-timers.c, hw/timer/, hw/acpi/core.c). Under KVM, kvm-clock is held by
//! QEMU (hw/i386/kvm/clock.c), while the TSC and the LAPIC timer belong to the processor and to
//! the host's kernel, which do not know that the guest stands still: target/i386/kvm/kvm.c writes
//! the TSC only on a reset.

use super::verdict::{Finding, Seen};

/// Clocksources that stand still whatever runs the guest.
const HELD: [&str; 3] = ["kvm-clock", "hpet", "acpi_pm"];

/// Clocksources that are the TSC.
const TSC: [&str; 2] = ["tsc", "tsc-early"];

/// Flags by which Linux takes the TSC for better than kvm-clock (arch/x86/kernel/kvmclock.c).
const INVARIANT: [&str; 2] = ["constant_tsc", "nonstop_tsc"];

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Tcg,
    Kvm,
    Unknown,
}

/// One finding for each clock.
pub fn findings(seen: &Seen) -> Vec<Finding> {
    let runner = match seen.accelerator {
        "tcg" => Runner::Tcg,
        "kvm" => Runner::Kvm,
        _ => Runner::Unknown,
    };
    vec![
        clocksource(seen, runner),
        tsc(seen, runner),
        timer(seen, runner),
        rtc(seen),
        exact_clock(seen),
        command_line(seen, runner),
    ]
}

fn clocksource(seen: &Seen, runner: Runner) -> Finding {
    let Some(source) = &seen.facts.clocksource else {
        return Finding::ok("clocksource", "the kernel does not tell")
            .warn("whether its clock stands still with the guest is not known");
    };
    let finding = Finding::ok("clocksource", &source.current);
    let current = source.current.as_str();
    let is_tsc = TSC.contains(&current);
    if HELD.contains(&current) || is_tsc && runner == Runner::Tcg {
        return finding;
    }
    let consequence = match current {
        _ if is_tsc => {
            "the TSC runs on while the guest stands still: every clock of the guest jumps when it \
             goes on"
        }
        "jiffies" | "refined-jiffies" => {
            "time goes by the timer's ticks, in steps of milliseconds, and stands still when one is \
             lost"
        }
        _ => "whether this clocksource stands still with the guest is not known",
    };
    let finding = finding.warn(consequence);
    let better = HELD.into_iter().find(|held| source.available.iter().any(|name| name == held));
    match better {
        Some(better) => finding.remedy(switch(&seen.guest.name, better)),
        None => finding.remedy("give the guest a kernel with kvm-clock or HPET"),
    }
}

fn switch(node: &str, clocksource: &str) -> String {
    format!(
        "now: vmctl exec {node} -- sh -c 'echo {clocksource} > \
         /sys/devices/system/clocksource/clocksource0/current_clocksource'; for good: \
         `clocksource={clocksource}` on the kernel's command line"
    )
}

fn tsc(seen: &Seen, runner: Runner) -> Finding {
    let flags: Vec<_> = seen.facts.cpu_flags.iter().filter(|(_, set)| **set).collect();
    let flags = flags.iter().map(|(flag, _)| flag.as_str()).collect::<Vec<_>>().join(" ");
    let finding = Finding::ok("tsc", if flags.is_empty() { "no flags".to_owned() } else { flags });
    if runner == Runner::Tcg {
        return finding;
    }
    let is_set = |flag: &&str| seen.facts.cpu_flags.get(*flag) == Some(&true);
    let finding = finding.warn(
        "the TSC runs on while the guest stands still: programs that read it themselves (rdtsc) see \
         pauses, those that ask the kernel for the time do not",
    );
    match INVARIANT.iter().all(is_set) {
        true => finding.remedy(
            "start QEMU with `-cpu host,invtsc=off`, as vmctl does: Linux prefers an invariant TSC \
             to kvm-clock",
        ),
        false => finding.remedy("nothing, if no program in this guest reads the TSC by itself"),
    }
}

fn timer(seen: &Seen, runner: Runner) -> Finding {
    let Some(timer) = seen.facts.clockevent.as_deref() else {
        return Finding::ok("timer", "the kernel does not tell")
            .warn("whether timers expire while the guest stands still is not known");
    };
    let finding = Finding::ok("timer", timer);
    if runner == Runner::Tcg || !timer.starts_with("lapic") {
        return finding;
    }
    finding
        .warn(
            "a timer that expires while the guest stands still interrupts it at once when it goes \
             on; Linux then looks at its clock and waits for the rest: wasted work, no leap",
        )
        .remedy("where even that is too much: `noapictimer` on the kernel's command line")
}

fn rtc(seen: &Seen) -> Finding {
    match seen.machine.rtc_clock.as_deref() {
        Some("vm") => Finding::ok("rtc", "clock=vm"),
        Some(other) => Finding::ok("rtc", format!("clock={other}"))
            .warn("the RTC runs on while the guest stands still")
            .remedy("start QEMU with `-rtc clock=vm`, as vmctl does"),
        None => Finding::ok("rtc", "unknown: QEMU's command line cannot be read")
            .warn("whether the RTC stands still with the guest is not known")
            .remedy("run vmctl as the user who brought the lab up"),
    }
}

/// What lockstep reads from outside at every stop; the guest's kernel has to have started it. Mode
/// `exact` counts the guest's instructions.
fn exact_clock(seen: &Seen) -> Finding {
    if seen.mode == "exact" {
        return Finding::ok("exact clock", "instructions");
    }
    let available = seen.facts.clocksource.as_ref().map(|source| source.available.as_slice());
    let has = |name: &str| available.unwrap_or_default().iter().any(|found| found == name);
    let finding = |found: &str| Finding::ok("exact clock", found);
    let remedy = "boot a kernel with CONFIG_HPET_TIMER, without `hpet=disable`";
    match (has("hpet"), has("acpi_pm")) {
        (true, _) => finding("hpet"),
        (false, true) => finding("acpi_pm")
            .warn("lockstep reads this guest's clock in steps of 279 ns instead of 10 ns")
            .remedy(remedy),
        (false, false) => finding("none")
            .warn("lockstep can only estimate this guest's clock: windows end late or early")
            .remedy(remedy),
    }
}

fn command_line(seen: &Seen, runner: Runner) -> Finding {
    let Some(line) = seen.facts.command_line.as_deref() else {
        return Finding::ok("command line", "the kernel does not tell")
            .warn("whether it chose its clocks itself is not known");
    };
    let finding = Finding::ok("command line", line);
    let is_wrong = |word: &&str| match *word {
        "hpet=disable" | "nohpet" | "clocksource=jiffies" => true,
        "clocksource=tsc" | "tsc=reliable" | "no-kvmclock" => runner != Runner::Tcg,
        _ => false,
    };
    let wrong: Vec<_> = line.split_whitespace().filter(is_wrong).collect();
    if wrong.is_empty() {
        return finding;
    }
    let words = wrong.join("`, `");
    finding
        .warn(format!("`{words}` keeps the kernel from a clock that stands still with the guest"))
        .remedy(format!("boot without `{words}`"))
}

#[cfg(test)]
mod tests {
    use chronotap_guest::report::facts::{Clocksource, Facts};

    use super::super::{
        machine::Machine,
        verdict::{Verdict, tests::seen},
    };
    use super::*;

    fn facts(current: &str, available: &[&str]) -> Facts {
        let available = available.iter().map(|&name| name.to_owned()).collect();
        Facts {
            clocksource: Some(Clocksource { current: current.to_owned(), available }),
            clockevent: Some("lapic-deadline".into()),
            command_line: Some("quiet".into()),
            cpu_flags: [("rdtscp".to_owned(), true), ("nonstop_tsc".to_owned(), false)].into(),
            ..Facts::default()
        }
    }

    fn warned(facts: &Facts, accelerator: &str) -> Vec<String> {
        let machine = Machine { rtc_clock: Some("vm".into()) };
        let findings = seen(facts, accelerator, &machine, findings);
        for finding in &findings {
            assert_eq!(finding.consequence.is_some(), finding.verdict == Verdict::Warning);
        }
        let warnings = findings.into_iter().filter(|finding| finding.verdict == Verdict::Warning);
        warnings.map(|finding| finding.subject).collect()
    }

    #[test]
    fn clocksources() {
        // In use, available, what is warned of under TCG, and under KVM besides TSC and timer.
        let cases = [
            ("tsc", "tsc hpet acpi_pm", "", "clocksource"),
            ("tsc-early", "tsc-early hpet", "", "clocksource"),
            ("kvm-clock", "kvm-clock tsc hpet acpi_pm", "", ""),
            ("hpet", "tsc hpet acpi_pm", "", ""),
            ("acpi_pm", "hpet acpi_pm", "", ""),
            ("acpi_pm", "acpi_pm", "exact clock", "exact clock"),
            ("jiffies", "hpet acpi_pm", "clocksource", "clocksource"),
            ("xen", "", "clocksource, exact clock", "clocksource, exact clock"),
        ];
        for (current, available, under_tcg, under_kvm) in cases {
            let available: Vec<_> = available.split_whitespace().collect();
            let facts = facts(current, &available);
            assert_eq!(warned(&facts, "tcg").join(", "), under_tcg, "{current} under tcg");
            let mut leaks = warned(&facts, "kvm");
            leaks.retain(|subject| !["tsc", "timer"].contains(&subject.as_str()));
            assert_eq!(leaks.join(", "), under_kvm, "{current} under kvm");
        }
    }

    #[test]
    fn what_only_kvm_leaks() {
        let facts = facts("kvm-clock", &["kvm-clock", "tsc", "hpet"]);
        assert_eq!(warned(&facts, "kvm"), ["tsc", "timer"]);
        assert_eq!(warned(&facts, "tcg"), [""; 0]);
        assert_eq!(warned(&facts, "other"), ["tsc", "timer"]);
        let by_hpet = Facts { clockevent: Some("hpet".into()), ..facts };
        assert_eq!(warned(&by_hpet, "kvm"), ["tsc"]);
    }

    #[test]
    fn an_invariant_tsc_has_a_remedy_of_its_own() {
        let mut facts = facts("kvm-clock", &["kvm-clock", "hpet"]);
        let machine = Machine { rtc_clock: Some("vm".into()) };
        let remedy = |facts: &Facts| seen(facts, "kvm", &machine, findings)[1].remedy.clone();
        assert!(remedy(&facts).is_some_and(|remedy| remedy.starts_with("nothing")));
        facts.cpu_flags = INVARIANT.map(|flag| (flag.to_owned(), true)).into();
        assert!(remedy(&facts).is_some_and(|remedy| remedy.contains("invtsc=off")));
    }

    #[test]
    fn the_remedy_names_what_the_guest_has() {
        let machine = Machine { rtc_clock: Some("vm".into()) };
        let remedy = |available: &[&str]| {
            let facts = facts("tsc", available);
            seen(&facts, "kvm", &machine, findings)[0].remedy.clone().expect("a remedy")
        };
        assert!(remedy(&["kvm-clock", "tsc", "hpet"]).contains("echo kvm-clock >"));
        assert!(remedy(&["tsc", "hpet"]).contains("vmctl exec alice -- sh -c 'echo hpet >"));
        assert!(!remedy(&["tsc"]).contains("echo"));
    }

    #[test]
    fn the_rtc() {
        let facts = facts("kvm-clock", &["kvm-clock", "hpet"]);
        let verdict = |clock: Option<&str>| {
            let machine = Machine { rtc_clock: clock.map(str::to_owned) };
            seen(&facts, "tcg", &machine, findings)[3].verdict
        };
        assert_eq!(verdict(Some("vm")), Verdict::Ok);
        assert_eq!(verdict(Some("host")), Verdict::Warning);
        assert_eq!(verdict(None), Verdict::Warning);
    }

    #[test]
    fn words_that_choose_a_clock() {
        let warned_of = |words: &str, accelerator: &str| {
            let facts = Facts {
                command_line: Some(format!("quiet {words} console=ttyS0")),
                ..facts("hpet", &["hpet"])
            };
            warned(&facts, accelerator).contains(&"command line".to_owned())
        };
        for (words, tcg, kvm) in [
            ("", false, false),
            ("clocksource=tsc", false, true),
            ("tsc=reliable", false, true),
            ("no-kvmclock", false, true),
            ("clocksource=kvm-clock", false, false),
            ("hpet=disable", true, true),
            ("nohpet", true, true),
        ] {
            assert_eq!(warned_of(words, "tcg"), tcg, "{words} under tcg");
            assert_eq!(warned_of(words, "kvm"), kvm, "{words} under kvm");
        }
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_a_warning() {
        let expected = ["clocksource", "timer", "exact clock", "command line"];
        assert_eq!(warned(&Facts::default(), "tcg"), expected);
    }
}
