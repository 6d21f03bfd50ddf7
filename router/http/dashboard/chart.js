// Lines over time, as SVG of our own, with the latest figures as text for those who cannot see them.

import { amount, drawn, element } from "./page.js";

const HEIGHT = 144, LEFT = 44, BOTTOM = 18;

function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map(step => step * power).find(step => step >= value);
}

/** series: [{name, points: [[time, value|null]]}], times in ms; span: ms that the chart shows. */
export function draw(figure, series, span, now) {
  const WIDTH = Math.max(200, figure.clientWidth); // in the page's own pixels, so that no letter is stretched
  const top = ceiling(Math.max(0, ...series.flatMap(one => one.points.map(([, value]) => value ?? 0))));
  const x = time => LEFT + (WIDTH - LEFT) * (1 - (now - time) / span);
  const y = value => 6 + (HEIGHT - BOTTOM - 6) * (1 - value / top);
  const latest = series.map(one => [one.name, one.points.at(-1)?.[1] ?? null]);
  const said = latest.map(([name, value]) => `${name} ${value === null ? "none" : amount(value)}`).join(", ");
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": `${figure.querySelector("figcaption").textContent}; now: ${said}` });
  for (const part of [0, 0.5, 1])
    picture.append(drawn("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y(top * part), y2: y(top * part) }),
      drawn("text", { x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" }, amount(top * part)));
  picture.append(drawn("text", { x: LEFT, y: HEIGHT - 3 }, `${Math.round(span / 60000)} min ago`),
    drawn("text", { x: WIDTH, y: HEIGHT - 3, "text-anchor": "end" }, "now"));
  series.forEach((one, index) => {
    let path = "", open = false;
    for (const [time, value] of one.points) {
      if (value === null) { open = false; continue; }
      path += `${open ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
      if (!open) path += "h0.1";
      open = true;
    }
    picture.append(drawn("path", { class: `series-${index}`, d: path }));
  });
  const legend = element("ul", { class: "legend" }, ...latest.map(([name, value], index) =>
    element("li", { class: `key-${index}` }, `${name} ${value === null ? "–" : amount(value)}`)));
  figure.querySelectorAll("svg, ul").forEach(old => old.remove());
  figure.append(picture, legend);
}
