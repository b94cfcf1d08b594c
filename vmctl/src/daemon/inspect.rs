//! Everything about one guest, out of one observation and `/proc`.

use std::{collections::BTreeMap, io};

use chronotap::{
    observation::{Observation, PortObservation},
    sim::{DropReason, Drops, Endpoint},
};
use chronotap_common::counter::PortCounters;

use super::{console_port, lab::Lab, seat::Seat, status::time};
use crate::{
    api::{
        failure::{Failure, chain},
        inspect::{Boot, Files, Guest, Port, Process},
        status::Traffic,
    },
    lab::{guest_directory, usage},
    metrics::told,
    parts::{Part, Parts},
    qemu::CONSOLES,
    scenario::{self, Initrd, Link, Nic, OnExit},
};

/// The guest behind `seat`.
///
/// # Errors
/// When the data plane or the kernel does not answer.
pub async fn guest(lab: &Lab, seat: &Seat) -> Result<Guest, Failure> {
    let (observation, _) = lab.observe().await?;
    let kernel = lab.datapath.kernel_counters().map_err(|error| Failure::runtime(chain(&error)))?;
    let windows = lab.synchronizer.windows();
    let clocks = windows.as_ref().map_or_else(Vec::new, |windows| time::guests(lab, windows));
    let status = seat.describe(lab.synchronizer.tally().paused, traffic(seat, &observation));
    let process = match status.pid {
        Some(pid) => process(pid, status.vcpu_seconds).map_err(|error| {
            Failure::runtime(format!("cannot look at process {pid} of `{}`: {error}", seat.name()))
        })?,
        None => None,
    };
    let links = &lab.scenario().links;
    let port = |nic: &Nic| {
        let number = nic.port.0 as usize;
        let counted = observation.ports.get(number).copied().unwrap_or_default();
        port(nic, links, &counted, &kernel.get(number).copied().unwrap_or_default())
    };
    Ok(Guest {
        boot: boot(&seat.guest.boot),
        on_exit: on_exit(seat.guest.on_exit).into(),
        scheduled_commands: seat.guest.runs.len(),
        clock: clocks.into_iter().find(|clock| clock.name == seat.name()),
        process,
        files: files(lab, seat),
        ports: seat.guest.nics.iter().map(port).collect(),
        status,
    })
}

/// What went through all interfaces of a guest.
pub fn traffic(seat: &Seat, observation: &Observation) -> Traffic {
    let ports = seat.guest.nics.iter().filter_map(|nic| observation.ports.get(nic.port.0 as usize));
    ports.fold(Traffic::default(), |sum, port| Traffic {
        sent_frames: sum.sent_frames + port.received,
        sent_bytes: sum.sent_bytes + port.received_bytes,
        received_frames: sum.received_frames + port.transmitted,
        received_bytes: sum.received_bytes + port.handed_bytes,
        dropped_frames: sum.dropped_frames
            + port.ingress.total()
            + port.egress.total()
            + port.unconnected
            + port.missed,
    })
}

fn process(pid: u32, vcpu_seconds: Option<f64>) -> io::Result<Option<Process>> {
    let Some(cpu) = usage::processor_time(pid)? else { return Ok(None) };
    let Some(resident_bytes) = usage::resident_memory(pid)? else { return Ok(None) };
    Ok(Some(Process {
        pid,
        command_line: usage::command_line(pid)?,
        cpu_seconds: cpu.as_secs_f64(),
        vcpu_seconds: vcpu_seconds.unwrap_or_default(),
        resident_bytes,
    }))
}

fn boot(boot: &scenario::Boot) -> Boot {
    let built = |part| Parts::locate().path(part).ok();
    let mut told = Boot {
        built_in: boot.has_agent(),
        kernel: None,
        initrd: None,
        modules: None,
        image: None,
        append: String::new(),
    };
    match boot {
        scenario::Boot::BuiltIn => {
            told.kernel = built(Part::GuestKernel);
            told.initrd = built(Part::GuestInitrd);
        }
        scenario::Boot::Kernel { kernel, initrd, append, modules } => {
            told.kernel = Some(kernel.clone());
            told.initrd = match initrd {
                Some(Initrd::BuiltIn) => built(Part::GuestInitrd),
                Some(Initrd::File(file)) => Some(file.clone()),
                None => None,
            };
            told.modules = modules.as_ref().map(|modules| modules.path.clone());
            told.append.clone_from(append);
        }
        scenario::Boot::Image(image) => told.image = Some(image.path.clone()),
    }
    told
}

