//! Texts of topology files: small labs, the same in either mode.
//!
//! A text is put together from its tables: `lockstep(&["quantum = '5ms'"]) + SMALL + &pair(&[])`.

pub use crate::lab::pair;

/// Guests with as little memory as the built-in image runs in.
pub const SMALL: &str = "[defaults.node]\nmemory = '96MiB'\n";

/// `[time]` of mode `lockstep`, with these further keys.
pub fn lockstep(keys: &[&str]) -> String {
    format!("[time]\nmode = 'lockstep'\n{}\n", keys.join("\n"))
}

/// `[time]` of mode `realtime`.
pub fn realtime() -> String {
    "[time]\nmode = 'realtime'\n".to_owned()
}
