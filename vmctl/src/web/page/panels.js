// Everything on the page but the drawing. All text goes in as text: a name is never markup.

import { lost } from "./network.js";
import * as words from "./words.js";

const $ = (id) => document.getElementById(id);

const put = (element, text, kind) => {
  if (element.textContent !== text) element.textContent = text;
  if (kind !== undefined && element.className !== kind) element.className = kind;
};

const element = (name, text = "", kind = "") => {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  return made;
};

/** Rows that stay as long as what they stand for, so that focus does. */
class Rows {
  constructor(body, choose) {
    this.body = body;
    this.choose = choose;
    this.keys = null;
  }

  /** `rows`: a key, a name to choose by if any, and cells as [text, class]. */
  show(rows) {
    const keys = rows.map(({ key }) => key).join("\n");
    if (keys !== this.keys) {
      this.keys = keys;
      this.body.replaceChildren(...rows.map((row) => this.make(row)));
    }
    rows.forEach(({ cells, chosen }, at) => {
      const row = this.body.children[at];
      row.classList.toggle("chosen", Boolean(chosen));
      cells.forEach(([text, kind = ""], cell) => {
        const into = row.children[cell];
        put(into.querySelector("button") ?? into, text, into.querySelector("button") ? undefined : kind);
      });
    });
  }

  make({ cells, choose }) {
    const row = element("tr");
    row.append(...cells.map((_, at) => element(at === 0 ? "th" : "td")));
    row.firstChild.scope = "row";
    if (choose) {
      const button = element("button", "", "plain");
      button.type = "button";
      button.addEventListener("click", () => this.choose(choose));
      row.firstChild.append(button);
    }
    return row;
  }
}

const STATES = { booting: "wait", running: "good", paused: "held", stopping: "wait" };

export class Panels {
  constructor(choose) {
    this.links = new Rows($("links").tBodies[0], choose);
    this.guests = new Rows($("guests").tBodies[0], choose);
    this.facts = new Rows($("facts").tBodies[0], choose);
    this.last = null;
  }

  show({ status, clock, rates, graph, chosen }) {
    const { lab } = status;
    put($("lab"), lab.name);
    document.title = `${lab.name} – ${status.state}`;
    put($("state"), status.state, `pill ${STATES[status.state] ?? ""}`);
    put($("kind"), `${lab.mode} on ${lab.accelerator}, seed ${lab.seed}`);
    figures(status, clock, rates);
    this.links.show(status.links.flatMap((link, at) => linkRows(link, rates.links[at], chosen)));
    this.guests.show(status.guests.map((guest, at) => guestRow(guest, at, rates, clock, chosen)));
    this.details(status, clock, rates, graph, chosen);
    this.events(status.events);
  }

  details(status, clock, rates, graph, chosen) {
    const link = chosen?.kind === "link" ? status.links.findIndex(({ name }) => name === chosen.name) : -1;
    const node = chosen?.kind === "node" ? graph.nodes.find(({ name }) => name === chosen.name) : undefined;
    $("details").hidden = link < 0 && !node;
    if ($("details").hidden) return;
    put($("details-title"), chosen.name);
    const head = $("facts").tHead;
    if (link >= 0) {
      const { forward, backward } = status.links[link];
      const titles = ["", `from ${forward.from}`, `from ${backward.from}`];
      heading(head, titles);
      this.facts.show(linkFacts([forward, backward], rates.links[link], status.links[link]));
    } else {
      heading(head, []);
      const guest = status.guests[node.index];
      this.facts.show(guest ? guestFacts(guest, node.index, rates, clock) : switchFacts(node, graph, status));
    }
  }

  events(events) {
    const last = events.at(-1)?.number ?? -1;
    if (last === this.last) return;
    this.last = last;
    const line = (event) => {
      const item = element("li");
      const time = element("time", words.clock(event.virtual_seconds));
      time.title = `${event.date}, event ${event.number}`;
      item.append(time, element("span", event.message));
      return item;
    };
    $("events").replaceChildren(...events.toReversed().map(line));
  }
}

