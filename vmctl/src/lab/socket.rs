//! UNIX sockets in directories whose path is too long for a socket address (108 bytes, unix(7)).
//!
//! The directory is opened and the socket named through `/proc/self/fd`, so that any lab and guest
//! name fits below any runtime directory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Binds a listening socket to `path`.
///
/// # Errors
/// As bind(2).
pub fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    through_directory(path, |short| UnixListener::bind(short))
}

/// Connects to the socket at `path`.
///
/// # Errors
/// As connect(2).
pub fn connect_socket(path: &Path) -> io::Result<UnixStream> {
    through_directory(path, |short| UnixStream::connect(short))
}

fn through_directory<T>(path: &Path, use_it: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let directory = File::open(parent)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    use_it(&short.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_longer_than_a_socket_address_works() {
        let root = tempfile::tempdir().expect("temporary directory");
        let deep = root.path().join("x".repeat(200));
        std::fs::create_dir(&deep).expect("directory");
        let path = deep.join("qmp.sock");
        assert!(UnixListener::bind(&path).is_err(), "else this module is not needed");
        let listener = bind_socket(&path).expect("bound");
        let _client = connect_socket(&path).expect("connected");
        listener.accept().expect("accepted");
        assert!(path.exists());
    }
}
