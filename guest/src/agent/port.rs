//! The virtio-serial port, as the guest's kernel shows it.
//!
//! The port is used with blocking calls on tokio's blocking threads, because its way of saying
//! that the host is not there fits no event loop: `poll` reports a hang-up at once and for ever,
//! `read` returns 0, and `write` waits (drivers/char/virtio_console.c, `port_fops_*`). So a write,
//! which every connection begins with, is the wait for the host.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::PORT_NAME;

/// Where the kernel lists the ports.
const CLASS: &str = "/sys/class/virtio-ports";

/// Opens the port for commands.
///
/// # Errors
/// `NotFound` if there is no port of that name; `ResourceBusy` if another agent has it.
pub fn open() -> io::Result<File> {
    let device = find(Path::new(CLASS))?;
    OpenOptions::new().read(true).write(true).open(device)
}

/// The device of the port called [`PORT_NAME`], e.g. `/dev/vport2p1`.
fn find(class: &Path) -> io::Result<PathBuf> {
    for port in fs::read_dir(class)? {
        let port = port?;
        // Ports without a name have no such file.
        let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
        if name.trim_end() == PORT_NAME {
            return Ok(Path::new("/dev").join(port.file_name()));
        }
    }
    let message = format!("no virtio-serial port is called {PORT_NAME}");
    Err(io::Error::new(io::ErrorKind::NotFound, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_by_its_name() {
        let class = tempfile::tempdir().unwrap();
        for (port, name) in
            [("vport1p0", None), ("vport1p1", Some("x")), ("vport1p2", Some(PORT_NAME))]
        {
            let directory = class.path().join(port);
            fs::create_dir(&directory).unwrap();
            if let Some(name) = name {
                fs::write(directory.join("name"), format!("{name}\n")).unwrap();
            }
        }
        assert_eq!(find(class.path()).unwrap(), Path::new("/dev/vport1p2"));
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(find(empty.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
