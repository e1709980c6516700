// What every view uses: the state and its link, questions to the server, and small helpers. No view is known here.

export const state = {};
const starts = {};
const listeners = new Set();

export const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
};

/** Set fields of the state, put them into the link, and let everyone know which. */
export function change(fields, from = null) {
  const changed = Object.entries(fields).filter(([name, value]) => state[name] !== value).map(([name]) => name);
  Object.assign(state, fields);
  if (!changed.length) return;
  history.replaceState(null, "", `${location.pathname}${query() ? "?" + query() : ""}`);
  listeners.forEach((listener) => listener(changed, from));
}

export const onChange = (listener) => listeners.add(listener);

/** The query that says every field which differs from what the page starts with. */
export function query(fields = {}) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...state, ...fields })) {
    if (value === starts[name]) continue;
    if (Array.isArray(starts[name]) || name === "concepts_from" || name === "lora") {
      String(value).split("|").filter(Boolean).forEach((part) => pairs.append(name, part));
    } else pairs.append(name, value);
  }
  return pairs.toString();
}

/** Take the defaults of the page and what its link says. */
export function begin(defaults) {
  for (const [name, value] of Object.entries(defaults)) {
    starts[name] = value === null ? "" : Array.isArray(value) ? value.join("|") : String(value);
    state[name] = starts[name];
  }
  const unknown = [];
  const given = {};
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (!(name in starts)) unknown.push(name);
    else given[name] = given[name] === undefined || !["concepts_from", "lora"].includes(name) ? value : `${given[name]}|${value}`;
  }
  Object.assign(state, given);
  return unknown;
}

export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return read(await fetch(`api/${path}`, options).catch(() => null));
}

async function read(answer) {
  if (answer === null) throw new Error("The page cannot reach heedful. Is it still running in the terminal?");
  const said = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
  if (!answer.ok) throw new Error(said.error || `The server answered ${answer.status}.`);
  return said;
}

/** Yield the news of a run while they come. */
export async function* news(path, body) {
  const options = { method: "POST" };
  if (body instanceof FormData) options.body = body;
  else Object.assign(options, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const answer = await fetch(`api/${path}`, options).catch(() => null);
  if (answer === null || !answer.ok) await read(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}

/** A run behind the button of a view: its progress, its stop, and its errors in words. */
export function runner(view, run) {
  const form = view.querySelector("form");
  const [go, stop] = [form.querySelector(".primary"), form.querySelector(".stop")];
  const [bar, status] = [form.querySelector(".progress"), form.querySelector(".status")];
  const key = `${view.id} ${crypto.randomUUID()}`;
  const say = (text, bad = false) => { status.textContent = text; status.classList.toggle("bad", bad); };
  const progress = (share) => { bar.hidden = share === null; bar.firstElementChild.value = share ?? 0; };
  const handlers = {
    waiting: (it) => say(it.before === 1 ? "Waiting: the model is opening, or busy with another run." : `Waiting for ${it.before} other runs.`),
    opening: (it) => say(`Opening the model ${it.model} …`),
  };
  const start = async () => {
    if (go.disabled) return;
    go.disabled = true; stop.hidden = false; progress(0); say("Starting …");
    let end = null;
    try {
      for await (const it of run(key, say, progress)) {
        if (["done", "failed", "stopped"].includes(it.kind)) end = it;
        else handlers[it.kind]?.(it);
      }
      if (end === null) say("The run ended early. Is heedful still running in the terminal?", true);
      else if (end.kind === "failed") say(end.says, true);
      else if (end.kind === "stopped") say(end.says || "Stopped. Nothing is left of this run.");
      else if (end.says) say(end.says);
    } catch (error) { say(error.message, true); }
    go.disabled = false; stop.hidden = true; progress(null);
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); start(); });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); start(); }
  });
  stop.addEventListener("click", () => { say("Stopping after this step …"); ask("stop", { key }).catch((error) => say(error.message, true)); });
  return start;
}

export const notes = (view, texts) =>
  view.querySelector(".notes").replaceChildren(...texts.map((text) => make("p", { class: "note" }, text)));

export function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Puts new words in the place of old ones; an answer that comes late must not take the place from somebody who tabs.
export function redraw(words, children) {
  const where = [...words.querySelectorAll("button")].indexOf(document.activeElement);
  words.replaceChildren(...children);
  words.querySelectorAll("button")[where]?.focus();
}
