//! `vmctl check`: what a topology file would build.

use super::{
    labs::or_dash,
    table::{table, text},
    text::{bytes, nanos, rate, share},
};
use crate::scenario::{
    Description, ExactDescription, ExpectDescription, GuestDescription, LinkDescription,
    LockstepDescription, LookaheadDescription, NicDescription, TimeDescription,
};

/// The plan as tables.
pub fn render(plan: &Description) -> String {
    let mut parts = vec![heading(plan), guests(&plan.guests)];
    if plan.guests.iter().any(|guest| !guest.runs.is_empty()) {
        parts.push(runs(&plan.guests));
    }
    if !plan.links.is_empty() {
        parts.push(links(&plan.links));
    }
    if plan.links.iter().any(|link| !link.events.is_empty()) {
        parts.push(events(&plan.links));
    }
    parts.join("\n\n")
}

fn heading(plan: &Description) -> String {
    let switches = match plan.switches.as_slice() {
        [] => "none".into(),
        names => names.join(", "),
    };
    format!(
        "lab {}: {}{}\nmetrics: http://{}/metrics; switches: {switches}",
        plan.name,
        time(plan),
        plan.until_ns.map(|until| format!("\nruns until: {}", nanos(until))).unwrap_or_default(),
        plan.metrics,
    )
}

fn time(plan: &Description) -> String {
    let seed = plan.seed;
    match &plan.time {
        TimeDescription::Realtime { tolerance_ns, overload } => {
            let tolerance = nanos(*tolerance_ns);
            format!("realtime, seed {seed}; when releases are later than {tolerance}: {overload}")
        }
        TimeDescription::Lockstep(lockstep) => {
            format!("lockstep, seed {seed}; {}", windows(lockstep))
        }
        TimeDescription::Exact(exact) => format!("exact, seed {seed}; {}", instructions(exact)),
        TimeDescription::Auto { best, otherwise } => {
            format!("{best} where the host allows, else {otherwise}, seed {seed}")
        }
    }
}

fn windows(lockstep: &LockstepDescription) -> String {
    let quantum = nanos(lockstep.quantum_ns);
    let chosen = if lockstep.quantum_auto { " (auto)" } else { "" };
    let budget = nanos(lockstep.overrun_budget_ns);
    let then = if lockstep.strict { "the lab ends" } else { "a warning" };
    let lookahead = lookahead(lockstep.lookahead.as_ref());
    let parallel = lockstep.parallel.map_or("auto".into(), |guests| guests.to_string());
    format!(
        "windows of {quantum}{chosen}; when overrun by more than {budget}: {then}\n\
         lookahead: {lookahead}\n\
         guests at once: {parallel}; start: {}",
        lockstep.start,
    )
}

fn instructions(exact: &ExactDescription) -> String {
    let cap = exact.quantum_ns.map(|cap| format!(", windows of at most {}", nanos(cap)));
    format!(
        "{} an instruction{}; speed: {}\nlookahead: {}",
        nanos(exact.instruction_ns),
        cap.unwrap_or_default(),
        exact.speed,
        lookahead(exact.lookahead.as_ref()),
    )
}

fn lookahead(least: Option<&LookaheadDescription>) -> String {
    match least {
        Some(least) => {
            format!("{} from {} to {}: {}", nanos(least.span_ns), least.from, least.to, least.path)
        }
        None => "unlimited, no two guests are connected".into(),
    }
}

fn guests(guests: &[GuestDescription]) -> String {
    let titles = ["guest", "kernel", "vcpus", "memory", "on exit", "nic", "address", "mac", "mtu"];
    let mut table = table(&titles, &[2, 3, 8]);
    for guest in guests {
        let about = [
            guest.name.clone(),
            guest.kernel.clone(),
            guest.vcpus.to_string(),
            bytes(guest.memory_bytes),
            guest.on_exit.into(),
        ];
        let mut nics = guest.nics.iter();
        table.add_row(about.into_iter().chain(nic(nics.next())));
        for other in nics {
            table.add_row(std::iter::repeat_n(String::new(), 5).chain(nic(Some(other))));
        }
    }
    text(&table)
}

fn nic(nic: Option<&NicDescription>) -> [String; 4] {
    [
        or_dash(nic.map(|nic| &nic.name)),
        or_dash(nic.and_then(|nic| nic.address)),
        or_dash(nic.map(|nic| nic.mac)),
        or_dash(nic.map(|nic| nic.mtu_bytes)),
    ]
}

fn runs(guests: &[GuestDescription]) -> String {
    let mut table = table(&["guest", "at", "command", "expected"], &[1]);
    let all = guests.iter().flat_map(|guest| guest.runs.iter().map(move |run| (guest, run)));
    for (guest, run) in all {
        // Quoted where that is needed to tell one argument from two.
        let words = run.command.iter().map(|word| match word.contains(char::is_whitespace) {
            true => format!("{word:?}"),
            false => word.escape_debug().to_string(),
        });
        let command = words.collect::<Vec<_>>().join(" ");
        table.add_row([guest.name.clone(), nanos(run.at_ns), command, expected(&run.expect)]);
    }
    text(&table)
}

fn expected(expect: &ExpectDescription) -> String {
    let exit = expect.exit.map(|status| format!("exit {status}"));
    let pattern = |name, pattern: &Option<String>| {
        pattern.as_ref().map(|pattern| format!("{name} {}", pattern.escape_debug()))
    };
    let parts = [exit, pattern("stdout", &expect.stdout), pattern("stderr", &expect.stderr)];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    or_dash((!parts.is_empty()).then(|| parts.join(", ")))
}

fn events(links: &[LinkDescription]) -> String {
    let mut table = table(&["link", "at", "what"], &[1]);
    for link in links {
        for event in &link.events {
            table.add_row([link.label.clone(), nanos(event.at_ns), event.what.clone()]);
        }
    }
    text(&table)
}

fn links(links: &[LinkDescription]) -> String {
    let titles = ["link", "way", "delay", "jitter", "rate", "loss", "queue"];
    let mut table = table(&titles, &[2, 3, 4, 5, 6]);
    for link in links {
        let ways = if link.forward == link.backward {
            vec![("both", &link.forward)]
        } else {
            vec![("forward", &link.forward), ("backward", &link.backward)]
        };
        for (name, way) in ways {
            table.add_row([
                link.label.clone(),
                name.into(),
                nanos(way.delay_ns),
                nanos(way.jitter_ns),
                if way.trace { "trace".into() } else { or_dash(way.rate_bit_per_s.map(rate)) },
                share(way.loss),
                super::links::queue(way.queue_bytes, way.queue_frames),
            ]);
        }
    }
    text(&table)
}
