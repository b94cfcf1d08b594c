// Looks at the lab once a second, and shows what it sees. Nobody sees a page that is hidden: then it
// does not look.

import { Drawing } from "./drawing.js";
import { graph, rates } from "./network.js";
import { Panels } from "./panels.js";
import { Steering } from "./steering.js";

const EVERY = 1000;
const PATIENCE = 10_000;
// Longer than the daemon tells the same again.
const SOON = 300;

const notice = document.getElementById("notice");
let chosen = null;
let shown = null;
let timer = null;
let misses = 0;
let said = "";

const choose = (thing) => {
  chosen = chosen && thing && chosen.kind === thing.kind && chosen.name === thing.name ? null : thing;
  draw();
};

const say = (text) => {
  said = text;
  tell();
};

const tell = () => {
  const text = misses > 1 ? "The lab does not answer: it went down, or its host is busy. This page keeps asking." : said;
  notice.textContent = text;
  notice.hidden = !text;
  document.body.classList.toggle("stale", misses > 1);
};

const drawing = new Drawing(document.getElementById("drawing"), choose);
const panels = new Panels(choose);
const steering = new Steering(say, () => plan(SOON));

const draw = () => {
  if (!shown) return;
  const look = { ...shown, chosen };
  panels.show(look);
  steering.show(look.status, chosen);
  drawing.show(look.graph, look.status, look.rates, chosen);
};

const ask = async (path) => {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  // A seed may be beyond what a number holds here: its digits are kept.
  return JSON.parse(await answer.text(), (key, value, context) =>
    key === "seed" && context ? context.source : value,
  );
};

const look = async () => {
  timer = null;
  try {
    const [status, clock] = await Promise.all([ask("/v1/status"), ask("/v1/clock")]);
    misses = 0;
    const of = graph(status);
    const same = shown && shown.graph.shape === of.shape && shown.status.lab.daemon_pid === status.lab.daemon_pid;
    // Two looks at the same moment would show a network that stands still.
    const again = same && shown.status.time.wall_seconds === status.time.wall_seconds;
    shown = { status, clock, graph: of, rates: again ? shown.rates : rates(same ? shown.status : null, status) };
    draw();
  } catch (error) {
    // Bugs of ours are to be seen; a lab that does not answer is told of on the page.
    if (!(error instanceof TypeError || error.name === "TimeoutError" || /^\/v1/.test(error.message))) throw error;
    misses += 1;
  } finally {
    tell();
    plan(Math.min(EVERY * 2 ** Math.max(0, misses - 1), PATIENCE));
  }
};

const plan = (after) => {
  clearTimeout(timer);
  timer = document.hidden ? null : setTimeout(look, after);
};

document.addEventListener("visibilitychange", () => plan(0));
document.getElementById("close").addEventListener("click", () => choose(null));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen) choose(null);
});
new ResizeObserver(draw).observe(document.getElementById("stage"));
look();
