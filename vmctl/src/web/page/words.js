// Numbers as people read them. Nothing here touches the page.

const three = (value) => {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const text = value.toFixed(Math.min(digits, 3));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
};

const scaled = (value, step, units) => {
  let index = 0;
  // What would be rounded up to the next unit is written in it.
  while (index < units.length - 1 && Math.abs(value) >= step * 0.9995) {
    value /= step;
    index += 1;
  }
  return `${three(value)} ${units[index]}`;
};

export const DASH = "–";

/** A span in nanoseconds. */
export const span = (ns) => (ns == null ? DASH : scaled(ns, 1000, ["ns", "µs", "ms", "s"]));

/** A difference in nanoseconds, with its sign. */
export const offset = (ns) => (ns === 0 ? "0" : `${ns > 0 ? "+" : "−"}${span(Math.abs(ns))}`);

/** Bits per second. */
export const rate = (bits) =>
  bits == null ? DASH : bits === 0 ? "0" : scaled(bits, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);

/** Bytes, in binary units. */
export const bytes = (count) => (count == null ? DASH : scaled(count, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]));

/** A share of one. */
export const share = (part) => (part == null ? DASH : part > 0 && part < 0.0001 ? "< 0.01 %" : `${three(part * 100)} %`);

/** A whole number, its digits in threes. */
export const count = (number) => (number == null ? DASH : String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, "\u202f"));

/** Seconds since virtual zero. */
export const clock = (seconds) => {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = (seconds % 60).toFixed(3);
  if (hours > 0) return `${hours}:${String(minutes).padStart(2, "0")}:${rest.padStart(6, "0")}`;
  if (minutes > 0) return `${minutes}:${rest.padStart(6, "0")}`;
  return `${rest} s`;
};

/** Virtual seconds for each of the host's. */
export const ratio = (value) => (value == null || !Number.isFinite(value) ? DASH : value.toFixed(value < 10 ? 3 : 1));

/** Drops by reason, as a person says them. */
export const reasons = (dropped) => {
  const parts = Object.entries(dropped).filter(([, number]) => number > 0);
  return parts.map(([reason, number]) => `${count(number)} ${reason.replaceAll("_", " ")}`).join(", ");
};