fn on_exit(on_exit: OnExit) -> &'static str {
    match on_exit {
        OnExit::Continue => "continue",
        OnExit::End => "end",
    }
}

fn files(lab: &Lab, seat: &Seat) -> Files {
    let directory = guest_directory(&lab.dir, &seat.guest.name);
    let consoles = |name: fn(usize) -> String| {
        (0..CONSOLES).map(|index| directory.join(name(index))).collect()
    };
    Files {
        qmp_socket: directory.join("qmp.sock"),
        console_sockets: consoles(console_port::socket),
        console_logs: consoles(console_port::log),
        qemu_log: directory.join("qemu.log"),
    }
}

fn port(nic: &Nic, links: &[Link], counted: &PortObservation, kernel: &PortCounters) -> Port {
    let end = Endpoint::Port(nic.port);
    let plugged = links.iter().find_map(|link| {
        let [a, b] = &link.ends;
        let peer = if a.endpoint == end { b } else { a };
        (a.endpoint == end || b.endpoint == end).then(|| (link.label.clone(), peer.to_string()))
    });
    let (link, peer) = plugged.unzip();
    Port {
        address: super::describe::address(nic),
        mtu_bytes: nic.mtu,
        tap: format!("tap{}", nic.port.0),
        link,
        peer,
        sent_frames: counted.received,
        sent_bytes: counted.received_bytes,
        sent_dropped: sent_dropped(counted, kernel),
        received_frames: counted.transmitted,
        received_bytes: counted.handed_bytes,
        received_dropped: reasons(&counted.egress),
        waiting_frames: counted.waiting,
        unstamped_frames: counted.unstamped,
        foreign_frames: kernel.foreign,
        gone: counted.gone,
    }
}

/// The kernel's reasons have the names that they have in metrics.
fn sent_dropped(counted: &PortObservation, kernel: &PortCounters) -> BTreeMap<String, u64> {
    let elsewhere = [
        ("not_connected", counted.unconnected),
        ("missed", counted.missed),
        ("runt", kernel.runt),
        ("unmarked", kernel.unmarked),
        ("no_socket", kernel.no_socket),
    ];
    let elsewhere = elsewhere.into_iter().filter(|(_, count)| *count > 0);
    let mut all = reasons(&counted.ingress);
    all.extend(elsewhere.map(|(reason, count)| (reason.to_owned(), count)));
    all
}

fn reasons(drops: &Drops) -> BTreeMap<String, u64> {
    told(drops, &[])
        .map(|(reason, count): (DropReason, u64)| (reason.name().to_owned(), count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_port_knows_where_it_is_plugged_in_and_what_it_dropped() {
        let text = "[node.a]\n[node.b]\n[[link]]\nendpoints = ['a:eth0', 'b:eth7']\n";
        let scenario = Scenario::parse(text, "x.toml".as_ref()).expect("a scenario");
        let mut ingress = Drops::default();
        ingress.count(DropReason::Oversize);
        ingress.count(DropReason::Oversize);
        let counted = PortObservation { received: 9, missed: 3, ingress, ..Default::default() };
        let kernel = PortCounters { runt: 4, foreign: 5, ..Default::default() };
        let described = port(&scenario.guests[1].nics[0], &scenario.links, &counted, &kernel);
        assert_eq!(described.link.as_deref(), Some("a:eth0-b:eth7"));
        assert_eq!(described.peer.as_deref(), Some("a:eth0"));
        assert_eq!((described.sent_frames, described.foreign_frames), (9, 5));
        insta::assert_compact_debug_snapshot!(
            described.sent_dropped,
            @r#"{"missed": 3, "oversize": 2, "runt": 4}"#
        );
        assert!(described.received_dropped.is_empty());
    }
}
