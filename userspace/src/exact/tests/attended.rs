//! Guests that the host talks to.

use super::*;

/// Windows are this long at most.
const LONGEST: Duration = Duration::from_millis(1);

fn idle_pair() -> Lab {
    let mut lab = Lab::new(&pair(1_000_000), &singles(2), LONGEST, 1);
    lab.begin();
    // In one window of half a second: nobody has anything to do.
    lab.pass_until(at(500_000_000));
    assert_eq!(lab.machines[0].standing().clock, at(0));
    lab
}

fn attend(lab: &mut Lab, guest: u32) {
    lab.coordinator.attend(&[GuestId(guest)]);
    lab.run(guest);
    assert_eq!(lab.coordinator.close(), None);
}

#[test]
fn a_guest_that_is_called_stands_where_virtual_time_does() {
    let mut lab = idle_pair();
    attend(&mut lab, 0);
    assert_eq!(lab.machines[0].standing().clock, at(500_000_000));
    assert_eq!(lab.machines[1].standing().clock, at(0), "nobody has called it");
    assert_eq!(lab.coordinator.now(), at(500_000_000));
}

#[test]
fn what_it_does_for_the_host_is_in_time() {
    let mut lab = idle_pair();
    attend(&mut lab, 0);
    for round in 1..20_u64 {
        // Out of the blue, as the network sees it: it has said that it idles.
        let due = lab.machines[0].standing().clock.as_nanos() + 100;
        lab.machines[0].plot(machine::Plot { due, nic: 0, to: 1, answers: 1, mark: 7 });
        lab.pass_until(at(500_000_000 + round * 40_000_000));
    }
    assert_eq!(lab.doubt(), "");
    assert_eq!(lab.exact().frames, 2 * 19);
}

#[test]
fn one_that_is_gone_or_unknown_holds_nobody_up() {
    let mut lab = idle_pair();
    lab.coordinator.retire(GuestId(0));
    lab.coordinator.attend(&[GuestId(0), GuestId(7)]);
    assert_eq!(lab.coordinator.close(), None);
}
