//! Hosts of all sorts.

use std::path::PathBuf;

use super::super::super::verdict::Verdict;
use super::super::Host;
use super::super::system::{Kernel, Load, OPTIONS};
use super::*;

/// A host on which all is well.
fn good() -> Facts {
    let carried = Carried { attached: AttachMode::Native, stamps: StampSource::Kernel };
    Facts {
        kernel: Kernel {
            release: "6.12.30".into(),
            options: Some(OPTIONS.into_iter().map(|option| (option, true)).collect()),
        },
        lacking: Ok(Vec::new()),
        missing_parts: Vec::new(),
        trial: Ok(Trial { programs: Ok(()), taps: Ok(carried), fifo: Ok(()) }),
        qemu: Ok("10.0.2".into()),
        kvm: Ok(()),
        agent: Ok(()),
        locked_memory: Some(8 << 20),
        open_files: Some(1024),
        real_time_us: Some(950_000),
        clocksource: Some("tsc".into()),
        governors: ["performance".to_owned()].into(),
        cores: 8,
        guests: 4,
        load: Some(Load { busy: 0.1, stolen: 0.0 }),
        memory: Some(8 << 30),
        huge_pages: Some("madvise".into()),
        state: Ok((PathBuf::from("/run/chronotap"), Some(1 << 30))),
        leftovers: Vec::new(),
        missing_tools: Vec::new(),
    }
}

/// What is not well: verdict and subject.
fn odd(facts: &Facts) -> String {
    let findings = of(facts);
    for finding in &findings {
        let is_ok = finding.verdict == Verdict::Ok;
        assert_eq!(finding.consequence.is_none(), is_ok, "{finding:?}");
        assert_eq!(finding.remedy.is_none(), is_ok, "{finding:?}");
    }
    let odd = findings.iter().filter(|finding| finding.verdict != Verdict::Ok);
    let odd = odd.map(|finding| format!("{} {}", finding.verdict.word(), finding.subject));
    odd.collect::<Vec<_>>().join(", ")
}

#[test]
fn each_fact_has_its_finding() {
    assert_eq!(odd(&good()), "");
    let carried = |attached, stamps| {
        Ok(Trial { programs: Ok(()), taps: Ok(Carried { attached, stamps }), fifo: Ok(()) })
    };
    type Change = fn(&mut Facts);
    let cases: [(Change, &str); 18] = [
        (|f| f.kernel.options = None, ""),
        (|f| f.missing_parts = vec!["no eBPF object".into()], "error built parts"),
        (|f| f.qemu = Err("none".into()), "error QEMU"),
        (|f| f.kvm = Err("no device".into()), "notice KVM"),
        (|f| f.agent = Err("of another version".into()), "notice mode exact"),
        (|f| f.open_files = Some(256), "warning open files"),
        (|f| f.real_time_us = Some(100_000), "warning real time"),
        (|f| f.real_time_us = Some(-1), ""),
        (|f| f.clocksource = Some("acpi_pm".into()), "warning clock"),
        (|f| f.governors = ["powersave".to_owned()].into(), "notice governor"),
        (|f| f.governors.clear(), ""),
        (|f| f.guests = 8, "notice cores"),
        (|f| (f.cores, f.guests) = (1, 0), "notice cores"),
        (|f| f.load = Some(Load { busy: 0.2, stolen: 0.05 }), "warning load"),
        (|f| f.memory = Some(100 << 20), "warning memory"),
        (|f| f.huge_pages = Some("never".into()), "notice huge pages"),
        (|f| f.leftovers = vec!["old".into()], "warning dead labs"),
        (|f| f.missing_tools = vec![("tmux", "shows")], "notice tools"),
    ];
    for (change, expected) in cases {
        let mut facts = good();
        change(&mut facts);
        assert_eq!(odd(&facts), expected);
    }
    let with = |trial| odd(&Facts { trial, ..good() });
    assert_eq!(with(carried(AttachMode::Skb, StampSource::Kernel)), "notice AF_XDP on taps");
    assert_eq!(with(carried(AttachMode::Native, StampSource::Userspace)), "warning stamps");
    let no = || Err("no".to_owned());
    let broken = Trial { programs: no(), taps: Err("no".into()), fifo: no() };
    let expected =
        "error eBPF, error AF_XDP on taps, notice stamps, warning real time, warning locked memory";
    assert_eq!(with(Ok(broken)), expected);
    let state = |free| odd(&Facts { state: Ok((PathBuf::from("/run"), Some(free))), ..good() });
    assert_eq!(
        [state(1 << 10), state(32 << 20)],
        ["error state directory", "warning state directory"]
    );
    let mut options = good();
    options.kernel.options.as_mut().expect("options").insert("CONFIG_TUN", false);
    assert_eq!(odd(&options), "warning kernel");
}

#[test]
fn a_user_without_privileges_learns_what_is_missing() {
    let facts = Facts {
        lacking: Ok(vec!["CAP_NET_ADMIN (for taps)".into()]),
        trial: Err("make a network namespace: not permitted".into()),
        state: Err("no $XDG_RUNTIME_DIR".into()),
        ..good()
    };
    let host = Host { findings: of(&facts) };
    assert_eq!(host.exit_code(), 4);
    assert!(odd(&facts).starts_with("error privileges, error eBPF, error AF_XDP"));
    assert!(odd(&facts).contains("error state directory"));
    assert_eq!(Host { findings: of(&good()) }.exit_code(), 0);
    let slow = Facts { kvm: Err("no device".into()), leftovers: vec!["old".into()], ..good() };
    assert_eq!(Host { findings: of(&slow) }.exit_code(), 0, "labs come up all the same");
}
