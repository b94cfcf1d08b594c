//! What `vmctl status` says of a run in mode `exact`.

use crate::api::{exact::Exact, status::Time};

/// A run so far, and how fast it went.
pub fn run(exact: &Exact, time: &Time) -> String {
    let ratio = time.virtual_seconds / time.wall_seconds.max(f64::MIN_POSITIVE);
    format!(
        "barriers: {}, guests ran {} times; virtual/wall {ratio:.3}\n{}",
        exact.windows,
        exact.runs,
        digest(exact)
    )
}

/// All digests of a run that is over.
pub fn digests(exact: &Exact) -> String {
    let consoles = exact.consoles.iter();
    let consoles = consoles.map(|one| format!("console of {}: {}", one.guest, one.digest));
    std::iter::once(digest(exact)).chain(consoles).collect::<Vec<_>>().join("\n")
}

fn digest(exact: &Exact) -> String {
    let mut lines = vec![match (&exact.digest, &exact.doubt) {
        (Some(digest), None) => format!("digest of {} frames: {digest}", exact.frames),
        (_, doubt) => format!("not exact, no digest: {}", doubt.as_deref().unwrap_or("unknown")),
    }];
    if let Some(perturbed) = &exact.perturbed {
        lines.push(format!("perturbed, so that no other run is the same: {perturbed}"));
    }
    lines.join("\n")
}
