// The page's clock: asks the router every two seconds, and draws what has changed.

import { ago, amount, ask, askJson, bytes, byId, element, isLoggedIn, logIn, Refused, sign } from "./page.js";
import { most, parse, quantile, rate, sum } from "./metrics.js";
import { draw } from "./chart.js";
import { follow, halt } from "./tail.js";
import { showChanges } from "./changes.js";

const PERIOD = 2000, MINUTE = 60 * 1000, SPAN = 10 * MINUTE;
const operator = () => document.body.dataset.operator === "yes" || isLoggedIn();
const points = { events: [], posts: [], half: [], most: [], sync: [], out: [] };
let before = null, chosenActor = null, environments = "", timer = null;
let deaf = false; // the token may not read consumers: asked once

function complain(text) {
  byId("notice").hidden = !text;
  if (byId("notice").textContent !== text) byId("notice").textContent = text;
}

function tiles(reading, seconds) {
  const figures = [
    ["Events a second", seconds ? amount(rate(before, reading, "router_events_stored_total", seconds)) : "–"],
    ["Posts a second", seconds ? amount(rate(before, reading, "router_posts_total", seconds)) : "–"],
    ["Events stored", amount(sum(reading, "router_events_stored_total"))],
    ["Duplicates", amount(sum(reading, "router_events_duplicate_total"))],
    ["Set aside", amount(sum(reading, "router_events_set_aside_total"))],
    ["Refused", amount(sum(reading, "router_events_refused_total"))],
    ["Unaccounted", amount(sum(reading, "router_events_unaccounted"))],
    ["Streams", amount(sum(reading, "router_streams_open"))],
    ["Slowest behind", amount(most(reading, "router_stream_lag_events"))],
    ["Disk free", bytes(sum(reading, "router_storage_free_bytes"))],
  ];
  byId("tiles").replaceChildren(...figures.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function charts(reading, now) {
  const seconds = before ? (now - before.at) / 1000 : 0;
  if (seconds) {
    const old = before.reading;
    const milliseconds = part => { const found = quantile(old, reading, "router_post_seconds", part); return found === null ? null : found * 1000; };
    const sync = quantile(old, reading, "router_fsync_seconds", 0.99);
    const fresh = { events: rate(old, reading, "router_events_stored_total", seconds), posts: rate(old, reading, "router_posts_total", seconds),
      half: milliseconds(0.5), most: milliseconds(0.99), sync: sync === null ? null : sync * 1000, out: rate(old, reading, "router_stream_events_total", seconds) };
    for (const [name, value] of Object.entries(fresh)) {
      points[name].push([now, value]);
      while (points[name][0][0] < now - SPAN) points[name].shift();
    }
  }
  const begun = points.events[0]?.[0] ?? now;
  const span = [2, 5].map(minutes => minutes * MINUTE).find(one => now - begun < one) ?? SPAN;
  draw(byId("chart-rate"), [{ name: "events", points: points.events }, { name: "posts", points: points.posts }], span, now);
  draw(byId("chart-latency"), [{ name: "half within", points: points.half }, { name: "99 % within", points: points.most }], span, now);
  draw(byId("chart-sync"), [{ name: "99 % within", points: points.sync }], span, now);
  draw(byId("chart-out"), [{ name: "events", points: points.out }], span, now);
}

function showEnvironments(health, reading) {
  byId("environment-rows").replaceChildren(...health.environments.map(item => {
    const mine = { environment: item.environment };
    const forwards = (item.forwards || []).map(one => `${one.name}: ${one.state}, ${amount(one.lag)} behind`).join("; ");
    const cell = value => element("td", { class: "number" }, value === undefined ? "–" : amount(value));
    return element("tr", {}, element("th", { scope: "row" }, item.environment),
      element("td", {}, sign(item.state), item.fault ? ` ${item.fault}` : ""), cell(item.low), cell(item.head),
      element("td", { class: "number" }, bytes(sum(reading, "router_log_bytes", mine))),
      cell(sum(reading, "router_quarantine_items", mine)), element("td", {}, forwards));
  }));
  const names = health.environments.map(item => item.environment);
  if (names.join() !== environments) {
    environments = names.join();
    for (const id of ["tail-environment", "changes-environment"])
      byId(id).replaceChildren(...names.map(name => element("option", {}, name)));
  }
}

function branch(actor) {
  const queue = actor.mailbox ? `, ${actor.mailbox.depth} queued` : "";
  const restarts = actor.restarts ? `, ${actor.restarts} restarts` : "";
  const name = element("button", { type: "button", "data-actor": actor.name, "aria-pressed": String(actor.name === chosenActor),
    onclick: () => openActor(actor.name, true) }, actor.name, " ", sign(actor.state), element("span", { class: "quiet" }, queue + restarts));
  return element("li", {}, name, actor.children.length ? element("ul", {}, ...actor.children.map(branch)) : null);
}

function showActors(root) {
  const focused = document.activeElement?.dataset?.actor;
  byId("actor-tree").replaceChildren(element("ul", {}, branch(root)));
  if (focused) document.querySelector(`[data-actor="${CSS.escape(focused)}"]`)?.focus();
}

async function openActor(name, moved = false) {
  chosenActor = name;
  document.querySelectorAll("[data-actor]").forEach(one => one.setAttribute("aria-pressed", String(one.dataset.actor === name)));
  try { detail(await askJson(`health/actors/${name}`)); } catch (error) { complain(error.message); return; }
  if (moved && matchMedia("(max-width: 46rem)").matches) byId("actor-detail").focus();
}

function detail(actor) {
  const facts = [["State", sign(actor.state)], ["Since", ago(actor.since)], ["Latest progress", `${actor.progress_age.toFixed(1)} s ago`],
    ["Restarts", String(actor.restarts)], ["Waits for", actor.waiting_on || "nothing"]];
  if (actor.mailbox) facts.push(["Queue", `${actor.mailbox.depth} of ${amount(actor.mailbox.capacity)}, at most ${actor.mailbox.peak}`], ["Taken", amount(actor.processed)]);
  if (actor.last_error) facts.push(["Last error", `${actor.last_error.type}: ${actor.last_error.message}, ${ago(actor.last_error.at)}`]);
  const recent = actor.recent.map(one => element("li", {}, `${ago(one.at)}: ${one.status}${one.message ? `, ${one.message}` : ""}`));
  const restart = actor.name === "root" ? null : element("button", { type: "button", onclick: event => restartActor(actor.name, event.target) }, "Restart it");
  const held = document.activeElement?.closest?.("#actor-detail button") ? true : false;
  byId("actor-detail").replaceChildren(element("h3", {}, actor.name),
    element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    element("p", { class: "quiet" }, recent.length ? "How its latest incarnations ended:" : "It has not been restarted."),
    element("ol", {}, ...recent), ...(restart ? [restart] : []));
  if (held && restart) restart.focus();
}

async function restartActor(name, button) {
  if (!confirm(`Restart ${name}? What it has in hand is answered with "try again".`)) return;
  button.disabled = true;
  try { detail(await askJson(`health/actors/${name}/restart`, { method: "POST" })); }
  catch (error) { complain(error.message); button.disabled = false; }
}

/** Named consumers of all environments; empty without a token that may read them. */
async function consumers(health) {
  if (!isLoggedIn() || deaf) return [];
  const lists = await Promise.all(health.environments.slice(0, 20).map(async ({ environment: name }) => {
    const [project, environment] = name.split("/");
    try {
      const { items } = await askJson(`consumers?${new URLSearchParams({ project, environment })}`);
      return items.map(item => ({ ...item, environment: name }));
    } catch { deaf = true; return []; }
  }));
  return lists.flat();
}

function showStreams(found, named) {
  const rows = found.items.map(item => element("tr", {}, element("th", { scope: "row" }, item.environment),
    element("td", {}, item.consumer || `stream ${item.number}`), element("td", { class: "number" }, amount(item.lag)),
    element("td", { class: "number" }, amount(item.delivered)), element("td", { class: "number" }, amount(item.gaps)), element("td", {}, ago(item.since))));
  rows.push(...named.map(item => element("tr", {}, element("th", { scope: "row" }, item.environment),
    element("td", {}, `${item.name} (consumer)`), element("td", { class: "number" }, amount(item.lag)),
    element("td", { class: "number" }, "–"), element("td", { class: "number" }, "–"), element("td", {}, item.acked_at ? `acknowledged ${ago(item.acked_at)}` : "–"))));
  byId("stream-rows").replaceChildren(...(rows.length ? rows : [element("tr", {}, element("td", { colspan: 6, class: "quiet" }, "No stream is open."))]));
  byId("consumer-note").textContent = found.open > found.items.length ? `${found.open} streams are open; the oldest ${found.items.length} are listed.` : "";
}

async function look() {
  const [text, health, actors, streams] = await Promise.all([ask("metrics").then(answer => answer.text()),
    askJson("health", { also: [503] }), askJson("health/actors"), askJson("health/streams")]);
  const now = Date.now(), reading = parse(text);
  charts(reading, now);
  const seconds = before ? (now - before.at) / 1000 : 0;
  const kept = before; before = kept ? kept.reading : null; tiles(reading, seconds); before = { at: now, reading };
  showEnvironments(health, reading); showActors(actors); showStreams(streams, await consumers(health));
  if (chosenActor && !byId("actor-detail").contains(document.getSelection()?.anchorNode)) await openActor(chosenActor);
  const state = byId("state");
  state.className = `state ${health.ready ? "good" : "bad"}`;
  const line = health.ready ? `Ready, version ${health.version}` : `Not ready: ${health.reasons.join("; ")}`;
  if (state.textContent !== line) state.textContent = line;
  complain("");
}

async function beat() {
  clearTimeout(timer);
  if (operator()) {
    try { await look(); } catch (error) {
      byId("state").className = "state bad";
      byId("state").textContent = error instanceof Refused ? "Not allowed" : "No answer";
      complain(error instanceof Refused ? `${error.message}.` : "The router does not answer; asking again.");
      if (error instanceof Refused && error.status < 500) return logOut();
    }
  } else {
    byId("state").textContent = "Log in to see this router.";
  }
  timer = setTimeout(beat, document.hidden ? 5 * PERIOD : PERIOD);
}

function logOut() {
  logIn("");
  halt("Log in to follow events.");
  byId("login").hidden = false; byId("who").hidden = true; byId("change-items").replaceChildren();
  byId("changes-state").textContent = "Log in to see flag changes.";
}

byId("login").addEventListener("submit", async event => {
  event.preventDefault();
  logIn(byId("token").value);
  deaf = false;
  byId("token").value = "";
  byId("login").hidden = true; byId("who").hidden = false; byId("logout").focus();
  byId("tail-state").textContent = "Choose what to follow.";
  await beat();
  if (isLoggedIn()) await showChanges();
});
byId("logout").addEventListener("click", () => { logOut(); byId("token").focus(); beat(); });
byId("tail-form").addEventListener("submit", event => {
  event.preventDefault();
  if (isLoggedIn()) follow(); else { byId("tail-state").textContent = "Log in to follow events."; byId("token").focus(); }
});
byId("tail-stop").addEventListener("click", () => halt());
byId("changes-form").addEventListener("submit", event => {
  event.preventDefault();
  if (isLoggedIn()) showChanges(); else { byId("changes-state").textContent = "Log in to see flag changes."; byId("token").focus(); }
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) beat(); });
beat();
