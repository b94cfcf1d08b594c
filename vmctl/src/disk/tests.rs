//! Good images, other files, and qcow2 headers as an attacker would write them.

use super::*;

/// A qcow2 header of version 3, which is all that is looked at.
fn header() -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..4].copy_from_slice(b"QFI\xfb");
    header[4..8].copy_from_slice(&3_u32.to_be_bytes());
    header[20..24].copy_from_slice(&16_u32.to_be_bytes());
    header[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
    header[100..104].copy_from_slice(&104_u32.to_be_bytes());
    header
}

fn with(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut header = header();
    for (at, octets) in changes {
        header[*at..at + octets.len()].copy_from_slice(octets);
    }
    header
}

fn sector() -> Vec<u8> {
    let mut sector = vec![0; 1024];
    sector[510..512].copy_from_slice(&BOOT_SIGNATURE);
    sector
}

fn open(content: &[u8]) -> Result<DiskImage, ImageError> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), content).expect("written");
    DiskImage::open(file.path())
}

#[test]
fn the_format_follows_from_the_content() {
    let qcow2 = open(&header()).expect("an image");
    assert_eq!((qcow2.format(), qcow2.bytes()), (Format::Qcow2, 1 << 30));
    let raw = open(&sector()).expect("an image");
    assert_eq!((raw.format(), raw.bytes()), (Format::Raw, 1024));
    let old = with(&[(4, &2_u32.to_be_bytes()), (72, &[0xff; 8])]);
    assert_eq!(open(&old).expect("version 2 has no features").format(), Format::Qcow2);
}

#[test]
fn other_files_are_refused_in_words() {
    let backing =
        with(&[(8, &200_u64.to_be_bytes()), (16, &11_u32.to_be_bytes()), (200, b"/etc/shadow")]);
    let odd_name =
        with(&[(8, &200_u64.to_be_bytes()), (16, &2_u32.to_be_bytes()), (200, b"\x1b[")]);
    let far_name = with(&[(8, &u64::MAX.to_be_bytes()), (16, &u32::MAX.to_be_bytes())]);
    let cases = [
        ("empty", Vec::new()),
        ("text", b"hello\n".to_vec()),
        ("zeros", vec![0; 1024]),
        ("xz", b"\xfd7zXZ\0more".to_vec()),
        ("vmdk", b"KDMV".repeat(128)),
        ("backing file", backing),
        ("backing file, odd name", odd_name),
        ("backing file, absurd place", far_name),
        ("external data", with(&[(72, &4_u64.to_be_bytes())])),
        ("external data and more", with(&[(72, &u64::MAX.to_be_bytes())])),
        ("corrupt", with(&[(72, &2_u64.to_be_bytes())])),
        ("unknown feature", with(&[(72, &(1_u64 << 40).to_be_bytes())])),
        ("encrypted", with(&[(32, &2_u32.to_be_bytes())])),
        ("version 1", with(&[(4, &1_u32.to_be_bytes())])),
        ("clusters", with(&[(20, &63_u32.to_be_bytes())])),
        ("no size", with(&[(24, &[0; 8])])),
        ("absurd size", with(&[(24, &[0xff; 8])])),
        ("cut off", header()[..80].to_vec()),
        ("only the magic", header()[..4].to_vec()),
    ];
    let told = cases.map(|(case, content)| {
        let error = open(&content).expect_err(case);
        let remedy = error.remedy().map(|remedy| format!(" -- {remedy}")).unwrap_or_default();
        format!("{case}: {error}{remedy}")
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(matches!(DiskImage::open(directory.path()), Err(ImageError::NotFile)));
    assert!(matches!(DiskImage::open(Path::new("/dev/null")), Err(ImageError::NotFile)));
    let missing = directory.path().join("none");
    assert!(matches!(DiskImage::open(&missing), Err(ImageError::Missing)));
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a FIFO");
    assert!(
        matches!(DiskImage::open(&fifo), Err(ImageError::NotFile)),
        "nobody waits for a writer"
    );
}
