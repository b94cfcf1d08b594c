//! The shorter half of `cargo xtask validate`, in the mode in which no host shows in a result: so that
//! the measurement itself keeps working.

use chronotap_tests::validate::{Mode, Plan, Subject, run};
use clap::ValueEnum as _;

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn an_exact_lab_is_what_it_was_asked_for() {
    let on_two_guests = |subject: &Subject| *subject != Subject::Sharing;
    let subjects = Subject::value_variants().iter().copied().filter(on_two_guests).collect();
    let plan = Plan { modes: vec![Mode::Exact], subjects, is_short: true };
    let report = run(&plan, "cargo xtask test qemu", |_| {});
    assert!(report.held(), "{report}");
    for subject in plan.subjects {
        let rows = report.rows.iter().filter(|row| row.subject == subject);
        assert!(rows.clone().count() > 0, "nothing of {subject:?}");
        assert!(rows.clone().all(|row| row.samples > 0), "{report}");
    }
}
