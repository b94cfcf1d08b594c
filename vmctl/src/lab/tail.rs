//! Reading a log while it is written, and while what is old in it is put aside as `NAME.1`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Bytes read at once.
const CHUNK: usize = 32 * 1024;

/// A log that is being read.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    /// What is still to be read, the oldest first; the last one may be written to.
    pieces: VecDeque<File>,
}

impl LogTail {
    /// Begins at the log's beginning, or `lines` lines before its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, lines: Option<usize>) -> io::Result<Self> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".1");
        let mut pieces = VecDeque::from([File::open(path)?]);
        match File::open(aside) {
            // It was put aside between the two.
            Ok(old) if same(&old, &pieces[0])? => {}
            Ok(old) => pieces.push_front(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some(lines) = lines {
            skip(&mut pieces, lines)?;
        }
        Ok(Self { path: path.to_owned(), pieces })
    }

    /// What comes next; `None` if nothing has been written since.
    ///
    /// # Errors
    /// As reading a file.
    pub fn read(&mut self) -> io::Result<Option<Bytes>> {
        let mut chunk = vec![0; CHUNK];
        loop {
            // Before the last read: what was put aside is not written to any more.
            let newer = if self.pieces.len() > 1 { None } else { self.newer()? };
            let Some(piece) = self.pieces.front_mut() else { return Ok(None) };
            match piece.read(&mut chunk)? {
                0 => match newer {
                    Some(newer) => self.pieces = VecDeque::from([newer]),
                    None if self.pieces.len() > 1 => drop(self.pieces.pop_front()),
                    None => return Ok(None),
                },
                length => {
                    chunk.truncate(length);
                    return Ok(Some(chunk.into()));
                }
            }
        }
    }

    /// The file that has taken the place of the last piece, if one has.
    fn newer(&self) -> io::Result<Option<File>> {
        let (Some(last), Ok(found)) = (self.pieces.back(), File::open(&self.path)) else {
            // The lab is gone, and its directory with it.
            return Ok(None);
        };
        Ok((!same(last, &found)?).then_some(found))
    }
}

fn same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Goes to where so many lines are left.
fn skip(pieces: &mut VecDeque<File>, lines: usize) -> io::Result<()> {
    let mut left = lines;
    for index in (0..pieces.len()).rev() {
        let is_last = index + 1 == pieces.len();
        if let Some(start) = start_of_last(&pieces[index], &mut left, is_last)? {
            pieces[index].seek(SeekFrom::Start(start))?;
            pieces.drain(..index);
            return Ok(());
        }
    }
    Ok(())
}

/// Where the last `left` lines of a piece begin; `None`, and fewer left, if there are not so many.
fn start_of_last(piece: &File, left: &mut usize, is_last: bool) -> io::Result<Option<u64>> {
    let length = piece.metadata()?.len();
    if is_last && *left == 0 {
        return Ok(Some(length));
    }
    let mut end = length;
    let mut chunk = [0; CHUNK];
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let chunk = &mut chunk[..(end - start) as usize];
        piece.read_exact_at(chunk, start)?;
        for (place, octet) in chunk.iter().enumerate().rev() {
            let at = start + place as u64;
            // The line end of the very last line begins no line.
            if *octet == b'\n' && !(is_last && at + 1 == length) {
                if *left == 1 {
                    return Ok(Some(at + 1));
                }
                *left -= 1;
            }
        }
        end = start;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn all(tail: &mut LogTail) -> String {
        let mut text = Vec::new();
        while let Some(octets) = tail.read().expect("read") {
            text.extend_from_slice(&octets);
        }
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn what_was_put_aside_comes_first_and_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        fs::write(dir.path().join("log.1"), "one\ntwo\n").expect("written");
        fs::write(&path, "three\nfour\nfi").expect("written");
        let table = [
            (None, "one\ntwo\nthree\nfour\nfi"),
            (Some(0), ""),
            (Some(1), "fi"),
            (Some(2), "four\nfi"),
            (Some(3), "three\nfour\nfi"),
            (Some(4), "two\nthree\nfour\nfi"),
            (Some(9), "one\ntwo\nthree\nfour\nfi"),
        ];
        for (lines, text) in table {
            assert_eq!(all(&mut LogTail::open(&path, lines).expect("open")), text, "{lines:?}");
        }
        fs::write(&path, "three\nfour\n").expect("written");
        assert_eq!(all(&mut LogTail::open(&path, Some(1)).expect("open")), "four\n");
    }

    #[test]
    fn a_log_is_followed_when_it_is_put_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let mut log = File::create(&path).expect("made");
        log.write_all(b"one\n").expect("written");
        let mut tail = LogTail::open(&path, None).expect("open");
        assert_eq!(all(&mut tail), "one\n");
        log.write_all(b"two\n").expect("written");
        fs::rename(&path, dir.path().join("log.1")).expect("put aside");
        fs::write(&path, "three\n").expect("written");
        assert_eq!(all(&mut tail), "two\nthree\n");
        fs::remove_file(&path).expect("removed");
        assert_eq!(all(&mut tail), "");
    }
}
