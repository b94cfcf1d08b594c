//! Lets through only such archives as a well-meaning tar makes of ordinary files.
//!
//! Names that are too long for a header come as entries of their own, which the reader of an archive
//! holds in memory, whatever length a hostile guest gives them; other entries change the length of
//! the next one. So entries are looked at on their way, 512 octets at a time.

use std::io::{self, Read};

use tar::{EntryType, Header};

/// Octets of a header, and what content is filled up to (POSIX.1-1988, ustar).
const BLOCK: usize = 512;

/// The longest name that is believed in: Linux opens none that is longer than 4,096 octets.
const NAME: u64 = 8 * 1024;

/// An archive whose entries are looked at while it is read.
pub struct Sieve<R> {
    from: R,
    header: [u8; BLOCK],
    /// Octets of `header` that were handed out.
    told: usize,
    /// Octets of content that follow.
    content: u64,
}

impl<R: Read> Sieve<R> {
    /// Looks at what comes from `from`.
    pub fn new(from: R) -> Self {
        Self { from, header: [0; BLOCK], told: BLOCK, content: 0 }
    }

    /// Reads the next header; false at the end.
    fn next_header(&mut self) -> io::Result<bool> {
        let mut read = 0;
        while read < BLOCK {
            match self.from.read(&mut self.header[read..])? {
                0 if read == 0 => return Ok(false),
                0 => return Err(wrong("it ends within an entry")),
                length => read += length,
            }
        }
        self.told = 0;
        self.content = content(&self.header)?;
        Ok(true)
    }
}

fn content(block: &[u8; BLOCK]) -> io::Result<u64> {
    if block.iter().all(|octet| *octet == 0) {
        return Ok(0);
    }
    let header = Header::from_byte_slice(block);
    let size = header.entry_size()?;
    match header.entry_type() {
        EntryType::GNULongName | EntryType::GNULongLink if size > NAME => {
            Err(wrong("a name in it is longer than any can be"))
        }
        EntryType::XHeader | EntryType::XGlobalHeader => {
            Err(wrong("it is in the pax format, and not in GNU's or the old one"))
        }
        EntryType::GNUSparse => Err(wrong("a file in it is packed as sparse")),
        _ => size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| wrong("a size is absurd")),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("the guest's archive is not what it should be: {what}"))
}

impl<R: Read> Read for Sieve<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.told == BLOCK && self.content == 0 && !self.next_header()? {
            return Ok(0);
        }
        if self.told < BLOCK {
            let length = (BLOCK - self.told).min(into.len());
            into[..length].copy_from_slice(&self.header[self.told..self.told + length]);
            self.told += length;
            return Ok(length);
        }
        let most = usize::try_from(self.content).unwrap_or(usize::MAX).min(into.len());
        let length = self.from.read(&mut into[..most])?;
        self.content -= length as u64;
        Ok(length)
    }
}
