// Teach: drop an image, click its things, watch what is learnt, and take the new words to Steer.
import { ask, change, make, news, notes, onChange, query, redraw, runner, state } from "./core.js";
import { given } from "./copies.js";

const PARTS = { loss: "all together", denoising: "denoising", prior: "what it knew before", maps: "attention" };

export function teachView(view) {
  const drop = view.querySelector(".drop"), input = drop.querySelector("input"), shown = drop.querySelector("img");
  const chart = view.querySelector(".chart"), sheets = view.querySelector(".sheets");
  let image = null;
  let losses = [];

  function take(file) {
    if (!file) return;
    image = file;
    shown.src = URL.createObjectURL(file);
    shown.hidden = false;
    shown.alt = "The image to learn from";
    shown.onload = () => shown.classList.toggle("small", shown.naturalWidth <= 128);
    shown.onerror = () => { shown.hidden = true; };
    drop.querySelector("span").textContent = file.name;
  }
  drop.addEventListener("click", (event) => { if (event.target !== input) input.click(); });
  drop.addEventListener("keydown", (event) => { if (["Enter", " "].includes(event.key)) { event.preventDefault(); input.click(); } });
  input.addEventListener("change", () => take(input.files[0]));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files[0]); });

  async function offer() {
    const place = view.querySelector(".examples");
    if (place.childElementCount) return;
    place.append(make("span", {}, "Or try:"));
    try {
      for (const it of (await ask("examples")).slice(0, 6)) {
        place.append(make("button", { type: "button", title: it.prompt, onclick: async () => {
          const blob = await (await fetch(it.image)).blob();
          take(new File([blob], `${it.name}.png`, { type: blob.type }));
          change({ lesson: it.prompt });
        } }, make("img", { src: it.image, alt: it.name })));
      }
    } catch (error) { place.replaceChildren(make("span", {}, error.message)); }
  }
  const opened = () => { if (state.view === "teach") offer(); };
  onChange(opened);
  opened();
  lessonBox(view.querySelector(".lesson"));

  async function* run(key, say, progress) {
    if (image === null) throw new Error("Drop an image first, or take one of the examples.");
    const body = new FormData();
    body.append("query", query({ view: "teach" }));
    body.append("key", key);
    body.append("image", image);
    losses = [];
    notes(view, []);
    let kept = null;
    for await (const it of news("teach", body)) {
      if (it.kind === "image") given.teach = { ...given.teach, image: it.file };
      if (it.kind === "lesson") {
        given.teach = { ...given.teach, out: it.out };
        sheets.replaceChildren(); chart.hidden = true;
        say(it.kept ? `Going on from step ${it.kept} …` : "Beginning …");
      }
      if (it.kind === "class images") { progress(it.done); say(`Images of what it knows already: ${it.made} of ${it.of}`); }
      if (it.kind === "progress") { progress(it.done); say(`step ${it.step} of ${it.of} · loss ${it.losses.loss.toFixed(3)}`); losses.push(it); later(); }
      if (it.kind === "sheet") sheet(it);
      if (it.kind === "kept") kept = it.says;
      if (it.kind === "stopped") it.says = kept ?? "Stopped before the first step.";
      if (it.kind === "done") { it.says = "Learnt."; done(it); }
      yield it;
    }
  }

  let waits = false;
  const later = () => { if (!waits) { waits = true; setTimeout(() => { waits = false; draw(); }, 150); } };
  function draw() {
    const parts = Object.keys(PARTS).filter((part) => losses.some((it) => it.losses[part] !== undefined));
    const [w, h, left, right, top, below] = [760, 220, 48, 12, 28, 26];
    const last = losses.at(-1).of;
    const smooth = parts.map((part) => losses.map((_, at) => {
      const window = losses.slice(Math.max(0, at - 9), at + 1).map((it) => it.losses[part]).filter((value) => value !== undefined);
      return window.length ? window.reduce((a, b) => a + b, 0) / window.length : null;
    }));
    const most = Math.max(...smooth.flat().filter((value) => value !== null), 1e-9);
    const svg = (tag, attributes, ...children) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      element.append(...children);
      return element;
    };
    const x = (step) => left + ((step - 1) / Math.max(1, last - 1)) * (w - left - right);
    const y = (value) => top + (1 - value / most) * (h - top - below);
    const drawing = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": `Losses up to step ${losses.at(-1).step}` });
    for (const level of [0, most / 2, most]) drawing.append(svg("line", { x1: left, x2: w - right, y1: y(level), y2: y(level), stroke: "var(--line)" }), svg("text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" }, level.toFixed(2)));
    for (const step of [1, Math.round(last / 2), last]) drawing.append(svg("text", { x: x(step), y: h - 8, "text-anchor": step === last ? "end" : "middle" }, `step ${step}`));
    parts.forEach((part, index) => {
      const points = smooth[index].map((value, at) => (value === null ? null : `${x(losses[at].step)},${y(value)}`)).filter(Boolean).join(" ");
      drawing.append(svg("polyline", { points, fill: "none", stroke: `var(--c${index})`, "stroke-width": 2, "stroke-dasharray": ["", "6 3", "2 3", "9 3 2 3"][index] }),
        svg("line", { x1: left + index * 160, x2: left + index * 160 + 22, y1: 12, y2: 12, stroke: `var(--c${index})`, "stroke-width": 2.5, "stroke-dasharray": ["", "6 3", "2 3", "9 3 2 3"][index] }),
        svg("text", { x: left + index * 160 + 28, y: 16 }, PARTS[part]));
    });
    chart.hidden = false;
    chart.replaceChildren(make("p", { class: "hint" }, "Parts of the loss, each the mean of the last ten steps. Less is better."), drawing);
  }

  function sheet(it) {
    const small = (url, alt) => {
      const picture = make("img", { src: url, alt });
      picture.onload = () => picture.classList.toggle("small", picture.naturalWidth <= 128);
      return make("div", { class: "shot", style: "cursor: default" }, picture);
    };
    sheets.prepend(make("article", { class: "sheet" }, make("h3", {}, `After step ${it.step}`), make("div", {}, it.images.map((each) => make("figure", {},
      small(each.image, `What the model makes of the lesson after step ${it.step}, seed ${each.seed}`),
      make("div", { class: "maps" }, each.maps.map((map) => make("img", { src: map.image, alt: `where it looks for ${map.name}`, title: map.name }))),
      make("figcaption", {}, `seed ${each.seed}`))))));
  }

  function done(it) {
    const words = it.words.map((word) => `${word.word} ${word.noun}`).join(", ");
    const use = make("button", { type: "button", class: "primary", style: "flex: none", onclick: () => change({ concepts_from: it.folder, prompt: it.prompt, second: "none", view: "steer" }) }, "Use the new words in Steer");
    view.querySelector(".notes").replaceChildren(make("div", { class: "note" }, make("p", {}, `The model has learnt ${words}.`), use,
      make("p", { class: "hint" }, `Kept in ${it.folder}`)));
  }

  runner(view, run);
}

