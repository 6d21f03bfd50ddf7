// Reads Prometheus' text format, and tells rates and quantiles from two readings of it.

const LINE = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)/i;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** name → [{labels, value}] */
export function parse(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const match = line[0] === "#" ? null : LINE.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, key, value] of (match[2] || "").matchAll(LABEL)) labels[key] = value.replace(/\\(["\\])/g, "$1");
    if (!found.has(match[1])) found.set(match[1], []);
    found.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return found;
}

const fits = (labels, wanted) => Object.entries(wanted).every(([key, value]) => labels[key] === value);

export function sum(reading, name, wanted = {}) {
  let total = 0;
  for (const { labels, value } of reading.get(name) || []) if (fits(labels, wanted)) total += value;
  return total;
}

export function most(reading, name) {
  return Math.max(0, ...(reading.get(name) || []).map(sample => sample.value));
}

/** By how much a counter grew a second; a restart of the router counts from zero. */
export function rate(before, now, name, seconds) {
  const grown = sum(now, name) - sum(before, name);
  return (grown < 0 ? sum(now, name) : grown) / seconds;
}

/** The time under which `part` of the observations between two readings were, in seconds; null where there were none. */
export function quantile(before, now, name, part) {
  const buckets = new Map();
  for (const [reading, factor] of [[now, 1], [before, -1]])
    for (const { labels, value } of reading.get(`${name}_bucket`) || []) {
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      buckets.set(bound, (buckets.get(bound) || 0) + factor * value);
    }
  const bounds = [...buckets.keys()].sort((one, other) => one - other);
  const total = buckets.get(Infinity) || 0;
  if (total <= 0) return null;
  let lower = 0, below = 0;
  for (const bound of bounds) {
    const count = buckets.get(bound);
    if (count >= part * total) {
      if (bound === Infinity) return lower;
      return lower + (bound - lower) * (count === below ? 1 : (part * total - below) / (count - below));
    }
    lower = bound; below = count;
  }
  return lower;
}
