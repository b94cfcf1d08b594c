//! The live view of a lab, without the terminal and without the daemon: both are at
//! `commands/top.rs`.
//!
//! ```text
//! two looks ─▶ rates ─┐
//! keys ─▶ view ───────┴─▶ draw ─▶ a frame of ratatui
//! ```
//! * [`rates`]: what went on between two looks at a lab, also for `vmctl inspect`.
//! * [`view`]: which part is looked at, how it is sorted, what is asked.
//! * [`draw`]: the screen. [`text`]: numbers in few columns.

pub mod draw;
pub mod rates;
pub mod text;
pub mod view;

#[cfg(test)]
mod tests;
