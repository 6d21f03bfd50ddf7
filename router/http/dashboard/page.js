// Small things that every part of the page uses: elements, numbers, and requests with the token that is in memory.

let token = "";

export function logIn(text) { token = text.trim(); }
export const isLoggedIn = () => token !== "";
export const byId = id => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An answer that is no success. */
export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

/** The response of a request to this router. Throws Refused, or TypeError where nobody answers. */
export async function ask(path, { also = [], ...options } = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.ok || also.includes(answer.status)) return answer;
  let message = `${answer.status} ${answer.statusText}`;
  try { message = (await answer.json()).message || message; } catch { /* the status is all there is */ }
  throw new Refused(answer.status, message);
}

export const askJson = async (path, options) => (await ask(path, options)).json();

const whole = new Intl.NumberFormat("en");
export function amount(value) {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return whole.format(Math.abs(value) >= 100 || Number.isInteger(value) ? Math.round(value) : Number(value.toFixed(value < 1 ? 2 : 1)));
}
export function bytes(value) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${amount(Number(value.toFixed(1)))} ${unit}`;
    value /= 1024;
  }
  return `${amount(value)} TiB`;
}
export function ago(milliseconds) {
  const seconds = Math.max(0, Math.round((Date.now() - milliseconds) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} d ago`;
}
export const sign = state => element("span", { class: state === "running" ? "good" : state === "failed" ? "bad" : "warn" }, state);
