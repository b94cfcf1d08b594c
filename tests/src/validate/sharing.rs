//! Who gets what of a link that is too narrow for all.

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use super::{
    load::{LARGE, MTU, TCP_SLACK, UDP_SLACK},
    row::{Row, Subject},
    statistics::fairness,
    theory::{fluid, tcp_goodput, udp_goodput},
    trial::{Result, Trial},
};
use crate::lab::told;

/// The link that is shared, by the end that sends to the sink.
const SHARED: &str = "hub:sink";
/// Senders.
const SENDERS: usize = 4;
/// Payload rate of each in Mbit/s, where they send datagrams: the same, and not.
const OFFERED: [[f64; SENDERS]; 2] = [[4.0; SENDERS], [2.0, 4.0, 4.0, 6.0]];

/// The lab: senders on a switch, and one that all of them send to.
pub fn shared_topology() -> String {
    let mut text = "[node.hub]\nkind = 'switch'\n[node.sink]\n\
                    [[link]]\nendpoints = ['hub:sink', 'sink:eth0']\ndelay = '10ms'\n"
        .to_owned();
    for sender in 0..SENDERS {
        text += &format!(
            "[node.s{sender}]\n[[link]]\nendpoints = ['s{sender}:eth0', 'hub:p{sender}']\ndelay = '10ms'\n"
        );
    }
    text
}

/// Several flows over one link: datagrams against a fluid model, TCP against equal shares.
///
/// # Errors
/// When it could not be measured.
pub fn sharing(trial: &Trial, count: u32) -> Result<Vec<Row>> {
    const RATE: f64 = 10e6;
    let narrow = [("forward", "rate=10Mbit queue=64KiB")];
    let mut rows = Vec::new();
    for offered in OFFERED {
        trial.set(SHARED, &[])?;
        begin(trial, |sender| format!("-u -b {}M -l {LARGE}", offered[sender]))?;
        // All of them have found the other side when it becomes narrow: what says so is not lost.
        trial.wait(Duration::from_secs(3))?;
        trial.set(SHARED, &narrow)?;
        let got = shares_of(trial, count, LARGE)?;
        end(trial)?;
        let model = fluid(&offered.map(|one| one * 1e6), udp_goodput(RATE, LARGE));
        let relative: Vec<_> = got.iter().zip(&model).map(|(got, model)| got / model).collect();
        let case = format!("UDP, {} Mbit/s offered", list(&offered, 1.0));
        rows.push(shared_row(trial, &case, &model, &got, [UDP_SLACK, 0.95], &relative));
    }
    trial.set(SHARED, &narrow)?;
    begin(trial, |_| String::new())?;
    trial.wait(Duration::from_secs(5))?;
    let got = shares_of(trial, count * 3, MTU - 52)?;
    end(trial)?;
    let model = [tcp_goodput(RATE, MTU) / SENDERS as f64; SENDERS];
    rows.push(shared_row(trial, "TCP", &model, &got, [TCP_SLACK, 0.8], &got));
    Ok(rows)
}

fn shared_row(
    trial: &Trial,
    case: &str,
    model: &[f64],
    got: &[f64],
    [slack, least]: [f64; 2],
    relative: &[f64],
) -> Row {
    let [all, allowed] = [got, model].map(|flows| flows.iter().sum::<f64>());
    let (off, jain) = (all / allowed - 1.0, fairness(relative));
    let measured = format!(
        "{} = {:.3} Mbit/s, {:+.2} %; Jain {jain:.4}",
        list(got, 1e6),
        all / 1e6,
        off * 100.0
    );
    Row::new(Subject::Sharing, trial.mode, case)
        .asked(format!("{} = {:.3} Mbit/s; Jain at least {least}", list(model, 1e6), allowed / 1e6))
        .measured(measured, got.len())
        .demand(off <= UDP_SLACK, "more than the rate allows")
        .demand(off >= -slack, "the link is not full")
        .demand(jain >= least, "not shared as the model says")
}

