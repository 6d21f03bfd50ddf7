// Follows GET /events with fetch, so that the token goes in a header and stands in no URL.

import { ask, byId, element, Refused } from "./page.js";

const MOST = 200; // events that are shown; older ones leave
let stop = null;
let shown = 0;

function chosen() {
  const [project, environment] = byId("tail-environment").value.split("/");
  return { project, environment, kind: byId("tail-kind").value, flag: byId("tail-flag").value.trim(),
    text: byId("tail-text").value.trim().toLowerCase(), from: byId("tail-from").value };
}

/** Kind, name, flags and time of an event, in an envelope or as its SDK sent it. */
export function facts(event) {
  if (event.specversion) {
    const raw = event.data ?? {};
    return { kind: (event.type || "").replace(/^flags\./, ""), name: event.name || raw.kind || raw.eventName || "",
      subject: event.subject || "", time: event.time, raw, canonical: true };
  }
  const name = event.kind || event.eventName || "";
  const kind = { feature: "evaluation", debug: "evaluation", summary: "summary", identify: "identify", custom: "custom",
    "statsig::gate_exposure": "exposure", "statsig::config_exposure": "exposure" }[name] ||
    (name.startsWith("diagnostic") ? "diagnostic" : event.eventName ? "custom" : "other");
  const subject = event.key || event.metadata?.gate || event.metadata?.config || Object.keys(event.features || {}).join(", ");
  return { kind, name, subject, time: event.creationDate || event.endDate || event.time, raw: event, canonical: false };
}

function wanted(filter, found, line) {
  if (filter.text && !line.toLowerCase().includes(filter.text)) return false;
  if (filter.kind && found.kind !== filter.kind) return false;
  if (filter.flag && !found.canonical && !line.includes(JSON.stringify(filter.flag))) return false;
  return true;
}

function show(found, line, cursor) {
  const when = new Date(Number(found.time) || found.time || Date.now());
  const time = Number.isNaN(when.getTime()) ? "" : when.toISOString().slice(11, 23);
  const row = element("details", { "data-cursor": cursor }, element("summary", {},
    element("time", {}, time), element("span", { class: "kind" }, found.kind), `${found.name} ${found.subject}`));
  row.addEventListener("toggle", () => {
    if (row.open && !row.querySelector("pre")) row.append(element("pre", { tabindex: 0 }, JSON.stringify(found.raw, null, 1)));
  });
  const rows = byId("tail-rows");
  rows.prepend(row);
  while (rows.childElementCount > MOST) rows.lastElementChild.remove();
}

function say(text) { byId("tail-state").textContent = text; }

function take(message, filter) {
  if (message.event !== "message") {
    const data = message.data ? JSON.parse(message.data) : {};
    byId("tail-rows").prepend(element("p", { class: "warn" },
      message.event === "gap" ? `Gap: ${data.lost} events were lost to ${data.reason}.` : `The stream says: ${message.event}.`));
    return;
  }
  const found = facts(JSON.parse(message.data));
  if (!wanted(filter, found, message.data)) return;
  shown += 1;
  show(found, message.data, message.id);
  say(`Following; ${shown} shown.`);
}

async function read(answer, filter, state) {
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  let rest = "", message = { event: "message", data: null };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (message.data !== null) take({ ...message, id: state.last }, filter);
        message = { event: "message", data: null };
      } else if (line.startsWith("data:")) message.data = (message.data === null ? "" : message.data + "\n") + line.slice(5).replace(/^ /, "");
      else if (line.startsWith("id:")) state.last = line.slice(3).trim();
      else if (line.startsWith("event:")) message.event = line.slice(6).trim();
      else if (line.startsWith("retry:")) state.pause = Number(line.slice(6)) || state.pause;
    }
  }
}

export async function follow() {
  halt();
  const aborter = stop = new AbortController();
  const filter = chosen();
  const state = { last: "", pause: 1000 };
  byId("tail-rows").replaceChildren();
  byId("tail-start").textContent = "Follow anew";
  byId("tail-stop").disabled = false;
  shown = 0;
  while (!aborter.signal.aborted) {
    const query = new URLSearchParams({ project: filter.project, environment: filter.environment, from: filter.from, format: "cloudevents" });
    if (filter.kind) query.set("kind", filter.kind);
    if (filter.flag) query.set("flag", filter.flag);
    const headers = { Accept: "text/event-stream" };
    if (state.last) headers["Last-Event-ID"] = state.last;
    try {
      const answer = await ask(`events?${query}`, { headers, signal: aborter.signal });
      say(`Following; ${shown} shown.`);
      await read(answer, filter, state);
    } catch (error) {
      if (aborter.signal.aborted) return;
      say(error instanceof Refused ? `The stream was refused: ${error.message}.` : "The stream was cut; trying again.");
      if (error instanceof Refused && error.status < 500) return finish();
    }
    await new Promise(done => setTimeout(done, state.pause));
  }
}

function finish() {
  byId("tail-stop").disabled = true;
  byId("tail-start").textContent = "Follow";
}

export function halt(text = "Stopped.") {
  if (stop === null) return;
  stop.abort();
  stop = null;
  say(text);
  finish();
}
