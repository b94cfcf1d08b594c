// The network, drawn. Built anew when the lab or the room changes; else only updated, so that
// focus stays where it is. Nothing moves by itself: between two looks the page costs nothing.

import { layout } from "./layout.js";
import { level, lost } from "./network.js";
import * as words from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const MANY = 40;

const make = (name, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

export class Drawing {
  constructor(svg, choose) {
    this.svg = svg;
    this.choose = choose;
    this.shape = null;
    this.width = 0;
  }

  show(graph, status, rates, chosen) {
    const width = Math.floor(this.svg.parentElement.clientWidth);
    const addresses = status.guests.map(address).join();
    if (graph.shape !== this.shape || width !== this.width || addresses !== this.addresses) {
      [this.shape, this.width, this.addresses] = [graph.shape, width, addresses];
      this.build(graph, status);
    }
    this.nodes.forEach((node) => update(node, status, chosen));
    const placed = [...this.boxes];
    this.links.forEach((link) => this.updateLink(link, status, rates, chosen, placed));
  }

  build(graph, status) {
    const many = graph.nodes.length > MANY;
    const measure = (kind, text) => {
      const probe = make("text", { class: kind }, text);
      this.svg.append(make("g", { class: "node" }, probe));
      return probe.getComputedTextLength();
    };
    this.nodes = graph.nodes.map((node) => drawNode(node, status.guests[node.index], many, measure));
    const boxes = this.nodes.map(({ half }) => half);
    const { places, height } = layout(graph, this.width, boxes);
    this.boxes = places.map(([x, y], index) => [x, y, boxes[index][0] + 2, boxes[index][1] + 2]);
    this.nodes.forEach(({ group }, index) => {
      group.setAttribute("transform", `translate(${places[index].map((at) => at.toFixed(1)).join()})`);
    });
    this.links = bundles(graph.links).map(([link, bend]) => drawLink(link, bend, places));
    for (const [kind, parts] of [["node", this.nodes], ["link", this.links]]) {
      parts.forEach(({ group, name }) => {
        const choose = () => this.choose({ kind, name });
        group.addEventListener("click", choose);
        group.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            choose();
          }
        });
      });
    }
    const focused = document.activeElement?.getAttribute?.("data-name");
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.setAttribute("width", this.width);
    this.svg.setAttribute("height", height);
    const lines = this.links.map(({ group }) => group);
    this.svg.replaceChildren(
      make("g", {}, ...lines),
      make("g", {}, ...this.nodes.map(({ group }) => group)),
      make("g", { class: "labels", "aria-hidden": "true" }, ...this.links.map(({ label }) => label)),
    );
    [...this.links, ...this.nodes].find(({ name }) => name === focused)?.group.focus();
  }

  updateLink(link, status, rates, chosen, placed) {
    const { forward, backward } = status.links[link.index];
    const ways = [forward, backward];
    const now = rates.links[link.index];
    const down = !forward.up || !backward.up;
    link.group.classList.toggle("down", down);
    const isChosen = chosen?.kind === "link" && chosen.name === link.name;
    link.group.classList.toggle("chosen", isChosen);
    link.group.setAttribute("aria-pressed", String(isChosen));
    link.lanes.forEach((lane, way) => drawLane(link, lane, way, now[way]));
    const gone = now[0].lost + now[1].lost;
    const text = [settings(ways, link.arrows), down ? "down" : load(now, link.arrows)];
    put(link.lines[0], text[0]);
    put(link.lines[1], text[1]);
    put(link.title, spoken(link, ways, now));
    link.group.setAttribute("aria-label", spoken(link, ways, now));
    link.group.classList.toggle("losing", gone > 0);
    link.label.classList.toggle("down", down);
    placeLabel(link, text, placed, isChosen, this.width);
  }
}

const address = (guest) => (guest.addresses.find(({ address }) => address)?.address ?? "").split("/")[0];

