// "Copy as command", "Copy as Python" and "Copy link" of a view.
import { ask, make, query } from "./core.js";

/** What a view knows beyond the state: the file and the folder of its latest lesson. */
export const given = {};

export function copyBar(place, view) {
  const text = make("pre", { hidden: true, tabindex: "0" });
  const says = make("span", { class: "hint", role: "status", "aria-live": "polite" });

  async function copy(kind) {
    says.textContent = "…";
    try {
      const it = await ask("copies", { query: query({ view }), ...given[view] });
      const content = kind === "link" ? `${location.origin}${location.pathname}${it.link ? "?" + it.link : ""}` : it[kind];
      if (!content) { says.textContent = "Make one image first: only an open model says what it takes."; return; }
      text.hidden = false;
      text.textContent = content;
      await navigator.clipboard.writeText(content).then(() => { says.textContent = "Copied."; }, () => { says.textContent = "Select the text below to copy it."; });
    } catch (error) { says.textContent = error.message; }
  }

  const button = (kind, label) => make("button", { type: "button", class: "plain", "data-copies": kind, onclick: () => copy(kind) }, label);
  place.append(button("command", "Copy as command"), button("python", "Copy as Python"), button("link", "Copy link"), says, text);
}
