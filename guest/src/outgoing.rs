//! The writing half of the line, shared by all who have something whole to say.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// A handle to the writing half. What one handle sends is not torn apart by another.
#[derive(Debug)]
pub struct Outgoing<W>(Arc<Mutex<W>>);

impl<W> Clone for Outgoing<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W> Outgoing<W> {
    /// The first handle.
    pub fn new(writer: W) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    /// Sends `bytes`; waits for whoever is sending, and for the other side to take them.
    pub(crate) async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.0.lock().await;
        writer.write_all(bytes).await?;
        writer.flush().await
    }
}
