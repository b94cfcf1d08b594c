//! Rings that run full, order, what is wanted of places, and the octets that come of it.

use std::time::Duration;

use pcap_file::pcapng::Block;
use pcap_file::pcapng::PcapNgReader;
use proptest::prelude::*;

use super::*;
use crate::sim::{
    DirectionId, Endpoint, LinkId, LinkPlan, Loss, Network, PortId, Probability, Profile, Sight,
    SwitchId, SwitchSettings, Way, Witness,
};

const A: Place = Place::Port(PortId(0));
const WAY: Place = Place::Direction(DirectionId { link: LinkId(0), way: Way::Backward });

/// Two guests on a switch.
fn plan(loss: Loss) -> Plan {
    let ends = |port| [Endpoint::Port(PortId(port)), Endpoint::Switch(SwitchId(0))];
    let profile = Profile { delay: Duration::from_micros(5), loss, ..Profile::default() };
    let profiles = [profile.clone(), profile];
    let link = |port| LinkPlan { ends: ends(port), profiles: profiles.clone() };
    let switches = vec![SwitchSettings::default()];
    let links = vec![link(0), link(1)];
    Plan { seed: 1, ports: 2, links, switches, ..Plan::default() }
}

fn settings(interest: Interest, room: usize) -> Settings {
    let selection = Selection::of_all(&plan(Loss::None), interest);
    Settings { selection, snaplen: WHOLE_FRAMES, room, exact: true }
}

const fn at(nanos: u64) -> VirtualInstant {
    VirtualInstant::from_nanos(nanos)
}

fn sight(nanos: u64, place: Place, dropped: Option<DropReason>) -> Sight {
    Sight { at: at(nanos), place, heading: Heading::In, dropped }
}

fn all(reader: &mut Reader) -> Vec<Record> {
    std::iter::from_fn(|| reader.pop()).collect()
}

fn instants(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.at.as_nanos()).collect()
}

#[test]
fn what_does_not_fit_is_missed_and_counted() {
    let (mut recorder, mut reader) = begin(&settings(Interest::All, 300));
    (0..5).for_each(|nanos| recorder.saw(sight(nanos, A, None), &[7; 100]));
    recorder.settled(at(9));
    reader.gather();
    let first = all(&mut reader);
    assert_eq!((instants(&first), first[0].missed), (vec![0, 1], 0));
    recorder.saw(sight(5, WAY, None), &[7; 10]);
    recorder.saw(sight(6, A, None), &[7; 100]);
    reader.gather();
    let more = all(&mut reader);
    assert_eq!(more.iter().map(|record| record.missed).collect::<Vec<_>>(), [0, 3]);
    assert_eq!(reader.count(0), Count { seen: 6, missed: 3 });
}

#[test]
fn records_are_held_back_until_nothing_earlier_can_come() {
    let (mut recorder, mut reader) = begin(&settings(Interest::All, 4096));
    [30, 10, 20].into_iter().for_each(|nanos| recorder.saw(sight(nanos, A, None), b"frame"));
    reader.gather();
    assert_eq!(all(&mut reader), []);
    recorder.settled(at(20));
    reader.gather();
    assert_eq!(instants(&all(&mut reader)), [10, 20]);
    recorder.saw(sight(25, A, None), b"frame");
    reader.end();
    assert_eq!(instants(&all(&mut reader)), [25, 30]);
}

#[test]
fn where_instants_are_not_exact_a_quiet_while_settles_all() {
    let (mut recorder, mut reader) =
        begin(&Settings { exact: false, ..settings(Interest::All, 4096) });
    recorder.saw(sight(30, A, None), b"frame");
    reader.gather();
    assert_eq!(all(&mut reader), []);
    (0..4).for_each(|_| reader.gather());
    assert_eq!(instants(&all(&mut reader)), [30]);
}

#[test]
fn only_what_is_wanted_is_recorded_and_no_more_of_it() {
    let mut settings = settings(Interest::Drops, 4096);
    settings.selection.want(WAY, Interest::All);
    settings.snaplen = 4;
    let (mut recorder, mut reader) = begin(&settings);
    recorder.saw(sight(1, A, None), b"passes");
    recorder.saw(sight(2, A, Some(DropReason::Oversize)), b"ends here");
    recorder.saw(sight(3, WAY, None), b"enters");
    recorder.keep(b"is handed over");
    recorder.saw_kept(sight(4, A, Some(DropReason::NotConnected)));
    reader.end();
    let told =
        all(&mut reader).into_iter().map(|Record { at, dropped, length, octets, .. }| {
            (at.as_nanos(), dropped, length, String::from_utf8(octets).expect("text"))
        });
    let oversize = (2, Some(DropReason::Oversize), 9, "ends".to_owned());
    let unconnected = (4, Some(DropReason::NotConnected), 14, "is h".to_owned());
    let expected = [oversize, (3, None, 6, "ente".to_owned()), unconnected];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn a_reader_that_is_closed_is_dismissed() {
    let mut network = Network::<Vec<u8>>::new(&plan(Loss::None)).expect("a plan");
    let (recorder, reader) = begin(&settings(Interest::All, 64));
    network.witnesses().add(Box::new(recorder));
    assert!(network.witnesses().dismiss().is_empty() && !reader.is_deserted());
    reader.close();
    assert_eq!(network.witnesses().dismiss().len(), 1);
    assert!(network.witnesses().is_empty() && reader.is_deserted());
}

/// A frame to everybody, from the guest at `port`.
fn broadcast(port: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len.max(14)];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, port]);
    frame
}