const drawNode = (node, guest, many, measure) => {
  const isGuest = node.kind === "guest";
  const below = isGuest && !many ? address(guest) : "";
  const text = Math.max(measure("name", node.name), measure("note", below));
  const wide = Math.max(text + (isGuest ? 42 : 26), isGuest ? 74 : 48);
  const half = [wide / 2, isGuest ? (below ? 22 : 15) : 13];
  const group = make("g", { class: `node ${node.kind}`, tabindex: "0", role: "button", "data-name": node.name });
  group.append(make("rect", {
    x: -half[0], y: -half[1], width: 2 * half[0], height: 2 * half[1], rx: isGuest ? 7 : half[1],
  }));
  const name = make("text", { class: "name", x: isGuest ? 8 : 0, y: below ? -3 : 4.5 }, node.name);
  group.append(name);
  const dot = make("circle", { class: "dot", cx: 15 - half[0], cy: below ? -7 : 0, r: 4 });
  const note = make("text", { class: "note", x: 8, y: 13 }, below);
  const title = make("title");
  if (isGuest) group.append(dot, note);
  group.append(title);
  return { group, name: node.name, index: node.index, half, isGuest, below, note, title };
};

const update = (node, status, chosen) => {
  const isChosen = chosen?.kind === "node" && chosen.name === node.name;
  node.group.classList.toggle("chosen", isChosen);
  node.group.setAttribute("aria-pressed", String(isChosen));
  if (!node.isGuest) {
    put(node.title, `switch ${node.name}`);
    node.group.setAttribute("aria-label", `switch ${node.name}`);
    return;
  }
  const guest = status.guests[node.index];
  const state = guest.paused && guest.state !== "dead" ? "paused" : guest.state;
  node.group.setAttribute("data-state", state);
  const usual = state === "ready" || state === "running";
  if (node.below) put(node.note, usual ? node.below : state);
  const said = `guest ${node.name}, ${state}${node.below ? `, ${node.below}` : ""}`;
  put(node.title, said);
  node.group.setAttribute("aria-label", said);
};

// Links between the same two nodes are bent away from each other.
const bundles = (links) => {
  const counts = new Map();
  const key = ({ ends }) => [...ends].sort((a, b) => a - b).join();
  links.forEach((link) => counts.set(key(link), (counts.get(key(link)) ?? 0) + 1));
  const seen = new Map();
  return links.map((link) => {
    const nth = seen.get(key(link)) ?? 0;
    seen.set(key(link), nth + 1);
    const bend = (nth - (counts.get(key(link)) - 1) / 2) * 34;
    return [link, link.ends[0] < link.ends[1] ? bend : -bend];
  });
};

const drawLink = (link, bend, places) => {
  const [a, b] = link.ends.map((end) => places[end]);
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = Math.max(1, Math.hypot(dx, dy));
  // To the right of who goes from the first end to the second, as the lanes of a road.
  const side = [-dy / length, dx / length];
  const along = (t, off) => {
    const lift = off + 4 * bend * t * (1 - t);
    return [a[0] + dx * t + side[0] * lift, a[1] + dy * t + side[1] * lift];
  };
  const group = make("g", { class: "link", tabindex: "0", role: "button", "data-name": link.name });
  const cable = curve(along, 0, bend);
  const lanes = [0, 1].map(() => ({ path: make("path", { class: "lane" }), arrow: make("path", { class: "arrow" }) }));
  const title = make("title");
  group.append(
    title,
    make("path", { class: "hit", d: cable }),
    make("path", { class: "cable", d: cable }),
    ...lanes.flatMap(({ path, arrow }) => [path, arrow]),
  );
  const lines = [make("tspan", { x: 0 }), make("tspan", { x: 0, dy: "1.25em", class: "live" })];
  const back = make("rect", { rx: 4 });
  const label = make("g", { class: "label" }, back, make("text", {}, ...lines));
  for (const [come, go] of [["pointerenter", "pointerleave"], ["focus", "blur"]]) {
    group.addEventListener(come, () => label.classList.add("pointed"));
    group.addEventListener(go, () => label.classList.remove("pointed"));
  }
  const [on, home] = Math.abs(dx) >= Math.abs(dy) ? ["→", "←"] : ["↓", "↑"];
  const arrows = (Math.abs(dx) >= Math.abs(dy) ? dx : dy) >= 0 ? [on, home] : [home, on];
  const flat = Math.abs(dy) < 0.3 * Math.abs(dx);
  return { ...link, flat, group, lanes, title, label, lines, back, along, bend, length, arrows };
};

const curve = (along, off, bend) => {
  const point = (t) => along(t, off).map((at) => at.toFixed(1)).join(" ");
  if (bend === 0) return `M${point(0)}L${point(1)}`;
  return `M${point(0)}L${[...Array(16).keys()].map((step) => point((step + 1) / 16)).join("L")}`;
};

