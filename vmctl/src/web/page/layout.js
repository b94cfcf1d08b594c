// Where nodes go: a pure function of the graph and the room there is, so that the same lab is
// drawn the same way each time.
//
//   ranks    trees of switches, as in data centres: guests in a row, their switches above, the
//            spine on top; turned by a quarter where the room is narrow
//   stress   everything else: distances on paper as distances in the graph
//            (E. Gansner, Y. Koren, S. North, Graph Drawing by Stress Majorization, 2004)

const MARGIN = 18;
// Narrower than this, what is long goes from the top to the bottom.
const NARROW = 600;
// The longest that a link need be to be read.
const LONGEST = 420;

/**
 * Half widths and half heights of the nodes' boxes come in `boxes`; centres are returned, and how
 * much of a page they take.
 */
export const layout = (graph, width, boxes) => {
  const height = heightFor(graph, width);
  const places = arranged(graph, width, height, boxes);
  // A line of nodes needs no tall paper.
  const top = Math.min(...places.map(([, y], index) => y - boxes[index][1])) - 2 * MARGIN;
  const bottom = Math.max(...places.map(([, y], index) => y + boxes[index][1])) + 2 * MARGIN;
  const needed = Math.min(height, Math.max(170, bottom - top));
  const lift = (top + bottom - needed) / 2;
  return { places: needed < height ? places.map(([x, y]) => [x, y - lift]) : places, height: needed };
};

const arranged = (graph, width, height, boxes) => {
  const neighbours = graph.nodes.map(() => new Set());
  for (const { ends: [a, b] } of graph.links) {
    if (a !== b) {
      neighbours[a].add(b);
      neighbours[b].add(a);
    }
  }
  if (graph.nodes.length === 1) return [[width / 2, height / 2]];
  const ranks = ranked(graph, neighbours);
  const places = ranks ? inRanks(ranks, neighbours, width, height, boxes) : byStress(graph, neighbours, width, height, boxes);
  return apart(places, width, height, boxes);
};

// How high a drawing may have to be, so that nothing is crowded.
const heightFor = (graph, width) => {
  const columns = Math.max(2, Math.floor(width / 130));
  const rows = Math.ceil(graph.nodes.length / columns);
  const least = graph.nodes.length < 3 ? 200 : width < NARROW ? 400 : 380;
  return Math.min(1400, Math.max(least, 150 + 62 * rows));
};

const distances = (neighbours, from) => {
  const found = new Map([[from, 0]]);
  const queue = [from];
  for (const node of queue) {
    for (const next of neighbours[node]) {
      if (!found.has(next)) {
        found.set(next, found.get(node) + 1);
        queue.push(next);
      }
    }
  }
  return found;
};

// Guests are rank 0, a switch is one above the nearest guest. Only where each link leads from one
// rank to the next, and there are three or more.
const ranked = (graph, neighbours) => {
  const rank = graph.nodes.map((node) => (node.kind === "guest" ? 0 : Infinity));
  const queue = graph.nodes.filter((node) => node.kind === "guest").map((node) => node.index);
  for (const node of queue) {
    for (const next of neighbours[node]) {
      if (rank[next] === Infinity) {
        rank[next] = rank[node] + 1;
        queue.push(next);
      }
    }
  }
  const top = Math.max(...rank);
  const climbs = graph.links.every(({ ends: [a, b] }) => Math.abs(rank[a] - rank[b]) === 1);
  if (!climbs || top < 2 || top === Infinity) return null;
  const ranks = Array.from({ length: top + 1 }, () => []);
  rank.forEach((of, node) => ranks[of].push(node));
  return ranks;
};

