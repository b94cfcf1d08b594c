//! As whom QEMU runs.

use nix::unistd::User;
use rustix::process::geteuid;

/// The users to choose from: one made for this purpose, else the one who owns nothing.
const NAMES: [&str; 2] = ["chronotap", "nobody"];

/// As whom QEMU runs: a user without rights, when we are root and can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// `None` leaves the user as it is.
    pub(super) chosen: Option<Ids>,
    name: String,
}

/// A user's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl RunAs {
    /// For root: user `chronotap` if there is one, else `nobody`. For others: themselves.
    pub fn choose() -> Self {
        if !geteuid().is_root() {
            return Self { chosen: None, name: "this user".to_owned() };
        }
        let found = NAMES.iter().find_map(|name| User::from_name(name).ok().flatten());
        // Systems without a user database have no name for it; the kernel's overflow user is that one.
        let (uid, gid, name) = found.map_or((65_534, 65_534, "nobody".to_owned()), |user| {
            (user.uid.as_raw(), user.gid.as_raw(), user.name)
        });
        Self { chosen: Some(Ids { uid, gid }), name }
    }

    /// The user's name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a file of these permission bits can be read by that user.
    pub(super) fn may_read(&self, mode: u32) -> bool {
        self.chosen.is_none() || mode & 0o004 != 0
    }
}