const drawLane = (link, { path, arrow }, way, now) => {
  const of = level(now);
  path.setAttribute("data-level", of);
  arrow.setAttribute("data-level", of);
  if (of === 0) return;
  const wide = 2 + 4 * Math.sqrt(now.use ?? 0.1);
  const off = (way === 0 ? 1 : -1) * (wide / 2 + 1);
  path.setAttribute("d", curve(link.along, off, link.bend));
  path.setAttribute("stroke-width", wide.toFixed(1));
  // The head, where the way has three quarters behind it.
  const t = way === 0 ? 0.74 : 0.26;
  const [x, y] = link.along(t, off);
  const [nx, ny] = link.along(t + (way === 0 ? 0.01 : -0.01), off);
  const angle = (Math.atan2(ny - y, nx - x) * 180) / Math.PI;
  const size = (wide + 5) / 2;
  arrow.setAttribute("d", `M${-size} ${-size}L${size} 0L${-size} ${size}Z`);
  arrow.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${angle.toFixed(1)})`);
};

const both = (ways, arrows, say) => {
  const [one, other] = ways.map(say);
  return one === other ? one : `${arrows[0]} ${one} ${arrows[1]} ${other}`;
};

// Two rates in the same unit name it once.
const load = (now, arrows) => {
  const said = now.map(({ bits }) => (bits ? words.rate(bits) : ""));
  const [one, other] = said.map((text) => text.split(" ")[1]);
  if (one && one === other) said[0] = said[0].split(" ")[0];
  return said.map((text, way) => text && `${arrows[way]} ${text}`).filter(Boolean).join("\u2002");
};

const settings = (ways, arrows) => {
  const delay = both(ways, arrows, (way) => words.span(way.delay_ns));
  const rate = both(ways, arrows, (way) => (way.rate_bit_per_s == null ? "" : words.rate(way.rate_bit_per_s)));
  const loss = both(ways, arrows, (way) => (way.loss > 0 ? words.share(way.loss) : ""));
  return [delay, rate, loss && `loss ${loss}`].filter(Boolean).join(" · ");
};

const spoken = (link, ways, now) => {
  const of = (way, index) => {
    const parts = [
      `${way.from} → ${way.to}: delay ${words.span(way.delay_ns)}`,
      way.measured_delay_ns == null ? "" : `measured ${words.span(way.measured_delay_ns)}`,
      way.up ? "" : "down",
      now[index].bits ? words.rate(now[index].bits) : "",
      now[index].use ? words.share(now[index].use) : "",
      lost(way) ? `lost: ${words.reasons(way.dropped)}` : "",
    ];
    return parts.filter(Boolean).join(", ");
  };
  return `link ${link.name}\n${ways.map(of).join("\n")}`;
};

// Beside the middle or a little off it, where it covers no node and no other label; where there is
// no such place it shows only while the link is pointed at.
const placeLabel = (link, text, placed, isChosen, width) => {
  if (link.text !== text.join("\n")) {
    link.text = text.join("\n");
    link.wide = Math.max(...link.lines.map((line) => line.getComputedTextLength()));
  }
  const half = [link.wide / 2 + 5, text[1] ? 15 : 8];
  const free = ([x, y]) => placed.every(([bx, by, bw, bh]) => Math.abs(x - bx) > half[0] + bw || Math.abs(y - by) > half[1] + bh);
  // Above a link that is nearly level, and across one that is not.
  const lift = link.flat ? half[1] + 8 : 0;
  const inside = (x) => Math.min(Math.max(x, half[0] + 2), width - half[0] - 2);
  const spots = [0.5, 0.42, 0.58, 0.34, 0.66].map((t) => link.along(t, 0)).map(([x, y]) => [inside(x), y - lift]);
  const spot = spots.find(free);
  const [x, y] = spot ?? spots[0];
  [["x", -half[0]], ["y", -half[1]], ["width", 2 * half[0]], ["height", 2 * half[1]]].forEach((pair) => link.back.setAttribute(...pair));
  link.lines[0].setAttribute("y", text[1] ? -2.5 : 4);
  if (spot || isChosen) placed.push([x, y, ...half]);
  link.label.classList.toggle("crowded", !spot && !isChosen);
  link.label.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
};
