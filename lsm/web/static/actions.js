// Buttons and forms that change something: each is one POST of JSON, and then the page anew.

import { refresh, say } from "./page.js";

const LEFT_OUT = new Set(["act", "stay", "open", "item", "edit"]);

export async function send(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail || "That did not work.");
  return answer;
}

function given(element) {
  const body = {};
  for (const [name, value] of Object.entries(element.dataset)) {
    if (!LEFT_OUT.has(name)) body[name] = name === "version" ? Number(value) : value;
  }
  if (element instanceof HTMLFormElement) {
    const line = element.querySelector("[data-source-line]")?.value.trim();
    for (const field of element.elements) {
      if (!field.name || field.hasAttribute("data-source-line")) continue;
      body[field.name] = field.hasAttribute("data-number") ? Number(field.value) : field.value;
      if (field.hasAttribute("data-source-path") && line) body[field.name] += `#${line}`;
    }
  }
  return body;
}

// The nearest part of the page with a name is what is drawn anew afterwards.
function region(element) {
  const part = element.closest("#main > [id], #results");
  return part ? `#${part.id}` : "#main";
}

export async function act(element) {
  const buttons = element.matches("form") ? element.querySelectorAll("button") : [element];
  buttons.forEach((button) => (button.disabled = true));
  try {
    const done = await send(`/act/${element.dataset.act}`, given(element));
    say(done.said);
    const stays = "stay" in element.dataset;
    if (done.then && !stays && done.then !== location.pathname) location.assign(done.then);
    else if (element.closest("[data-progress]") || done.then === "/library") element.reset?.();
    else await redraw(element);
  } catch (error) {
    say(error.message);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

async function redraw(element) {
  const item = element.closest("[data-item]");
  const place = item ? [...document.querySelectorAll("[data-item]")].indexOf(item) : -1;
  await refresh(region(element));
  if (place >= 0) {
    // The next one has moved up into the place of the one that is decided.
    const items = document.querySelectorAll("[data-item]");
    const next = items[Math.min(place, items.length - 1)];
    (next?.querySelector("[data-open]") ?? next ?? document.getElementById("main")).focus();
  }
}

export function edit(inside) {
  const form = inside.querySelector("form.edit");
  if (!form) return;
  form.hidden = !form.hidden;
  const words = form.querySelector("textarea");
  if (form.hidden) return inside.focus?.();
  words.focus();
  words.setSelectionRange(words.value.length, words.value.length);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.hasAttribute("data-edit")) edit(button.closest("[data-item], header"));
  else if (button.dataset.act) act(button);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.act) {
    event.preventDefault();
    act(form);
  } else if (form.hasAttribute("data-sign-in")) {
    event.preventDefault();
    send("/sign-in", { key: form.elements.key.value }).then(
      (done) => location.assign(done.then),
      (error) => say(error.message),
    );
  }
});
