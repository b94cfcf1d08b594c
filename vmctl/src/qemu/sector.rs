//! A guest of 512 bytes that shows whether an accelerator is of use.
//!
//! Real mode alone does not show it: there are hosts whose KVM runs that and then stands still in
//! what every kernel does next, or crawls. So the sector turns on paging and long mode and reads
//! the time stamp counter many times (which costs milliseconds where it costs nothing, and minutes
//! where each one is emulated) before it writes to the port of `isa-debug-exit`.

/// What the guest writes.
const VALUE: u8 = 0x10;
/// The port that it writes to.
pub(super) const PORT: u16 = 0xf4;
/// QEMU's exit code after that write (hw/misc/debugexit.c).
pub(super) const EXIT_CODE: i32 = (VALUE as i32) << 1 | 1;
/// SeaBIOS boots no smaller disk than this from virtio.
pub(super) const DISK_BYTES: u64 = 1 << 20;

/// Loaded at 0x7c00 in real mode.
const CODE: [u8; 0x86] = *b"\
\xfa\x31\xc0\x8e\xd8\x8e\xc0\x8e\xd0\xbc\x00\x7c\xfc\
\xbf\x00\x10\x31\xc0\xb9\x00\x18\xf3\xab\
\xc7\x06\x00\x10\x03\x20\xc7\x06\x00\x20\x03\x30\xc7\x06\x00\x30\x83\x00\
\x0f\x01\x16\x80\x7c\
\x66\xb8\x20\x00\x00\x00\x0f\x22\xe0\
\x66\xb8\x00\x10\x00\x00\x0f\x22\xd8\
\x66\xb9\x80\x00\x00\xc0\x0f\x32\x0d\x00\x01\x0f\x30\
\x66\xb8\x11\x00\x00\x80\x0f\x22\xc0\
\xea\x5b\x7c\x08\x00\
\xb9\xa0\x86\x01\x00\x0f\x31\xe2\xfc\
\xb0\x10\x66\xba\xf4\x00\xee\
\xf4\xeb\xfd\x66\x90\
\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x9a\x20\x00\
\x0f\x00\x70\x7c\x00\x00";

/// The boot sector:
///
/// ```text
///   cli; ds = es = ss = 0; sp = 0x7c00; cld
///   zero 0x1000..0x4000
///   [0x1000] = 0x2003; [0x2000] = 0x3003; [0x3000] = 0x83     one page of 2 MiB, mapped to itself
///   lgdt [0x7c80]
///   cr4 = PAE; cr3 = 0x1000
///   efer |= LME
///   cr0 = PG | ET | PE
///   jmp 8:0x7c5b                                              64-bit from here
///   repeat 100000: rdtsc
///   out 0xf4, 0x10
///   hlt for ever
///   gdt: null, 64-bit code; gdtr
/// ```
pub(super) fn boot_sector() -> [u8; 512] {
    let mut sector = [0; 512];
    sector[..CODE.len()].copy_from_slice(&CODE);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_writes_the_value_that_is_waited_for() {
        let sector = boot_sector();
        assert_eq!(sector[0x64..0x6b], [0xb0, VALUE, 0x66, 0xba, 0xf4, 0, 0xee]);
        assert_eq!(PORT, 0xf4);
        assert_eq!(EXIT_CODE, 33);
        // The GDT pointer holds the table's address.
        assert_eq!(sector[0x80..0x86], [0x0f, 0, 0x70, 0x7c, 0, 0]);
    }
}
