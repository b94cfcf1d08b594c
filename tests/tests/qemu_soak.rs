//! `cargo xtask soak`, for half a minute: what it looks at is there, and no frame is unaccounted for.

use std::time::Duration;

use chronotap_tests::soak::{Mode, Plan, run};

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn no_frame_gets_lost_under_traffic_and_impairments() {
    let plan = Plan { name: "t-soak".to_owned(), guests: 4, mode: Mode::Lockstep };
    let report = run(&plan, Duration::from_secs(25), |_| {});
    // How late frames are is the machine's own affair.
    let ours: Vec<_> =
        report.findings.iter().filter(|finding| finding.subject != "lateness").collect();
    assert!(ours.is_empty(), "{report}");
    let last = report.samples.last().expect("samples");
    assert!(last.received > 100 && last.dropped > 0, "{report}");
    assert!(!last.lateness.0.is_empty(), "the metrics have a histogram");
}