function lessonBox(place) {
  const box = make("textarea", { id: "lesson", rows: 2 });
  const words = make("div", { class: "words", role: "group", "aria-label": "Words of the lesson; chosen ones are learnt" });
  const hint = make("p", { class: "hint" });
  place.append(make("label", { for: "lesson" }, "What the image shows"), box, words, hint);
  let turn = 0;
  async function show(question, isTyped = false) {
    const mine = (turn += 1);
    try {
      const it = await question;
      if (mine !== turn) return;
      if (!isTyped) box.value = it.lesson;
      change({ lesson: it.lesson }, box);
      const things = [];
      for (const word of it.words) {
        if (word.is_taught) things.at(-1).push(word); else things.push([word]);
      }
      let number = 0;
      redraw(words, things.map((group) => {
        const buttons = group.map((word) => make("button", { type: "button", "aria-pressed": String(word.is_new || word.is_taught), onclick: () => show(ask("lesson", { lesson: it.lesson, position: word.start })) }, word.text));
        if (!group[0].is_new) return buttons[0];
        const at = (number += 1) - 1;
        return make("span", { class: "concept", style: `--c: var(--c${at % 6})`, "data-number": at + 1 }, buttons);
      }));
      hint.style.color = "";
      hint.textContent = number ? "Coloured words are learnt: <…> is the new word for the thing after it. Click to change." : "Click each thing that is to be learnt.";
    } catch (error) { if (mine === turn) { hint.textContent = error.message; hint.style.color = "var(--bad)"; } }
  }
  let later;
  box.addEventListener("input", () => { clearTimeout(later); turn += 1; later = setTimeout(() => show(ask("lesson", { lesson: box.value }), true), 120); });
  box.addEventListener("change", () => { clearTimeout(later); show(ask("lesson", { lesson: box.value }), true); });
  onChange((changed, from) => { if (changed.includes("lesson") && from !== box) show(ask("lesson", { lesson: state.lesson })); });
  show(ask("lesson", { lesson: state.lesson }));
}