const inRanks = (ranks, neighbours, width, height, boxes) => {
  const order = ranks.map((rank) => [...rank]);
  const position = [];
  const number = () => order.forEach((rank) => rank.forEach((node, index) => {
    position[node] = (index + 0.5) / rank.length;
  }));
  number();
  const sweep = (rank, beside) => {
    const centre = (node) => {
      const near = [...neighbours[node]].filter((other) => beside.includes(other));
      return near.length ? near.reduce((total, other) => total + position[other], 0) / near.length : position[node];
    };
    const keys = new Map(rank.map((node) => [node, centre(node)]));
    rank.sort((a, b) => keys.get(a) - keys.get(b) || a - b);
    number();
  };
  // Barycentres (K. Sugiyama et al., 1981), up and down some times.
  for (let round = 0; round < 4; round += 1) {
    for (let at = 1; at < order.length; at += 1) sweep(order[at], order[at - 1]);
    for (let at = order.length - 2; at >= 0; at -= 1) sweep(order[at], order[at + 1]);
  }
  const needed = Math.max(...order.map((rank) => rank.reduce((total, node) => total + 2 * boxes[node][0] + 14, 0)));
  const upright = needed > width - 2 * MARGIN;
  const [along, across] = upright ? [height, width] : [width, height];
  const places = [];
  // A rank is as wide as what hangs below it, so that a parent is over its children.
  order.forEach((rank, at) => {
    const half = (node) => boxes[node][upright ? 0 : 1];
    const pad = MARGIN + Math.max(...rank.map(half));
    const low = MARGIN + Math.max(...order[0].map(half));
    const high = MARGIN + Math.max(...order.at(-1).map(half));
    const level = order.length === 1 ? 0.5 : at / (order.length - 1);
    const depth = Math.min(Math.max(across - low - level * (across - low - high), pad), across - pad);
    rank.forEach((node, index) => {
      let place = MARGIN + ((index + 0.5) / rank.length) * (along - 2 * MARGIN);
      if (at > 0) {
        const below = [...neighbours[node]].filter((other) => order[at - 1].includes(other));
        const wanted = below.reduce((total, other) => total + places[other][upright ? 1 : 0], 0) / below.length;
        // With several parents for the same children, each keeps to its own slot.
        const shared = rank.length > 1 && rank.some((other) => other !== node && below.every((child) => neighbours[other].has(child)));
        if (!shared) place = wanted;
      }
      places[node] = upright ? [across - depth, place] : [place, depth];
    });
  });
  return places;
};

const generator = (seed) => () => {
  // mulberry32
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
};

const byStress = (graph, neighbours, width, height, boxes) => {
  const count = graph.nodes.length;
  const found = graph.nodes.map((node) => distances(neighbours, node.index));
  const farthest = Math.max(1, ...found.map((from) => Math.max(...from.values())));
  // Parts that are not connected keep about the widest part's distance.
  const wanted = found.map((from) => graph.nodes.map((to) => from.get(to.index) ?? farthest * 0.8 + 1));
  const starts = [circle(graph, neighbours)];
  for (let seed = 1; count <= 80 && seed <= 4; seed += 1) {
    const random = generator(seed);
    starts.push(graph.nodes.map(() => [random() * farthest, random() * farthest]));
  }
  const rounds = Math.max(30, Math.min(900, Math.floor(3e6 / (count * count))));
  const settled = starts.map((start) => settle(start, wanted, rounds));
  const best = settled.reduce((one, other) => (other.stress < one.stress - 1e-6 ? other : one));
  return fit(best.places, width, height, boxes);
};

const circle = (graph, neighbours) => {
  const order = [];
  for (const node of graph.nodes) {
    if (!order.includes(node.index)) {
      order.push(...[...distances(neighbours, node.index).keys()].filter((other) => !order.includes(other)));
    }
  }
  const places = [];
  order.forEach((node, index) => {
    const angle = (2 * Math.PI * index) / order.length + 0.1;
    places[node] = [Math.cos(angle), Math.sin(angle)];
  });
  return places;
};

const settle = (places, wanted, rounds) => {
  const count = places.length;
  for (let round = 0; round < rounds; round += 1) {
    for (let a = 0; a < count; a += 1) {
      let [x, y, weights] = [0, 0, 0];
      for (let b = 0; b < count; b += 1) {
        if (a === b) continue;
        const distance = wanted[a][b];
        const weight = 1 / (distance * distance);
        const [dx, dy] = [places[a][0] - places[b][0], places[a][1] - places[b][1]];
        const scale = distance / Math.max(1e-6, Math.hypot(dx, dy));
        x += weight * (places[b][0] + dx * scale);
        y += weight * (places[b][1] + dy * scale);
        weights += weight;
      }
      places[a] = [x / weights, y / weights];
    }
  }
  let stress = 0;
  for (let a = 0; a < count; a += 1) {
    for (let b = a + 1; b < count; b += 1) {
      const distance = wanted[a][b];
      const off = Math.hypot(places[a][0] - places[b][0], places[a][1] - places[b][1]) - distance;
      stress += (off * off) / (distance * distance);
    }
  }
  return { places, stress };
};

