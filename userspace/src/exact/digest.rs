//! What tells one run from another: every frame that was delivered, and its virtual instant.
//!
//! Each port has a chain of its own, since what one port gets has one order, while how ports take
//! turns depends on how long windows are. The hash is XXH3 with 128 bits (<https://xxhash.com>):
//! it tells runs apart, and is no proof against somebody who forges them.

use std::io::{self, Write};

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

use crate::sim::{PortId, VirtualInstant};

/// Octets of a frame that are written into the journal.
const SHOWN: usize = 64;

/// The digest of a run so far.
pub struct Digest {
    ports: Vec<Xxh3>,
    frames: u64,
    journal: Option<io::BufWriter<std::fs::File>>,
}

impl Digest {
    /// That of a run in which nothing has happened yet, between so many ports. Each frame is also
    /// written into `journal`, a line each: instant in nanoseconds, port, length, hash, first
    /// octets.
    pub fn new(ports: usize, journal: Option<std::fs::File>) -> Self {
        let journal = journal.map(|file| io::BufWriter::with_capacity(1 << 18, file));
        Self { ports: vec![Xxh3::new(); ports], frames: 0, journal }
    }

    /// Takes in a frame that is delivered at a port.
    pub fn add(&mut self, port: PortId, due: VirtualInstant, octets: &[u8]) {
        self.frames += 1;
        let Some(chain) = self.ports.get_mut(port.0 as usize) else { return };
        chain.update(&due.as_nanos().to_le_bytes());
        chain.update(&(octets.len() as u64).to_le_bytes());
        chain.update(octets);
        if let Some(journal) = &mut self.journal
            && let Err(error) = note(journal, port, due, octets)
        {
            tracing::error!(%error, "the journal of frames ends here");
            self.journal = None;
        }
    }

    /// How many frames it is of.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The digest as of now.
    pub fn value(&self) -> u128 {
        let chains = self.ports.iter().flat_map(|chain| chain.digest128().to_le_bytes());
        xxh3_128(&chains.collect::<Vec<_>>())
    }

    /// Writes out what the journal holds back.
    pub fn flush(&mut self) {
        if let Some(Err(error)) = self.journal.as_mut().map(Write::flush) {
            tracing::error!(%error, "the journal of frames ends here");
            self.journal = None;
        }
    }
}

fn note(
    journal: &mut impl Write,
    PortId(port): PortId,
    due: VirtualInstant,
    octets: &[u8],
) -> io::Result<()> {
    write!(journal, "{} {port} {} {:016x} ", due.as_nanos(), octets.len(), xxh3_64(octets))?;
    octets.iter().take(SHOWN).try_for_each(|octet| write!(journal, "{octet:02x}"))?;
    writeln!(journal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> VirtualInstant {
        VirtualInstant::from_nanos(nanos)
    }

    fn of(frames: &[(u32, u64, &[u8])]) -> u128 {
        let mut digest = Digest::new(2, None);
        frames.iter().for_each(|(port, due, octets)| digest.add(PortId(*port), at(*due), octets));
        digest.value()
    }

    #[test]
    fn ports_take_turns_as_they_like() {
        let (a, b) = ((0, 5, &b"a"[..]), (1, 7, &b"b"[..]));
        assert_eq!(of(&[a, b]), of(&[b, a]));
    }

    #[test]
    fn whatever_differs_shows() {
        let one = of(&[(0, 5, b"ab"), (0, 6, b"c")]);
        let others = [
            of(&[(0, 6, b"c"), (0, 5, b"ab")]),
            of(&[(1, 5, b"ab"), (0, 6, b"c")]),
            of(&[(0, 4, b"ab"), (0, 6, b"c")]),
            of(&[(0, 5, b"a"), (0, 6, b"bc")]),
            of(&[(0, 5, b"ab")]),
        ];
        assert!(others.iter().all(|other| *other != one));
    }

    #[test]
    fn the_journal_has_a_line_for_each_frame() {
        let mut line = Vec::new();
        note(&mut line, PortId(3), at(2_000_000_001), &[0xab; 100]).expect("memory");
        let text = String::from_utf8(line).expect("text");
        let fields: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(fields[..3], ["2000000001", "3", "100"]);
        assert_eq!((fields[3].len(), fields[4]), (16, &*"ab".repeat(64)));
    }
}