const heading = (head, titles) => {
  if (head.textContent === titles.join("")) return;
  const row = element("tr");
  row.append(...titles.map((title) => element("th", title)));
  head.replaceChildren(row);
};

const figures = (status, clock, rates) => {
  const { time, lateness, windows, exact } = status;
  const ratio = clock.recent_ratio ?? rates.ratio ?? clock.ratio;
  const all = [
    ["virtual time", words.clock(time.virtual_seconds), `${words.clock(time.wall_seconds)} of the host's`],
    ["virtual / wall", status.state === "paused" ? "held" : words.ratio(ratio), `${words.ratio(clock.ratio)} since it began`],
  ];
  if (exact) {
    const whole = exact.perturbed ? "perturbed" : exact.doubt ? "not exact" : "repeatable";
    all.push(["this run", whole, exact.perturbed ?? exact.doubt ?? `digest ${exact.digest.slice(0, 12)}…`, whole !== "repeatable"]);
    all.push(["barriers", words.count(exact.windows), `${words.count(exact.frames)} frames in the digest`]);
  } else {
    all.push(["lateness, p99", words.span(lateness.p99_ns), `at most ${words.span(lateness.max_ns)}`]);
  }
  if (windows) {
    const over = windows.over_budget;
    all.push(["overrun, p99", words.span(windows.overrun.p99_ns), `${words.count(over)} past ${words.span(windows.budget_ns)}`, over > 0]);
    all.push(["skew", words.span(clock.skew_ns), `window ${words.span(windows.quantum_ns)}, ${windows.parallel} at once`]);
  }
  const pauses = [`${time.user_pauses} by hand`, `${time.overload_pauses} for overload`];
  all.push(["pauses", words.count(time.user_pauses + time.overload_pauses), pauses.join(", "), time.overload_pauses > 0]);
  all.push(["in flight", words.count(status.in_flight), status.foreign ? `${words.count(status.foreign)} of the host's kept out` : "frames under way"]);
  const list = $("figures");
  if (list.children.length !== all.length) {
    list.replaceChildren(...all.map(() => {
      const group = element("div");
      group.append(element("dt"), element("dd", "", "value"), element("dd", "", "note"));
      return group;
    }));
  }
  all.forEach(([title, value, note, warns], at) => {
    const group = list.children[at];
    group.classList.toggle("warns", Boolean(warns));
    [title, value, note].forEach((text, part) => put(group.children[part], text));
  });
};

const linkRows = (link, now, chosen) =>
  [link.forward, link.backward].map((way, at) => {
    const drops = lost(way);
    const use = now[at].use;
    return {
      key: `${way.from} ${way.to}`,
      choose: { kind: "link", name: link.name },
      chosen: chosen?.kind === "link" && chosen.name === link.name,
      cells: [
        [`${way.from} → ${way.to}`],
        way.up ? [words.span(way.delay_ns), "number"] : ["down", "number bad"],
        [words.span(way.measured_delay_ns), "number"],
        [way.rate_bit_per_s == null ? "∞" : words.rate(way.rate_bit_per_s), "number"],
        [words.rate(now[at].bits), "number"],
        [use == null ? words.DASH : words.share(use), `number ${use >= 0.9 ? "bad" : use >= 0.6 ? "warm" : ""}`],
        [drops ? words.count(drops) : "0", `number ${now[at].lost > 0 ? "bad" : drops ? "" : "quiet"}`],
      ],
    };
  });

const stateOf = (guest) => {
  const parts = [guest.state];
  if (guest.paused && guest.state !== "dead") parts.push("paused");
  if (guest.reboots > 0) parts.push(`rebooted ${guest.reboots}×`);
  return parts.join(", ");
};