/// Sends frames through the network; returns what is delivered.
fn carried(network: &mut Network<Vec<u8>>, frames: &[(u8, u16)]) -> Vec<(u64, Vec<u8>)> {
    let mut now = 0;
    let mut delivered = Vec::new();
    for (port, len) in frames {
        now += u64::from(*len);
        network.submit(PortId((*port).into()), at(now), broadcast(*port, (*len).into()));
    }
    network.advance_to(VirtualInstant::MAX);
    while let Some(delivery) = network.pop_due(VirtualInstant::MAX) {
        delivered.push((delivery.due.as_nanos(), delivery.frame));
    }
    network.settle(VirtualInstant::MAX);
    delivered
}

proptest! {
    /// Who watches changes nothing, and sees each frame at each place, in order, once; drops in
    /// number as they are counted.
    #[test]
    fn a_watched_network_does_the_same(
        frames in prop::collection::vec((0u8..2, 14u16..1500), 0..60),
    ) {
        let plan = plan(Loss::Random(Probability::from_ppb(300_000_000).expect("30 %")));
        let mut alone = Network::new(&plan).expect("a plan");
        let mut watched = Network::new(&plan).expect("a plan");
        let (recorder, mut reader) = begin(&settings(Interest::All, 1 << 20));
        watched.witnesses().add(Box::new(recorder));
        prop_assert_eq!(carried(&mut alone, &frames), carried(&mut watched, &frames));

        reader.gather();
        let records = all(&mut reader);
        prop_assert!(records.is_sorted_by_key(|record| record.at));
        let selection = settings(Interest::All, 0).selection;
        let seen = |place: Place, heading, dropped: bool| {
            let place = selection.index(place) as u32;
            let these = records.iter().filter(|record| {
                (record.place, record.heading) == (place, heading)
                    && record.dropped.is_some() == dropped
            });
            these.count() as u64
        };
        for link in 0..2 {
            for way in Way::BOTH {
                let id = DirectionId { link: LinkId(link), way };
                let (counters, place) = (watched.counters(id), Place::Direction(id));
                prop_assert_eq!(seen(place, Heading::In, true), counters.dropped.total());
                prop_assert_eq!(
                    seen(place, Heading::In, false) + counters.dropped.total(),
                    counters.sent
                );
                prop_assert_eq!(seen(place, Heading::Out, false), counters.delivered);
            }
        }
    }
}

#[test]
fn pcapng_holds_instants_names_ways_and_reasons() {
    let section = Section {
        comment: "lab pair".into(),
        program: "test".into(),
        epoch: Duration::from_secs(1_700_000_000),
        snaplen: 96,
    };
    let interface =
        |place, name: &str| Interface { place, name: name.into(), description: String::new() };
    let interfaces = [interface(4, "a:eth0"), interface(1, "a:eth0->b:eth0")];
    let mut pcapng = Pcapng::new(&section, &interfaces).expect("memory");
    let record = |nanos, place, heading, dropped, missed| Record {
        at: at(nanos),
        place,
        heading,
        dropped,
        length: 1500,
        missed,
        octets: vec![9; 5],
    };
    let records = [
        record(1, 4, Heading::Out, None, 0),
        record(2_000_000_003, 1, Heading::In, Some(DropReason::QueueFull), 7),
        record(5, 0, Heading::In, None, 0),
    ];
    records.iter().for_each(|record| pcapng.record(record).expect("memory"));
    pcapng.finish(at(4), |place| Count { seen: place as u64, missed: 2 }).expect("memory");
    let octets = pcapng.take();
    assert_eq!(pcapng.pending(), 0);

    let mut told = String::new();
    let mut reader = PcapNgReader::new(&octets[..]).expect("pcapng");
    while let Some(block) = reader.next_block() {
        match block.expect("a block") {
            Block::InterfaceDescription(block) => told += &format!("{:?}\n", block.options),
            Block::EnhancedPacket(block) => {
                let (of, len) = (block.interface_id, block.data.len());
                let at = block.timestamp.as_nanos();
                told += &format!("{of} {at} {len} of {} {:?}\n", block.original_len, block.options);
            }
            Block::InterfaceStatistics(block) => {
                let [upper, lower] = [block.timestamp as u32, (block.timestamp >> 32) as u32];
                let at = u64::from(upper) << 32 | u64::from(lower);
                told += &format!("{} {at} {:?}\n", block.interface_id, block.options);
            }
            other => panic!("{other:?}"),
        }
    }
    insta::assert_snapshot!(told, @r#"
    [IfName("a:eth0"), IfDescription(""), IfTsResol(9)]
    [IfName("a:eth0->b:eth0"), IfDescription(""), IfTsResol(9)]
    0 1700000000000000001 5 of 1500 [Flags(2)]
    1 1700000002000000003 5 of 1500 [Flags(1), DropCount(7), Comment("dropped: queue_full")]
    0 1700000000000000004 [IsbIfRecv(4), IsbIfDrop(2)]
    1 1700000000000000004 [IsbIfRecv(1), IsbIfDrop(2)]
    "#);
}
