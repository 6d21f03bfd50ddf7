// Flag changes, each with what it did: the shares of its variations in the ten minutes before and after.

import { amount, ask, byId, drawn, element, Refused } from "./page.js";

const say = text => { byId("changes-state").textContent = text; };

function bars(before, after) {
  const picture = drawn("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(drawn("rect", { class: "bar-before", x: 0, y: 1, height: 8, width: Math.max(0.4, 100 * before) }),
    drawn("rect", { class: "bar-after", x: 0, y: 11, height: 8, width: Math.max(0.4, 100 * after) }));
  return picture;
}

function picture(variations) {
  const total = side => variations.reduce((sum, one) => sum + (one[side] || 0), 0) || 1;
  const [before, after] = [total("before"), total("after")];
  const percent = value => `${(100 * value).toFixed(0)} %`;
  const rows = variations.map(one => element("tr", {},
    element("th", { scope: "row" }, typeof one.value === "string" ? one.value : JSON.stringify(one.value ?? null)),
    element("td", { class: "number" }, `${amount(one.before)} (${percent(one.before / before)})`),
    element("td", { class: "number" }, `${amount(one.after)} (${percent(one.after / after)})`),
    element("td", {}, bars(one.before / before, one.after / after))));
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {},
    element("th", { scope: "col" }, "Variation"), element("th", { scope: "col", class: "number" }, "Before"),
    element("th", { scope: "col", class: "number" }, "After"), element("th", { scope: "col" }, "Share, before above after"))),
    element("tbody", {}, ...rows)));
}

function change(item) {
  const impact = item.impact || {};
  const variations = impact.evaluationsSummary?.variations || [];
  const size = impact.size ? `Impact ${impact.size}${impact.percentage === undefined ? "" : `, ${impact.percentage.toFixed(1)} %`}.` : "Impact not known yet.";
  const open = impact.complete === false ? " The ten minutes after it are not over." : "";
  return element("article", { class: "change" }, element("h3", {}, item.flagKey),
    element("p", {}, element("time", { datetime: new Date(item.eventTime).toISOString() }, new Date(item.eventTime).toLocaleString()),
      ` · ${item.description || item.eventType}`),
    element("p", { class: "quiet" }, size + open),
    variations.length ? picture(variations) : element("p", { class: "quiet" }, "No evaluation was seen around it."));
}

export async function showChanges() {
  if (document.body.dataset.insights !== "yes") { say("This router has no insights."); return; }
  const [project, environment] = byId("changes-environment").value.split("/");
  const query = new URLSearchParams({ projectKey: project, environmentKey: environment, limit: "20" });
  if (byId("changes-flag").value.trim()) query.set("query", byId("changes-flag").value.trim());
  try {
    const found = await (await ask(`api/v2/engineering-insights/flag-events?${query}`)).json();
    byId("change-items").replaceChildren(...found.items.map(change));
    say(found.items.length ? `${found.totalCount} changes in the last seven days.` : "No change in the last seven days.");
  } catch (error) {
    byId("change-items").replaceChildren();
    say(error instanceof Refused ? `Flag changes cannot be shown: ${error.message}.` : "The router does not answer.");
  }
}
