//! Files as a FAT image with the label that cloud-init looks for.

use std::io::{self, Cursor, Write as _};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};

/// cloud-init's documentation, "NoCloud": `cidata` or `CIDATA`, eleven characters in a FAT.
const LABEL: [u8; 11] = *b"CIDATA     ";
/// The file system's own needs, generously, in bytes.
const SPARE: usize = 512 << 10;
/// The image is a whole number of these, in bytes.
const STEP: usize = 64 << 10;

/// An image with these files. The same files give the same image.
///
/// # Errors
/// As writing to memory: none is known.
pub(super) fn image(files: &[(&str, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let content: usize = files.iter().map(|(_, content)| content.len()).sum();
    let mut image = vec![0; (content + SPARE).next_multiple_of(STEP)];
    let options = FormatVolumeOptions::new().volume_label(LABEL).volume_id(0x6369_6474);
    format_volume(Cursor::new(&mut image[..]), options)?;
    let volume = FileSystem::new(Cursor::new(&mut image[..]), FsOptions::new())?;
    for (name, content) in files {
        let mut file = volume.root_dir().create_file(name)?;
        file.write_all(content)?;
        file.flush()?;
    }
    volume.unmount()?;
    Ok(image)
}
