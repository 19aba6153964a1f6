"use strict";

// Draws the dashboard from window.SALES (see sales.js): key figures, charts as inline SVG, and a table.

const money = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const count = new Intl.NumberFormat("en");
const FILTERS = ["region", "product", "channel"];

const byId = (id) => document.getElementById(id);
const sum = (rows, field) => rows.reduce((total, row) => total + row[field], 0);
const unique = (rows, field) => [...new Set(rows.map((row) => row[field]))];

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function shape(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function drawing(width, height, label) {
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

function groups(rows, field) {
  return unique(rows, field)
    .map((name) => ({ name, revenue: sum(rows.filter((row) => row[field] === name), "revenue") }))
    .sort((one, two) => two.revenue - one.revenue);
}

function monthName(month) {
  const [year, number] = month.split("-").map(Number);
  return new Date(year, number - 1, 1).toLocaleDateString("en", { month: "short", year: "2-digit" });
}

function drawFigures(rows) {
  const months = unique(rows, "month").sort();
  const revenue = sum(rows, "revenue");
  const units = sum(rows, "units");
  const of = (month) => sum(rows.filter((row) => row.month === month), "revenue");
  const last = of(months.at(-1));
  const before = of(months.at(-2));
  const change = before ? (last - before) / before : 0;
  const best = groups(rows, "product")[0];
  const shown = [
    ["Revenue", money.format(revenue), `over ${months.length} months`],
    ["Units sold", count.format(units), `${money.format(units ? revenue / units : 0)} each`],
    ["Latest month", money.format(last), `${change >= 0 ? "▲" : "▼"} ${Math.abs(change * 100).toFixed(1)} % on the month before`],
    ["Top product", best ? best.name : "–", best ? `${((best.revenue / revenue) * 100).toFixed(0)} % of revenue` : ""],
  ];
  byId("figures").replaceChildren(
    ...shown.map(([title, value, note], index) => {
      const card = element("article", { class: "figure" });
      card.append(element("h2", {}, title), element("strong", {}, value));
      card.append(element("span", index === 2 ? { class: change >= 0 ? "up" : "down" } : {}, note));
      return card;
    }),
  );
}

function drawTrend(rows) {
  const points = groups(rows, "month").sort((one, two) => one.name.localeCompare(two.name));
  const [width, height, left, bottom, top] = [1100, 300, 58, 30, 12];
  const svg = drawing(width, height, "Revenue by month");
  const highest = Math.max(...points.map((point) => point.revenue), 1);
  const power = 10 ** Math.floor(Math.log10(highest / 4));
  const tick = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size * 4 >= highest);
  const most = tick * 4;
  const x = (index) => left + (index * (width - left - 16)) / Math.max(points.length - 1, 1);
  const y = (value) => top + (1 - value / most) * (height - bottom - top);
  for (let step = 0; step <= 4; step += 1) {
    const value = tick * step;
    svg.append(shape("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, compact.format(value)));
  }
  const line = points.map((point, index) => `${x(index)},${y(point.revenue)}`).join(" L");
  svg.append(shape("path", { class: "area", d: `M${x(0)},${y(0)} L${line} L${x(points.length - 1)},${y(0)} Z` }));
  svg.append(shape("path", { class: "curve", d: `M${line}` }));
  const every = Math.ceil(points.length / 12);
  points.forEach((point, index) => {
    const dot = shape("circle", { class: "dot", cx: x(index), cy: y(point.revenue), r: 4.5 });
    dot.append(shape("title", {}, `${monthName(point.name)}: ${money.format(point.revenue)}`));
    svg.append(dot);
    if (index % every === 0) {
      svg.append(shape("text", { x: x(index), y: height - 8, "text-anchor": "middle" }, monthName(point.name)));
    }
  });
  byId("trend").replaceChildren(svg);
}

function drawBars(id, items, label) {
  const [width, row] = [340, 50];
  const svg = drawing(width, items.length * row, label);
  const most = Math.max(...items.map((item) => item.revenue), 1);
  items.forEach((item, index) => {
    const at = index * row;
    svg.append(shape("text", { x: 0, y: at + 13 }, item.name));
    svg.append(shape("text", { class: "value", x: width, y: at + 13, "text-anchor": "end" }, money.format(item.revenue)));
    svg.append(shape("rect", { class: "track", x: 0, y: at + 20, width, height: 12, rx: 6 }));
    svg.append(shape("rect", { class: "bar", x: 0, y: at + 20, width: (item.revenue / most) * width, height: 12, rx: 6 }));
  });
  byId(id).replaceChildren(svg);
}

function drawRing(items) {
  const svg = drawing(300, 190, "Revenue by channel");
  const total = items.reduce((all, item) => all + item.revenue, 0) || 1;
  const [radius, round] = [58, 2 * Math.PI * 58];
  let start = 0;
  items.forEach((item, index) => {
    const share = item.revenue / total;
    const ring = shape("circle", {
      cx: 80, cy: 90, r: radius, fill: "none", "stroke-width": 26,
      stroke: "var(--primary)", "stroke-opacity": Math.max(1 - index * 0.32, 0.2),
      "stroke-dasharray": `${Math.max(share * round - 2, 0)} ${round}`,
      transform: `rotate(${start * 360 - 90} 80 90)`,
    });
    ring.append(shape("title", {}, `${item.name}: ${money.format(item.revenue)}`));
    svg.append(ring);
    const at = 52 + index * 34;
    svg.append(shape("circle", { cx: 178, cy: at - 4, r: 6, fill: "var(--primary)", "fill-opacity": Math.max(1 - index * 0.32, 0.2) }));
    svg.append(shape("text", { x: 192, y: at }, item.name));
    svg.append(shape("text", { class: "value", x: 192, y: at + 15 }, `${(share * 100).toFixed(1)} %`));
    start += share;
  });
  svg.append(shape("text", { class: "value", x: 80, y: 94, "text-anchor": "middle" }, `$${compact.format(total)}`));
  byId("channels").replaceChildren(svg);
}

function drawBest(rows) {
  const table = byId("best");
  const head = element("tr");
  for (const [name, kind] of [["Product", ""], ["Region", ""], ["Channel", ""], ["Units", "number"], ["Revenue", "number"]]) {
    head.append(element("th", { class: kind, scope: "col" }, name));
  }
  const totals = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.product, row.region, row.channel]);
    const found = totals.get(key) ?? { ...row, units: 0, revenue: 0 };
    found.units += row.units;
    found.revenue += row.revenue;
    totals.set(key, found);
  }
  const body = element("tbody");
  for (const row of [...totals.values()].sort((one, two) => two.revenue - one.revenue).slice(0, 8)) {
    const line = element("tr");
    line.append(element("td", {}, row.product), element("td", {}, row.region), element("td", {}, row.channel));
    line.append(element("td", { class: "number" }, count.format(row.units)));
    line.append(element("td", { class: "number" }, money.format(row.revenue)));
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  table.replaceChildren(top, body);
}

function draw() {
  const rows = window.SALES.filter((row) =>
    FILTERS.every((field) => !byId(field).value || row[field] === byId(field).value),
  );
  drawFigures(rows);
  drawTrend(rows);
  drawBars("regions", groups(rows, "region"), "Revenue by region");
  drawBars("products", groups(rows, "product"), "Revenue by product");
  drawRing(groups(rows, "channel"));
  drawBest(rows);
}

function start() {
  if (!Array.isArray(window.SALES) || !window.SALES.length) {
    byId("problem").hidden = false;
    byId("problem").textContent = window.SALES?.error ?? "There are no sales figures in data/sales.csv.";
    return;
  }
  const months = unique(window.SALES, "month").sort();
  byId("period").textContent = `${monthName(months[0])} – ${monthName(months.at(-1))}`;
  for (const field of FILTERS) {
    byId(field).append(element("option", { value: "" }, "All"));
    for (const value of unique(window.SALES, field).sort()) byId(field).append(element("option", { value }, value));
    byId(field).addEventListener("change", draw);
  }
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("form").addEventListener("reset", () => setTimeout(draw));
  draw();
}

start();
