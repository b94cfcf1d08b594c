//! Where a command's input comes from and where its output goes.

use bytes::Bytes;

use crate::Size;

/// Which of the two outputs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// The other ends of a command's pipes.
pub(super) trait Ends {
    /// Bytes for the command's input, at most `max`; `None` at its end.
    async fn stdin(&self, max: usize) -> Option<Bytes>;

    /// The command does not read its input any more.
    fn abandon_stdin(&self);

    /// How many bytes of output may be pushed now: at least one.
    async fn room(&self, output: Output) -> usize;

    /// Takes output, not more than there is room for.
    fn push(&self, output: Output, bytes: &[u8]);

    /// The next signal to pass on.
    async fn signal(&self) -> u32;

    /// The next size of the command's terminal.
    async fn resize(&self) -> Size;
}
