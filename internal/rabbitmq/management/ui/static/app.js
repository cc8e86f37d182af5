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
  document.getElementById("when").textContent = "Refreshed " + new Date().toLocaleTimeString();
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
  const next = () => {
    clearTimeout(timer);
    const seconds = Number(every.value);
    if (seconds > 0) timer = setTimeout(look, seconds * 1000);
  };
  const look = async () => {
    if (!document.hidden) {
      try {
        await refresh(from);
      } catch {
        document.getElementById("when").textContent = "The broker does not answer.";
      }
    }
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
keepFresh();
