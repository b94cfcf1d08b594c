//! Whether every frame is accounted for, in one look at a lab. Pure.

use vmctl::api::status::{Status, Way};

use super::Finding;

/// What does not add up.
pub fn findings(status: &Status) -> Vec<Finding> {
    let ways = status.links.iter().flat_map(|link| [&link.forward, &link.backward]);
    let odd = ways.filter_map(|way| {
        let (entered, ended) = sides(way);
        let told = || format!("{} to {}: {entered} in, {ended} accounted for", way.from, way.to);
        (entered != ended).then(|| Finding::new("conservation", told()))
    });
    let waiting = waiting(status);
    let made = (waiting < 0).then(|| {
        let told = format!("guests were handed {} frames more than there were", -waiting);
        Finding::new("conservation", told)
    });
    odd.chain(made).collect()
}

/// `sent + copies` of a way, and `delivered + dropped + in flight`.
fn sides(way: &Way) -> (u64, u64) {
    let dropped: u64 = way.dropped.values().sum();
    (way.sent_frames + way.copies, way.delivered_frames + dropped + way.in_flight_frames)
}

/// Frames between the links' ends and the guests: those that came out of a link and are neither with
/// the guest nor dropped at its edge. Negative if frames came from nowhere.
pub fn waiting(status: &Status) -> i128 {
    let is_guest = |end: &str| {
        let node = end.split(':').next();
        status.guests.iter().any(|guest| Some(guest.name.as_str()) == node)
    };
    let ways = || status.links.iter().flat_map(|link| [&link.forward, &link.backward]);
    let sum = |numbers: &mut dyn Iterator<Item = u64>| numbers.map(i128::from).sum::<i128>();
    let left = sum(&mut ways().filter(|way| is_guest(&way.to)).map(|way| way.delivered_frames));
    let entered = sum(&mut ways().filter(|way| is_guest(&way.from)).map(|way| way.sent_frames));
    let traffic = || status.guests.iter().map(|guest| guest.traffic);
    let sent = sum(&mut traffic().map(|traffic| traffic.sent_frames));
    let received = sum(&mut traffic().map(|traffic| traffic.received_frames));
    let dropped = sum(&mut traffic().map(|traffic| traffic.dropped_frames));
    // Of what guests sent, what did not enter a link was dropped at their edge.
    (left + sent) - (received + entered + dropped)
}
