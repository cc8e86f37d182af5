"use strict";

// Keeps figures fresh, asks before what cannot be undone, and helps to fill in forms.
// Every page does without.

const live = "[data-live]";

// refresh replaces the parts of the page that change by themselves, unless somebody is
// busy in them.
async function refresh(from) {
  const answer = await fetch(from, { headers: { "X-Refresh": "1" }, redirect: "error" });
  if (answer.status === 401) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll(live)) {
    const fresh = page.getElementById(old.id);
    const busy = old.contains(document.activeElement) || selected(old);
    if (fresh && !busy && fresh.innerHTML !== old.innerHTML) old.replaceWith(fresh);
  }
  draw();
  document.getElementById("when").textContent = "Refreshed " + new Date().toLocaleTimeString();
}

// What charts show is what this tab has seen, for a while.
const span = 5 * 60 * 1000;

function draw() {
  for (const from of document.querySelectorAll("[data-series]")) {
    const chart = document.getElementById(from.dataset.chart);
    const key = "chart " + location.pathname + location.search + " " + chart.id;
    const now = Date.now();
    let seen = [];
    try {
      seen = JSON.parse(sessionStorage.getItem(key)) ?? [];
    } catch { /* nothing was seen */ }
    seen = seen.filter((s) => s.at > now - span && s.at < now);
    seen.push({ at: now, values: JSON.parse(from.dataset.series) });
    try {
      sessionStorage.setItem(key, JSON.stringify(seen));
    } catch { /* then it is not kept */ }
    plot(chart, seen, now);
  }
}

const width = 600;
const height = 130;

function plot(chart, seen, now) {
  const names = seen.at(-1).values.map((v) => v[0]);
  chart.hidden = names.length === 0;
  const most = nice(Math.max(1, ...seen.flatMap((s) => s.values.map((v) => v[1]))));
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", chart.querySelector("figcaption").textContent + ": " +
    seen.at(-1).values.map((v) => v.join(" ")).join(", "));
  for (const part of [0, 0.5, 1]) {
    const y = height - part * height;
    svg.append(element("line", { x1: 0, x2: width, y1: y, y2: y, class: "grid" }));
  }
  names.forEach((name, i) => {
    const points = seen.map((s) => [s.at, (s.values.find((v) => v[0] === name) ?? [0, 0])[1]]);
    if (points.length === 1) points.unshift([now - 5000, points[0][1]]);
    svg.append(element("polyline", {
      class: "s" + i, "vector-effect": "non-scaling-stroke",
      points: points.map(([at, n]) => `${((at - now) / span + 1) * width},${height - (n / most) * height}`)
        .join(" "),
    }));
  });
  const legend = document.createElement("ul");
  names.forEach((name, i) => {
    const item = document.createElement("li");
    item.className = "s" + i;
    item.textContent = name;
    legend.append(item);
  });
  const top = document.createElement("span");
  top.className = "top";
  top.textContent = most.toLocaleString("en");
  const range = document.createElement("span");
  range.className = "range";
  range.textContent = "last 5 minutes in this tab";
  chart.replaceChildren(chart.querySelector("figcaption"), top, svg, range, legend);
}

function element(name, attributes) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
}

// nice rounds up to 1, 2 or 5 times a power of ten.
function nice(n) {
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= n);
}

function selected(part) {
  const s = document.getSelection();
  return s && !s.isCollapsed && part.contains(s.anchorNode);
}

function keepFresh() {
  const from = document.body.dataset.refresh;
  const every = document.getElementById("every");
  if (!from || !every || !document.querySelector(live + ":not(#state)")) return;
  document.getElementById("fresh").hidden = false;
  every.value = localStorage.getItem("every") ?? "5";
  if (every.selectedIndex < 0) every.value = "5";
  let timer = 0;
  let took = 0;
  const next = () => {
    clearTimeout(timer);
    const seconds = Number(every.value);
    // A broker that needs long for the page is asked less often.
    if (seconds > 0) timer = setTimeout(look, Math.max(seconds * 1000, took * 10));
  };
  const look = async () => {
    const began = performance.now();
    if (!document.hidden) {
      try {
        await refresh(from);
      } catch {
        document.getElementById("when").textContent = "The broker does not answer.";
      }
    }
    took = performance.now() - began;
    next();
  };
  every.addEventListener("change", () => {
    localStorage.setItem("every", every.value);
    next();
  });
  next();
}

document.addEventListener("submit", (e) => {
  const question = e.target.dataset.ask;
  if (question && !confirm(question)) e.preventDefault();
});

// hint writes the beginning of a line into the field that it is for.
document.addEventListener("click", (e) => {
  const hint = e.target.dataset && e.target.dataset.hint;
  if (hint === undefined) return;
  const field = document.getElementById(e.target.closest("[data-hints]").dataset.hints);
  const between = field.tagName === "TEXTAREA" ? "\n" : ", ";
  const gap = field.value === "" || field.value.endsWith(between) ? "" : between;
  field.value += gap + hint;
  field.focus();
});

for (const p of document.querySelectorAll("[data-hints]")) p.hidden = false;
for (const s of document.querySelectorAll(".filter select")) {
  s.addEventListener("change", () => s.form.requestSubmit());
}
if (location.pathname === "/login") sessionStorage.clear();
draw();
keepFresh();
