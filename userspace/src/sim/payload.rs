//! What the network asks of a frame; where its octets lie is not the network's business.

/// A frame with exactly one owner. Dropping it gives its memory back.
pub trait Payload: Sized {
    /// The frame, from its destination address to its last octet, without check sequence.
    fn octets(&self) -> &[u8];

    /// The same, to be written; its length stays.
    fn octets_mut(&mut self) -> &mut [u8];

    /// A second frame with the same octets, or `None` if there is no room for it, which bounds
    /// what duplication and flooding may hold.
    fn replicate(&self) -> Option<Self>;
}

/// For tests and measurements.
impl Payload for Vec<u8> {
    fn octets(&self) -> &[u8] {
        self
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        self
    }

    fn replicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}
