//! Records as octets of the pcapng format (draft-ietf-opsawg-pcapng), which tshark, Wireshark and
//! capinfos read.
//!
//! * Stamps are nanoseconds (`if_tsresol` 9) of UNIX time: virtual time, and what its zero is.
//! * Every place is an interface, with its name.
//! * `epb_flags` has the direction, `opt_comment` why a frame ended, `epb_dropcount` how many frames
//!   of the interface are missing in front of it.
//! * At the end an Interface Statistics Block for each interface tells what was seen and left out.

use std::borrow::Cow;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapResult};

use super::{Count, Record};
use crate::sim::{Heading, VirtualInstant};

/// What stands in front of the reason in the comment of a frame that ended.
pub const DROPPED: &str = "dropped: ";

/// `epb_flags`, bits 0 and 1.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// `if_tsresol` of nanoseconds: 10⁻⁹ s.
const NANOSECONDS: u8 = 9;

/// What is said of the capture as a whole.
#[derive(Clone, Debug)]
pub struct Section {
    /// A line about it.
    pub comment: String,
    /// Who wrote it.
    pub program: String,
    /// What virtual zero is as UNIX time.
    pub epoch: Duration,
    /// Octets of each frame that are kept.
    pub snaplen: u32,
}

/// A place of which records may come.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its dense index.
    pub place: u32,
    /// Its name.
    pub name: String,
    /// What its directions mean.
    pub description: String,
}

/// Writes records.
pub struct Pcapng {
    writer: PcapNgWriter<Vec<u8>>,
    epoch: Duration,
    /// The places, by interface number, and the other way round.
    places: Vec<u32>,
    interfaces: Vec<Option<u32>>,
}

impl Pcapng {
    /// One that has written what stands in front of all records.
    ///
    /// # Errors
    /// A text is longer than the format takes.
    pub fn new(section: &Section, interfaces: &[Interface]) -> PcapResult<Self> {
        let header = SectionHeaderBlock {
            // dumpcap, through which Wireshark reads pipes, takes no other.
            endianness: Endianness::native(),
            options: vec![
                SectionHeaderOption::Comment(Cow::Owned(section.comment.clone())),
                SectionHeaderOption::UserApplication(Cow::Owned(section.program.clone())),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut writer = PcapNgWriter::with_section_header(Vec::new(), header)?;
        for Interface { name, description, .. } in interfaces {
            writer.write_pcapng_block(InterfaceDescriptionBlock {
                linktype: DataLink::ETHERNET,
                snaplen: section.snaplen,
                options: vec![
                    InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                    InterfaceDescriptionOption::IfDescription(Cow::Borrowed(description)),
                    InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
                ],
            })?;
        }
        let places: Vec<u32> = interfaces.iter().map(|interface| interface.place).collect();
        let most = places.iter().max().map_or(0, |most| *most as usize + 1);
        let mut numbers = vec![None; most];
        for (place, number) in places.iter().zip(0..) {
            numbers[*place as usize] = Some(number);
        }
        Ok(Self { writer, epoch: section.epoch, places, interfaces: numbers })
    }

    /// Writes a record. One of a place without an interface is left out.
    ///
    /// # Errors
    /// None that is known: it is memory.
    pub fn record(&mut self, record: &Record) -> PcapResult<()> {
        let interface = self.interfaces.get(record.place as usize).copied().flatten();
        let Some(interface_id) = interface else { return Ok(()) };
        let direction = match record.heading {
            Heading::In => INBOUND,
            Heading::Out => OUTBOUND,
        };
        let mut options = vec![EnhancedPacketOption::Flags(direction)];
        if record.missed > 0 {
            options.push(EnhancedPacketOption::DropCount(record.missed.into()));
        }
        if let Some(reason) = record.dropped {
            let comment = format!("{DROPPED}{}", reason.name());
            options.push(EnhancedPacketOption::Comment(Cow::Owned(comment)));
        }
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: self.stamp(record.at),
            original_len: record.length,
            data: Cow::Borrowed(&record.octets),
            options,
        };
        self.writer.write_pcapng_block(block).map(drop)
    }

    /// Writes what came of each place, as of `at`.
    ///
    /// # Errors
    /// None that is known: it is memory.
    pub fn finish(&mut self, at: VirtualInstant, count: impl Fn(usize) -> Count) -> PcapResult<()> {
        let timestamp = u64::try_from(self.stamp(at).as_nanos()).unwrap_or(u64::MAX);
        for (interface_id, place) in (0..).zip(self.places.clone()) {
            let Count { seen, missed } = count(place as usize);
            let options = vec![
                InterfaceStatisticsOption::IsbIfRecv(seen),
                InterfaceStatisticsOption::IsbIfDrop(missed),
            ];
            let timestamp = upper_half_first(timestamp);
            let block = InterfaceStatisticsBlock { interface_id, timestamp, options };
            self.writer.write_pcapng_block(block)?;
        }
        Ok(())
    }

    /// What was written since this was called last: whole blocks.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }

    /// Octets that [`Pcapng::take`] would return.
    pub fn pending(&self) -> usize {
        self.writer.get_ref().len()
    }

    fn stamp(&self, at: VirtualInstant) -> Duration {
        self.epoch.saturating_add(Duration::from_nanos(at.as_nanos()))
    }
}

/// The stamp of an Interface Statistics Block is two 32-bit numbers, the upper half first in either
/// byte order (section 4.6 of the draft). pcap-file 2.0.0 writes it as one of 64 bits.
const fn upper_half_first(stamp: u64) -> u64 {
    if cfg!(target_endian = "little") { stamp.rotate_left(32) } else { stamp }
}
