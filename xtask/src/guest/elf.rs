//! Just enough of ELF (System V gABI, 64-bit little endian) to know what a program loads.

use anyhow::{Context as _, Result, ensure};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// One program header, as far as it matters here.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    length: u64,
}

/// The names of the shared libraries that an ELF file needs; none if it is static.
///
/// # Errors
/// If this is no ELF file for 64-bit little-endian machines, or it is cut off.
pub fn needed(file: &[u8]) -> Result<Vec<String>> {
    ensure!(file.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let segments = segments(file)?;
    let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
        return Ok(Vec::new());
    };
    let entries = entries(file, dynamic)?;
    let strings = entries.iter().find(|(tag, _)| *tag == DT_STRTAB);
    let (_, address) = strings.context("no string table")?;
    let strings = offset_of(&segments, *address).context("the string table is not loaded")?;
    let names = entries.iter().filter(|(tag, _)| *tag == DT_NEEDED);
    names.map(|(_, name)| text(file, strings + name)).collect()
}

fn segments(file: &[u8]) -> Result<Vec<Segment>> {
    let table = u64_at(file, 32)?;
    let size = u64::from(u16_at(file, 54)?);
    let count = u64::from(u16_at(file, 56)?);
    let at = |number| {
        let start = table + number * size;
        Ok(Segment {
            kind: u32_at(file, start)?,
            offset: u64_at(file, start + 8)?,
            address: u64_at(file, start + 16)?,
            length: u64_at(file, start + 32)?,
        })
    };
    (0..count).map(at).collect()
}

fn entries(file: &[u8], dynamic: &Segment) -> Result<Vec<(u64, u64)>> {
    let starts = (dynamic.offset..dynamic.offset + dynamic.length).step_by(16);
    starts.map(|start| Ok((u64_at(file, start)?, u64_at(file, start + 8)?))).collect()
}

fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    let holds = |segment: &&Segment| {
        let end = segment.address + segment.length;
        segment.kind == PT_LOAD && (segment.address..end).contains(&address)
    };
    segments.iter().find(holds).map(|segment| segment.offset + address - segment.address)
}

fn text(file: &[u8], start: u64) -> Result<String> {
    let rest = file.get(usize::try_from(start)?..).context("cut off")?;
    let name = rest.split(|&octet| octet == 0).next().unwrap_or_default();
    Ok(String::from_utf8(name.to_vec())?)
}

fn octets<const N: usize>(file: &[u8], start: u64) -> Result<[u8; N]> {
    let rest = file.get(usize::try_from(start)?..).context("cut off")?;
    rest.first_chunk().copied().context("cut off")
}

fn u16_at(file: &[u8], start: u64) -> Result<u16> {
    octets(file, start).map(u16::from_le_bytes)
}

fn u32_at(file: &[u8], start: u64) -> Result<u32> {
    octets(file, start).map(u32::from_le_bytes)
}

fn u64_at(file: &[u8], start: u64) -> Result<u64> {
    octets(file, start).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_needs_libc() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(needed(&program).unwrap().iter().any(|name| name.starts_with("libc.so")));
        assert!(needed(&program[..100]).is_err());
        assert!(needed(b"#!/bin/sh").is_err());
    }
}