// Turned so that it is longest where there is most room, the first node at the left or at the top,
// and stretched to fill the room, but not out of shape.
const fit = (places, width, height, boxes) => {
  const count = places.length;
  const mean = [0, 1].map((axis) => places.reduce((total, place) => total + place[axis], 0) / count);
  const centred = places.map(([x, y]) => [x - mean[0], y - mean[1]]);
  const moment = (f) => centred.reduce((total, place) => total + f(place), 0);
  const [long, skew] = [moment(([x, y]) => x * x - y * y), 2 * moment(([x, y]) => x * y)];
  const size = moment(([x, y]) => x * x + y * y);
  // As wide as high: nothing says which way, so the first node that is not the middle goes on top.
  const first = centred.find(([x, y]) => x * x + y * y > size / count / 2) ?? [1, 0];
  const turn = Math.hypot(long, skew) < 0.12 * size
    ? -Math.PI / 2 - Math.atan2(first[1], first[0])
    : (width >= NARROW ? 0 : Math.PI / 2) - 0.5 * Math.atan2(skew, long);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  let turned = centred.map(([x, y]) => [x * cos - y * sin, x * sin + y * cos]);
  for (const axis of [0, 1]) {
    if (turned[0][axis] > 1e-3) turned = turned.map((place) => place.map((at, of) => (of === axis ? -at : at)));
  }
  const reach = (axis) => Math.max(...turned.map((place) => place[axis])) - Math.min(...turned.map((place) => place[axis]));
  for (const axis of [0, 1]) {
    // What is almost a line is one.
    if (reach(axis) < 0.12 * reach(1 - axis)) turned.forEach((place) => { place[axis] = 0; });
  }
  const edges = [0, 1].map((axis) => {
    const at = turned.map((place) => place[axis]);
    return [Math.min(...at), Math.max(...at)];
  });
  const pad = [0, 1].map((axis) => MARGIN + Math.max(...boxes.map((box) => box[axis])));
  const room = [width - 2 * pad[0], height - 2 * pad[1]];
  const scale = edges.map(([low, high], axis) => room[axis] / Math.max(high - low, 1e-3));
  const least = Math.min(...scale);
  const [sx, sy] = scale.map((of) => Math.min(of, least * 2, LONGEST));
  const middle = edges.map(([low, high]) => (low + high) / 2);
  return turned.map(([x, y]) => [width / 2 + (x - middle[0]) * sx, height / 2 + (y - middle[1]) * sy]);
};

// Boxes that overlap are pushed apart, along the shorter way.
const apart = (places, width, height, boxes) => {
  const gap = 10;
  for (let round = 0; round < 60; round += 1) {
    let moved = false;
    for (let a = 0; a < places.length; a += 1) {
      for (let b = a + 1; b < places.length; b += 1) {
        const d = [places[b][0] - places[a][0], places[b][1] - places[a][1]];
        const over = [0, 1].map((axis) => boxes[a][axis] + boxes[b][axis] + gap - Math.abs(d[axis]));
        if (over[0] <= 0 || over[1] <= 0) continue;
        const axis = over[0] < over[1] ? 0 : 1;
        const push = (d[axis] < 0 ? -1 : 1) * (over[axis] / 2 + 0.1);
        places[a][axis] -= push;
        places[b][axis] += push;
        moved = true;
      }
    }
    places.forEach((place, index) => {
      place[0] = Math.min(Math.max(place[0], boxes[index][0] + 4), width - boxes[index][0] - 4);
      place[1] = Math.min(Math.max(place[1], boxes[index][1] + 4), height - boxes[index][1] - 4);
    });
    if (!moved) break;
  }
  return places;
};
