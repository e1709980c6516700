// Puts the page together: fields bound to the state, views, theme.
import { ask, begin, change, make, notes, onChange, state } from "./core.js";
import { copyBar } from "./copies.js";
import { promptBox } from "./words.js";
import { steerView } from "./steer.js";
import { seeView } from "./see.js";
import { teachView } from "./teach.js";
import { compareView } from "./compare.js";

const views = Object.fromEntries([...document.querySelectorAll(".view")].map((view) => [view.id, view]));
const about = await ask("about");
const unknown = begin(about.defaults);

for (const select of document.querySelectorAll("[data-methods]")) {
  const first = { optional: ["", "nothing"], same: ["", "as in Steer"] }[select.dataset.methods];
  if (first) select.append(make("option", { value: first[0] }, first[1]));
  for (const it of about.methods) select.append(make("option", { value: it.name, title: it.says }, it.name === "none" ? "none (plain)" : it.name));
}
for (const select of document.querySelectorAll("[data-teachers]")) {
  for (const it of about.teachers) select.append(make("option", { value: it.name, title: it.says }, it.name));
}
document.querySelector("#schedulers").append(...about.schedulers.map((value) => make("option", { value })));
document.querySelector("#models").append(...about.models.map((it) => make("option", { value: it.name }, it.says)));
if (about.is_public) document.querySelectorAll(".local").forEach((element) => (element.hidden = true));

for (const input of document.querySelectorAll("[data-field]")) {
  const field = input.dataset.field;
  input.value = state[field];
  input.addEventListener("change", () => change({ [field]: input.value }, input));
  onChange((changed, from) => { if (changed.includes(field) && from !== input) input.value = state[field]; });
}
const usual = { steps: { world: "20", other: "50" }, guidance_scale: { world: "3", other: "7.5" }, batch_size: { world: "8", other: "1" } };
function placeholders() {
  const kind = !state.model || state.model.startsWith("world:") ? "world" : "other";
  for (const input of document.querySelectorAll("[data-usual]")) input.placeholder = usual[input.dataset.usual][kind];
}
placeholders();
const more = document.querySelector(".more");
const inside = [...more.querySelectorAll("[data-field]")].map((input) => input.dataset.field);
const unfold = () => { if (inside.some((field) => state[field] !== "" && state[field] !== "auto")) more.open = true; };
unfold();
onChange(unfold);

for (const [name, view] of Object.entries(views)) {
  view.querySelectorAll("[data-words]").forEach((place) => promptBox(place));
  view.querySelectorAll("[data-copy]").forEach((place) => copyBar(place, name));
}
const buttons = [...document.querySelectorAll("nav [data-view]")];
function show() {
  for (const [name, view] of Object.entries(views)) view.hidden = name !== state.view;
  for (const button of buttons) {
    if (button.dataset.view === state.view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  document.title = `${buttons.find((button) => button.dataset.view === state.view)?.textContent ?? ""} · heedful`;
}
buttons.forEach((button) => button.addEventListener("click", () => change({ view: button.dataset.view })));
onChange((changed) => { if (changed.includes("view")) { show(); scrollTo(0, 0); } if (changed.includes("model")) placeholders(); });
if (!(state.view in views)) state.view = "steer";

const root = document.documentElement;
const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
try { if (localStorage.theme) root.dataset.theme = localStorage.theme; } catch { /* a browser that keeps nothing */ }
document.querySelector("#theme").addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  try { localStorage.theme = root.dataset.theme; } catch { /* the same */ }
});

steerView(views.steer);
seeView(views.see);
teachView(views.teach, about);
compareView(views.compare);
show();
if (unknown.length) notes(views[state.view], [`The link says ${unknown.join(", ")}, which this page does not know; the rest was read.`]);
root.dataset.ready = "yes";
