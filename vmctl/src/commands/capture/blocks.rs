//! A stream of pcapng, taken apart into whole blocks and the frames in them.

use pcap_file::{
    PcapError,
    pcapng::{
        Block, PcapNgParser,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::InterfaceDescriptionOption,
            interface_statistics::InterfaceStatisticsOption,
        },
    },
};

use crate::{
    api::{
        capture::{Captured, Direction, Tally},
        failure::Failure,
    },
    output::capture::summary,
};

/// What stands before the reason why a frame ended.
use chronotap::capture::DROPPED;

/// Takes blocks out of octets as they come.
pub struct Blocks {
    /// What virtual zero is, in nanoseconds of UNIX time.
    epoch: u64,
    /// Known once the first block is there.
    parser: Option<PcapNgParser>,
    /// Octets of a block that is not whole yet, behind those of `whole`.
    octets: Vec<u8>,
    /// How many octets in front were told of already.
    whole: usize,
    frames: Vec<Captured>,
    tally: Tally,
    /// Frames that are missing, as frames say and as the end says.
    missed: [u64; 2],
}

/// Whole blocks.
pub struct Whole<'a> {
    /// Their octets.
    pub octets: &'a [u8],
    /// The frames in them.
    pub frames: &'a [Captured],
}

impl Blocks {
    /// None so far; stamps are seconds of UNIX time after `epoch`.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch: epoch.saturating_mul(1_000_000_000),
            parser: None,
            octets: Vec::new(),
            whole: 0,
            frames: Vec::new(),
            tally: Tally::default(),
            missed: [0; 2],
        }
    }

    /// What the capture came to so far.
    pub fn tally(&self) -> Tally {
        let [on_the_way, in_the_end] = self.missed;
        Tally { missed: on_the_way.max(in_the_end), ..self.tally }
    }

    /// Adds octets; returns the blocks that are whole now and were not before.
    ///
    /// # Errors
    /// It is not pcapng.
    pub fn split(&mut self, more: &[u8]) -> Result<Whole<'_>, Failure> {
        self.octets.drain(..self.whole);
        self.octets.extend_from_slice(more);
        self.frames.clear();
        let octets = std::mem::take(&mut self.octets);
        let mut rest = &octets[..];
        while !rest.is_empty() {
            match self.next(rest) {
                Ok(behind) => rest = behind,
                Err(PcapError::IncompleteBuffer) => break,
                Err(error) => {
                    return Err(Failure::runtime(format!("the capture is no pcapng: {error}")));
                }
            }
        }
        self.whole = octets.len() - rest.len();
        self.octets = octets;
        Ok(Whole { octets: &self.octets[..self.whole], frames: &self.frames })
    }

    /// Takes the block in front; returns what is behind it.
    fn next<'a>(&mut self, octets: &'a [u8]) -> Result<&'a [u8], PcapError> {
        let Some(mut parser) = self.parser.take() else {
            let (behind, parser) = PcapNgParser::new(octets)?;
            self.parser = Some(parser);
            return Ok(behind);
        };
        let block = parser.next_block(octets);
        let taken = block.map(|(behind, block)| {
            match block {
                Block::EnhancedPacket(packet) => self.take(&packet, name(&parser, &packet)),
                Block::InterfaceStatistics(counts) => {
                    self.missed[1] += counts.options.iter().map(missed).sum::<u64>();
                }
                _ => {}
            }
            behind
        });
        self.parser = Some(parser);
        taken
    }

    fn take(&mut self, packet: &EnhancedPacketBlock<'_>, point: String) {
        let (mut direction, mut dropped) = (Direction::In, None);
        for option in &packet.options {
            match option {
                EnhancedPacketOption::Flags(flags) if flags & 3 == 2 => direction = Direction::Out,
                EnhancedPacketOption::DropCount(count) => self.missed[0] += count,
                EnhancedPacketOption::Comment(comment) => {
                    dropped = comment.strip_prefix(DROPPED).map(str::to_owned);
                }
                _ => {}
            }
        }
        self.tally.frames += 1;
        self.tally.dropped += u64::from(dropped.is_some());
        let at = u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX);
        self.frames.push(Captured {
            at_ns: at.saturating_sub(self.epoch),
            point,
            direction,
            length: packet.original_len,
            dropped,
            summary: summary(&packet.data, packet.original_len),
        });
    }
}

fn name(parser: &PcapNgParser, packet: &EnhancedPacketBlock<'_>) -> String {
    let interface = parser.interfaces().get(packet.interface_id as usize);
    let mut options = interface.iter().flat_map(|interface| &interface.options);
    let name = options.find_map(|option| match option {
        InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
        _ => None,
    });
    name.unwrap_or_else(|| packet.interface_id.to_string())
}

fn missed(option: &InterfaceStatisticsOption<'_>) -> u64 {
    match option {
        InterfaceStatisticsOption::IsbIfDrop(count) => *count,
        _ => 0,
    }
}