fn list(flows: &[f64], unit: f64) -> String {
    let flows: Vec<_> = flows.iter().map(|flow| format!("{:.2}", flow / unit)).collect();
    flows.join(" + ")
}

/// Lets all senders send until [`end`].
fn begin(trial: &Trial, arguments: impl Fn(usize) -> String) -> Result<()> {
    let port = |sender: usize| 5201 + sender;
    let servers: String =
        (0..SENDERS).map(|sender| format!("iperf3 -s -D -p {};", port(sender))).collect();
    trial.sh("sink", &format!("{servers} sleep 0.5"))?;
    for sender in 0..SENDERS {
        let (arguments, port) = (arguments(sender), port(sender));
        let client =
            format!("iperf3 -c sink -p {port} -t 3600 {arguments} </dev/null >/dev/null 2>&1 &");
        trial.sh(&format!("s{sender}"), &client)?;
    }
    Ok(())
}

fn end(trial: &Trial) -> Result<()> {
    let guests = (0..SENDERS).map(|sender| format!("s{sender}"));
    for guest in guests.chain(["sink".to_owned()]) {
        trial.sh(&guest, "killall -9 iperf3; while pidof iperf3 >/dev/null; do sleep 0.1; done")?;
    }
    Ok(())
}

/// Payload rates of the senders in bit/s, by so many frames that the sink was handed or sent;
/// `payload` is that of a large frame. Small frames, which acknowledge or say hello, are no payload.
fn shares_of(trial: &Trial, count: u32, payload: u32) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("shared.pcapng");
    let (count, path) = (count.to_string(), file.to_string_lossy());
    trial.vmctl(&["capture", "sink", "--count", &count, "--snaplen", "64", "-w", &path])?;
    let (frames, seconds) = flows(&file)?;
    let rate = |sender| {
        let name = format!("s{sender}");
        let address = trial.address(&name)?;
        Ok(frames.get(&address).map_or(0.0, |count| f64::from(*count * payload * 8) / seconds))
    };
    (0..SENDERS).map(rate).collect()
}

/// Large frames by sender, and the seconds from the first to the last of them.
fn flows(file: &Path) -> Result<(BTreeMap<String, u32>, f64)> {
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-r")
        .arg(file)
        .args(["-Y", "frame.len > 1000 && frame.packet_flags_direction == 1"]);
    tshark.args(["-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src"]);
    let output = tshark.output().map_err(|error| format!("tshark: {error}"))?;
    if !output.status.success() {
        return Err(told(&output));
    }
    flows_of(&String::from_utf8_lossy(&output.stdout))
}

fn flows_of(lines: &str) -> Result<(BTreeMap<String, u32>, f64)> {
    let mut frames = BTreeMap::new();
    let mut ends: Option<[f64; 2]> = None;
    for line in lines.lines() {
        let seen =
            line.split_once('\t').and_then(|(at, from)| Some((at.parse::<f64>().ok()?, from)));
        let (at, from) = seen.ok_or_else(|| format!("tshark printed {line}"))?;
        let [first, _] = ends.unwrap_or([at, at]);
        ends = Some([first, at]);
        // The first one opens the span: what left the link before it is not in there.
        *frames.entry(from.to_owned()).or_insert(0) += u32::from(at > first);
    }
    match ends {
        Some([first, last]) if last > first => Ok((frames, last - first)),
        _ => Err("no frames left the shared link".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_counted_from_their_first_frame_on() {
        let (frames, seconds) = flows_of("1.5\ta\n1.75\tb\n2.0\ta\n2.5\ta\n").expect("frames");
        assert_eq!((frames["a"], frames["b"], seconds), (2, 1, 1.0));
        assert!(flows_of("1.5\ta\n").is_err() && flows_of("").is_err() && flows_of("x").is_err());
    }
}
