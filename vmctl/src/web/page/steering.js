// What the page may change, if the lab's owner wants that: with the key that came in the address.
// The part behind # is sent to nobody; it is kept for this tab and taken out of the address.

const KEY = "chronotap-token";
const $ = (id) => document.getElementById(id);

const takeKey = () => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY);
};

const nanoseconds = (text) => {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s)\s*$/.exec(text) ?? [];
  if (!unit) return null;
  const scale = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9 }[unit];
  return Math.round(Number(number) * scale);
};

export class Steering {
  /** `say(text)` tells the user what went wrong; `look()` looks at the lab again. */
  constructor(say, look) {
    this.key = takeKey();
    this.say = say;
    this.look = look;
    window.addEventListener("hashchange", () => {
      this.key = takeKey();
      look();
    });
    $("pause").addEventListener("click", () => this.ask("POST", this.held ? "/v1/resume" : "/v1/pause"));
    $("steering").addEventListener("submit", (event) => {
      event.preventDefault();
      const span = nanoseconds($("span").value);
      if (!span) return this.say(`“${$("span").value}” is no span of time, as in 10ms`);
      this.ask("POST", "/v1/advance", { virtual_ns: span });
    });
    $("change").addEventListener("submit", (event) => {
      event.preventDefault();
      const fields = new FormData($("change"));
      const set = ["delay", "rate", "loss"].map((key) => [key, fields.get(key).trim()]).filter(([, value]) => value);
      if (set.length) this.change({ set: Object.fromEntries(set), direction: fields.get("direction") });
    });
    $("cable").addEventListener("click", () => this.change({ set: { up: String(this.down) } }));
    $("restore").addEventListener("click", () => this.change({ reset: [] }));
  }

  /** Shows what may be done, given what there is. */
  show(status, chosen) {
    const may = Boolean(status.lab.web_control && this.key);
    const link = chosen?.kind === "link" ? status.links.find(({ name }) => name === chosen.name) : undefined;
    this.held = status.state === "paused";
    $("steering").hidden = !may;
    $("change").hidden = !may || !link;
    $("pause").textContent = this.held ? "Resume" : "Pause";
    if (!link) return;
    if (this.link !== link.name) {
      this.link = link.name;
      $("change").reset();
      const ways = $("change").elements.direction.options;
      ways[1].textContent = `from ${link.forward.from}`;
      ways[2].textContent = `from ${link.backward.from}`;
    }
    this.down = !link.forward.up || !link.backward.up;
    $("cable").textContent = this.down ? "Plug it in" : "Pull the cable";
  }

  change(change) {
    return this.ask("PATCH", `/v1/links/${encodeURIComponent(this.link)}`, change);
  }

  async ask(method, path, body) {
    const headers = { "chronotap-token": this.key, ...(body && { "content-type": "application/json" }) };
    try {
      const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      if (answer.ok) {
        this.say("");
        if (method === "PATCH") $("change").reset();
      } else {
        const { message, remedy } = await answer.json();
        this.say([message, remedy].filter(Boolean).join("; "));
      }
    } catch {
      this.say("no answer from the lab; what was asked for may happen all the same");
    }
    this.look();
  }
}
