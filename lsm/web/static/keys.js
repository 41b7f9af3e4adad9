// The keyboard. Nothing is taken from a field, or from a key that is held with another.

import { act, edit } from "./actions.js";

let going = 0; // until when a letter after "g" counts

const items = () => [...document.querySelectorAll("#main [data-item]")].filter((each) => each.checkVisibility());
const current = () => document.activeElement?.closest?.("[data-item]");

function move(step) {
  const all = items();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  // In a queue the whole entry is taken hold of; elsewhere what it leads to.
  const target = next.matches("[tabindex]") ? next : (next.querySelector("[data-open]") ?? next);
  if (!target.matches("a, button, [tabindex]")) target.tabIndex = -1;
  target.focus();
  next.scrollIntoView({ block: "nearest" });
}

function review(key) {
  const entry = current() ?? items()[0];
  if (!entry || !document.querySelector("[data-review]")) return false;
  if (key === "e") edit(entry);
  else act(entry.querySelector(`button[data-act="${key === "p" ? "promote" : "reject"}"]`));
  return true;
}

function pressed(key) {
  if (performance.now() < going) {
    going = 0;
    const link = document.querySelector(`nav [data-go="${CSS.escape(key)}"]`);
    if (link) return link.click(), true;
    return false;
  }
  switch (key) {
    case "/": {
      const field = document.querySelector("[data-slash]");
      if (!field) return location.assign("/"), true;
      return field.focus(), field.select(), true;
    }
    case "j": return move(1), true;
    case "k": return move(-1), true;
    case "g": return (going = performance.now() + 1500), true;
    case "?": return document.getElementById("help")?.showModal(), true;
    case "p": case "e": case "r": return review(key);
  }
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const field = event.target.closest?.("input, textarea, select");
  if (field) {
    if (event.key === "Escape") field.blur();
    else if (event.key === "ArrowDown" && field.matches("[data-slash]")) event.preventDefault(), move(1);
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  if (pressed(event.key)) event.preventDefault();
});

document.getElementById("help-button")?.addEventListener("click", () => document.getElementById("help").showModal());
