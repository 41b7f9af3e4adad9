// Everything a page can do beyond being read. Without this, every page still shows what it holds.

import "./actions.js";
import "./keys.js";
import "./live.js";

document.documentElement.classList.add("scripted");

// On a phone the row of pages is longer than the screen.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

document.getElementById("theme")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const shown = root.dataset.theme || (dark ? "dark" : "light");
  const next = shown === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  // A cookie, so that the next page comes in the right colours.
  document.cookie = `lsm_theme=${next}; path=/; max-age=31536000; samesite=strict`;
});

// The zone of the person in front of the screen, where one is asked for.
document.querySelectorAll("[data-zone]").forEach((field) => {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || field.value;
});
