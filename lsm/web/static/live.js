// What changes while one looks: results while one types, an ingest while it runs, a run until it ends.

import { load, refresh, say, take } from "./page.js";

const PAUSE = 140; // ms between the last letter and the question

function searching(form) {
  let timer, running, asked = location.search;
  const ask = async () => {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) fields.set(name, value);
    const address = `${form.getAttribute("action")}?${fields}`;
    if (address.endsWith(asked) && asked) return;
    asked = `?${fields}`;
    running?.abort();
    running = new AbortController();
    document.querySelector(form.dataset.live)?.classList.add("busy");
    try {
      const page = await load(address, running.signal);
      take(page, form.dataset.live);
      document.title = page.title;
      history.replaceState(null, "", address);
      const told = document.querySelector(`${form.dataset.live} [data-announce]`);
      if (told) say(told.textContent.trim(), { quietly: true });
    } catch (error) {
      if (error.name !== "AbortError") say(error.message);
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    ask();
  });
}

// The passages come at once. A model may think for a while: it is asked only by whoever presses a
// button, never by a visit, and takes the place of the passages when it has answered.
function asking(form) {
  const place = () => document.querySelector(form.dataset.ask);
  let latest = 0; // of several questions, only the last one is shown
  async function bring(address, body) {
    const mine = ++latest;
    place().setAttribute("aria-busy", "true");
    place().classList.add("busy");
    say(body ? "The model is reading the passages \u2026" : "Looking for passages \u2026");
    try {
      const page = await load(address, undefined, body);
      if (mine !== latest) return false;
      if (!take(page, form.dataset.ask)) throw new Error("That did not work; ask again.");
      document.title = page.title;
      const told = document.querySelector(`${form.dataset.ask} [data-announce]`);
      say(told ? told.textContent.trim() : "", { quietly: true });
      return true;
    } catch (error) {
      place().removeAttribute("aria-busy");
      place().classList.remove("busy");
      say(error.message);
      return false;
    }
  }
  const write = async () => {
    const q = new URLSearchParams(location.search).get("q");
    document.querySelector("[data-write]").disabled = true;
    if (!(await bring("/ask/written", { q }))) document.querySelector("[data-write]")?.removeAttribute("disabled");
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const address = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
    if (!(await bring(address))) return;
    history.pushState(null, "", address);
    if (document.querySelector("[data-write]")) await write();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-write]")) write();
  });
}

function reading(place) {
  const stage = place.querySelector("[data-stage]");
  const bar = place.querySelector("progress");
  const error = place.querySelector("[data-error]");
  const words = { scanning: "Looking", reading: "Reading", embedding: "Embedding again" };
  let was = null;
  const events = new EventSource("/library/progress");
  events.onmessage = async (event) => {
    const now = JSON.parse(event.data);
    const known = now.total ? ` of ${now.total.toLocaleString("en")}` : "";
    const far = now.done ? ` ${now.done.toLocaleString("en")}${known}` : "";
    const doing = !now.mine ? "Another process is reading:" : now.stopping ? "Stopping after what is at hand" : (words[now.stage] ?? "Beginning");
    stage.textContent = now.running ? `${doing}${far} …` : "Nothing is being read just now.";
    bar.hidden = !now.running;
    if (now.total) bar.value = now.done / now.total;
    else bar.removeAttribute("value");
    error.hidden = !now.error;
    error.textContent = now.error ?? "";
    place.querySelector('[data-act="ingest"]').hidden = now.running;
    place.querySelector('[data-act="stop-ingest"]').hidden = !now.running || !now.mine;
    if (was && !now.running) {
      say(now.error ? "It ended with an error." : "Everything is read.");
      await refresh("#library");
      await refresh("#numbers");
    }
    was = now.running;
  };
  // A browser opens few connections at once: one that nobody looks at is given back.
  addEventListener("pagehide", () => events.close());
}

function waiting(place) {
  const again = async () => {
    await refresh("#run");
    const next = document.querySelector("[data-refresh]");
    if (next) setTimeout(again, 1000 * next.dataset.refresh);
  };
  setTimeout(again, 1000 * place.dataset.refresh);
}

document.querySelectorAll("[data-live]").forEach(searching);
document.querySelectorAll("[data-ask]").forEach(asking);
addEventListener("popstate", () => location.reload());
document.querySelectorAll("[data-progress]").forEach(reading);
document.querySelectorAll("[data-refresh]").forEach(waiting);
