// The lab as a graph, and what went on in it between two looks.

// Drops before the wire: these frames took no time on it.
const BEFORE_THE_WIRE = ["queue_full", "link_down"];

const ends = (endpoint) => {
  const colon = endpoint.lastIndexOf(":");
  return [endpoint.slice(0, colon), endpoint.slice(colon + 1)];
};

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Nodes and links of a status. What is no guest and has a link is a switch. */
export const graph = (status) => {
  const nodes = status.guests.map((guest, index) => ({ name: guest.name, kind: "guest", index }));
  const places = new Map(nodes.map((node) => [node.name, node.index]));
  const place = (name) => {
    if (!places.has(name)) {
      places.set(name, nodes.length);
      nodes.push({ name, kind: "switch", index: nodes.length });
    }
    return places.get(name);
  };
  const links = status.links.map((link, index) => {
    const [from, to] = [ends(link.forward.from), ends(link.forward.to)];
    return {
      name: link.name,
      index,
      ends: [place(from[0]), place(to[0])],
      interfaces: [from[1], to[1]],
      labels: [link.forward.from, link.forward.to],
    };
  });
  const shape = JSON.stringify([nodes.map((node) => node.name), links.map((link) => link.labels)]);
  return { nodes, links, shape };
};

/** Frames that ended on a way, for whatever reason. */
export const lost = (way) => sum(Object.values(way.dropped));

const bitsOnTheWire = (before, after) => {
  const refused = (way) => sum(BEFORE_THE_WIRE.map((reason) => way.dropped[reason] ?? 0));
  const sent = after.sent_frames - before.sent_frames;
  const bytes = after.sent_bytes - before.sent_bytes;
  if (sent <= 0) return 0;
  // Of the frames that were refused, the sizes are not known: they count as the mean of all.
  const carried = Math.max(0, sent - (refused(after) - refused(before)));
  return 8 * carried * (bytes / sent + after.overhead_bytes);
};

const idle = { bits: null, use: null, lost: 0 };

const way = (before, after, seconds) => {
  if (!(seconds > 0)) return idle;
  const bits = bitsOnTheWire(before, after) / seconds;
  // What has just been queued counts, too, and would make more than all of it.
  const use = after.rate_bit_per_s == null ? null : Math.min(1, bits / Math.max(1, after.rate_bit_per_s));
  return { bits, use, lost: Math.max(0, lost(after) - lost(before)) };
};

/**
 * What went on from one look at a lab to the next: per second of virtual time, in which its rates
 * and delays are; processors by the host's.
 */
export const rates = (before, after) => {
  if (!before) {
    return {
      ratio: null,
      links: after.links.map(() => [idle, idle]),
      guests: after.guests.map(() => ({ vcpu: null })),
    };
  }
  const seconds = after.time.virtual_seconds - before.time.virtual_seconds;
  const wall = after.time.wall_seconds - before.time.wall_seconds;
  return {
    ratio: wall > 0 ? seconds / wall : null,
    links: after.links.map((link, index) => [
      way(before.links[index].forward, link.forward, seconds),
      way(before.links[index].backward, link.backward, seconds),
    ]),
    guests: after.guests.map((guest, index) => {
      const earlier = before.guests[index].vcpu_seconds;
      const known = guest.vcpu_seconds != null && earlier != null && wall > 0;
      return { vcpu: known ? Math.max(0, guest.vcpu_seconds - earlier) / wall : null };
    }),
  };
};

/** How much of a way is in use, as a level from 0 (idle) to 4 (full). */
export const level = ({ bits, use }) => {
  if (!bits) return 0;
  if (use == null || use < 0.3) return 1;
  if (use < 0.6) return 2;
  return use < 0.9 ? 3 : 4;
};