const guestRow = (guest, at, rates, clock, chosen) => {
  const own = clock.guests[at];
  const tone = { dead: "bad", silent: "warm", booting: "quiet" }[guest.state] ?? "";
  return {
    key: guest.name,
    choose: { kind: "node", name: guest.name },
    chosen: chosen?.kind === "node" && chosen.name === guest.name,
    cells: [
      [guest.name],
      [stateOf(guest), tone],
      [own && !own.ended ? words.offset(own.offset_ns) : words.DASH, "number"],
      [words.share(rates.guests[at].vcpu), "number"],
    ],
  };
};

const fact = (key, ...values) => ({ key, cells: [[key], ...values.map((value) => [value, "number"])] });

const linkFacts = (ways, now, link) => {
  const each = (key, say) => fact(key, ...ways.map((way, at) => say(way, now[at])));
  const loss = (way) => (way.loss > 0 ? `${words.share(way.loss)} ${way.loss_model === "random" ? "" : way.loss_model}`.trim() : "0");
  const queue = (way) =>
    [way.queue_bytes == null ? "" : words.bytes(way.queue_bytes), way.queue_frames == null ? "" : `${way.queue_frames} frames`]
      .filter(Boolean).join(", ") || "no limit";
  const rows = [
    each("state", (way) => (way.up ? "up" : "down")),
    each("delay", (way) => words.span(way.delay_ns)),
    each("measured", (way) => words.span(way.measured_delay_ns)),
    each("jitter", (way) => (way.jitter_ns ? `± ${words.span(way.jitter_ns)} ${way.distribution}` : "0")),
    each("rate", (way) => (way.rate_bit_per_s == null ? "unlimited" : words.rate(way.rate_bit_per_s))),
    each("now", (_, now) => words.rate(now.bits)),
    each("in use", (_, now) => words.share(now.use)),
    each("loss", loss),
    each("queue", queue),
    each("frames waiting", (way) => words.count(way.backlog_frames)),
    each("frames under way", (way) => words.count(way.in_flight_frames)),
    each("frames sent", (way) => words.count(way.sent_frames)),
    each("frames delivered", (way) => words.count(way.delivered_frames)),
  ];
  const told = ways.flatMap((way) => Object.keys(way.dropped).filter((reason) => way.dropped[reason] > 0));
  for (const reason of new Set(told)) {
    rows.push(each(`lost: ${reason.replaceAll("_", " ")}`, (way) => words.count(way.dropped[reason] ?? 0)));
  }
  rows.push(fact("MTU", `${link.mtu_bytes} B`, ""));
  return rows;
};

const guestFacts = (guest, at, rates, clock) => {
  const own = clock.guests[at];
  const { traffic } = guest;
  const through = (frames, bytes) => `${words.count(frames)} frames, ${words.bytes(bytes)}`;
  return [
    fact("state", stateOf(guest)),
    ...guest.addresses.map(({ interface: name, address, mac }) => fact(name, address ?? mac)),
    ...(own ? [fact("clock", `${words.clock(own.clock_ns / 1e9)} (${words.offset(own.offset_ns)}, ${own.source})`)] : []),
    fact("processors", `${guest.vcpus}, ${words.share(rates.guests[at].vcpu)} in use`),
    fact("memory", words.bytes(guest.memory_bytes)),
    fact("sent", through(traffic.sent_frames, traffic.sent_bytes)),
    fact("received", through(traffic.received_frames, traffic.received_bytes)),
    fact("lost at its edge", `${words.count(traffic.dropped_frames)} frames`),
    ...(guest.management ? [fact("management", guest.management)] : []),
  ];
};

const switchFacts = (node, graph, status) => {
  const links = graph.links.filter(({ ends }) => ends.includes(node.index));
  const other = (link) => graph.nodes[link.ends[0] === node.index ? link.ends[1] : link.ends[0]].name;
  const state = ({ index }) => (status.links[index].forward.up && status.links[index].backward.up ? "up" : "down");
  return [
    fact("kind", "switch"),
    ...links.map((link) => fact(link.interfaces[link.ends[0] === node.index ? 0 : 1], `${other(link)}, ${state(link)}`)),
  ];
};
