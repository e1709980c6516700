// A slider over the steps of a run: where each word looks while the image forms. It needs no server and no library;
// the page of heedful and notebooks use the same file. `heedfulViewer(root, data)`; steering/view_data.py writes `data`.
"use strict";

function heedfulViewer(root, data) {
  const element = (tag, attributes = {}, ...children) => {
    const made = tag.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4)) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  };
  const { height, width, steps } = data.size;
  const cells = height * width;
  const bytes = Uint8Array.from(atob(data.maps), (letter) => letter.charCodeAt(0));
  const levels = new Uint16Array(bytes.buffer);
  const value = (track, step, cell) => (levels[(track * steps + step) * cells + cell] / 65535) * data.tracks[track].top;
  const concepts = data.tracks.map((track, index) => ({ ...track, index })).filter((track) => track.kind === "concept");
  const words = data.tracks.map((track, index) => ({ ...track, index })).filter((track) => track.kind === "word");
  const shown = { step: steps - 1, pinned: null, hovered: null, cell: null, strength: 0.75, finished: !data.previews.length };
  const picture = (url) => { const image = new Image(); image.onload = draw; image.src = url; return image; };

  const colour = (index) => getComputedStyle(root).getPropertyValue(`--c${index % 6}`).trim() || "#0072b2";
  const parsed = (text) => {
    const long = text.length === 4 ? text.replace(/[0-9a-f]/gi, "$&$&") : text;
    return [1, 3, 5].map((at) => parseInt(long.slice(at, at + 2), 16));
  };
  const scale = (share) => {
    const at = Math.min(Math.max(share, 0), 1) * (data.colours.length - 1);
    const low = Math.floor(at), high = Math.min(low + 1, data.colours.length - 1);
    return data.colours[low].map((level, channel) => level + (at - low) * (data.colours[high][channel] - level));
  };

  root.classList.add("hv");
  const canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": "The image under the map. Arrow keys move over it and say which words look there." });
  const slider = element("input", { type: "range", min: "0", max: String(steps - 1), value: String(steps - 1), "aria-label": "Step" });
  const label = element("output", {});
  const play = element("button", { type: "button", class: "hv-play", "aria-label": "Play the steps" }, "▶");
  const strength = element("input", { type: "range", min: "0", max: "1", step: "0.05", value: String(shown.strength), "aria-label": "Strength of the map" });
  const finished = element("input", { type: "checkbox" });
  const reading = element("div", { class: "hv-reading", "aria-live": "polite" });
  const line = element("div", { class: "hv-words", role: "group", "aria-label": "Words of the prompt" });
  const small = element("div", { class: "hv-small" });
  const chart = element("div", { class: "hv-chart" });
  const title = element("p", { class: "hv-title" });

  const isPinned = (track) => shown.pinned === track.index;
  const pin = (index) => { shown.pinned = shown.pinned === index ? null : index; draw(); };
  const hover = (index) => { shown.hovered = index; draw(); };
  const listens = (button, index) => {
    button.addEventListener("mouseenter", () => hover(index));
    button.addEventListener("mouseleave", () => hover(null));
    button.addEventListener("focus", () => hover(index));
    button.addEventListener("blur", () => hover(null));
    button.addEventListener("click", () => pin(index));
    return button;
  };
  const wordButtons = words.map((word) => {
    const button = element("button", { type: "button", title: "Where this word looks" }, word.name);
    if (word.concept !== null) { button.style.setProperty("--c", `var(--c${word.concept % 6})`); button.className = "hv-concept"; }
    return listens(button, word.index);
  });
  line.append(...wordButtons);
  const thumbs = concepts.map((concept, number) => {
    const map = element("canvas", { width: "96", height: String(Math.round((96 * height) / width)) });
    const button = listens(element("button", { type: "button", title: "Show this map alone" }, map, element("span", {}, `${number + 1} ${concept.name}`)), concept.index);
    button.style.setProperty("--c", `var(--c${number % 6})`);
    small.append(button);
    return { map, button, concept };
  });

  const raster = document.createElement("canvas");
  raster.width = width; raster.height = height;
  function mapOn(context, area, paint) {
    const pixels = new ImageData(width, height);
    for (let cell = 0; cell < cells; cell += 1) pixels.data.set(paint(cell), cell * 4);
    raster.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = true; context.imageSmoothingQuality = "high";
    context.drawImage(raster, 0, 0, area.width, area.height);
  }

  function draw() {
    const under = shown.finished || !data.previews.length ? final : previews[shown.step];
    const ratio = data.image ? (final.naturalHeight || 1) / (final.naturalWidth || 1) : height / width;
    const side = 512;
    if (canvas.width !== side || canvas.height !== Math.round(side * ratio)) { canvas.width = side; canvas.height = Math.round(side * ratio); }
    const context = canvas.getContext("2d");
    context.globalAlpha = 1;
    context.fillStyle = "#0008"; context.clearRect(0, 0, canvas.width, canvas.height);
    if (under && under.complete && under.naturalWidth) {
      context.imageSmoothingEnabled = under.naturalWidth > 128;
      context.drawImage(under, 0, 0, canvas.width, canvas.height);
    }
    const one = shown.hovered ?? shown.pinned;
    if (one !== null) {
      const top = data.tracks[one].top || 1;
      context.globalAlpha = data.image ? shown.strength : 1;
      mapOn(context, canvas, (cell) => {
        const share = value(one, shown.step, cell) / top;
        return [...scale(share), data.image ? 120 + 135 * Math.min(1, share) : 255]; // where it does not look, the image shows through
      });
    } else {
      context.globalAlpha = data.image ? Math.min(1, shown.strength * 1.3) : 1;
      concepts.forEach((concept, number) => {
        const [red, green, blue] = parsed(colour(number));
        mapOn(context, canvas, (cell) => [red, green, blue, 235 * (value(concept.index, shown.step, cell) / (concept.top || 1)) ** 0.8]);
      });
    }
    context.globalAlpha = 1;
    if (shown.cell !== null) {
      const [x, y] = [shown.cell % width, Math.floor(shown.cell / width)];
      const box = [(x * canvas.width) / width, (y * canvas.height) / height, canvas.width / width, canvas.height / height];
      context.lineWidth = 5; context.strokeStyle = "#000a"; context.strokeRect(...box);
      context.lineWidth = 2.5; context.strokeStyle = "#fff"; context.strokeRect(...box);
    }
    for (const { map, concept, button } of thumbs) {
      const small = map.getContext("2d");
      small.clearRect(0, 0, map.width, map.height);
      mapOn(small, map, (cell) => [...scale(value(concept.index, shown.step, cell) / (concept.top || 1)), 255]);
      button.setAttribute("aria-pressed", String(isPinned(concept)));
    }
    wordButtons.forEach((button, index) => button.setAttribute("aria-pressed", String(isPinned(words[index]))));
    label.value = `step ${shown.step + 1} of ${steps}`;
    slider.setAttribute("aria-valuetext", label.value);
    title.textContent = one === null ? (concepts.length ? "Every concept in its colour" : "The image") : data.tracks[one].name;
    read();
    cursor();
  }

  function read() {
    if (shown.cell === null) { reading.textContent = "Click a place in the image to see which words look there."; return; }
    const said = (word) => {
      const same = words.filter((other) => other.name === word.name);
      return same.length > 1 ? `${word.name} (${same.indexOf(word) + 1})` : word.name;
    };
    const there = words.map((word) => ({ word, share: value(word.index, shown.step, shown.cell) })).sort((a, b) => b.share - a.share);
    const top = there[0]?.share || 1;
    reading.replaceChildren(element("b", {}, "Words that look there"), ...there.slice(0, 5).map(({ word, share }) => {
      const bar = element("i", {});
      bar.style.width = `${(100 * share) / top}%`;
      if (word.concept !== null) bar.style.background = `var(--c${word.concept % 6})`;
      return element("span", { class: "hv-share" }, element("span", {}, said(word)), element("span", { class: "hv-bar" }, bar), element("span", {}, `${(100 * share).toFixed(1)} %`));
    }), element("small", {}, "of the attention of this place; the rest goes to no word of the prompt."));
  }

  let mark = null;
  function drawChart() {
    const there = data.losses.map((loss, step) => ({ loss, step })).filter(({ loss }) => loss !== null);
    if (!there.length) { chart.textContent = data.says; return; }
    const [w, h, left, right, top, below] = [520, 150, 44, 12, 14, 26];
    const most = Math.max(...there.map(({ loss }) => loss)), least = Math.min(0, ...there.map(({ loss }) => loss));
    const x = (step) => left + (step / Math.max(1, steps - 1)) * (w - left - right);
    const y = (loss) => top + (1 - (loss - least) / (most - least || 1)) * (h - top - below);
    const svg = element("svg:svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": data.says });
    for (const level of [least, (least + most) / 2, most]) {
      svg.append(element("svg:line", { x1: left, x2: w - right, y1: y(level), y2: y(level), class: "hv-grid" }),
        element("svg:text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" }, level.toPrecision(2)));
    }
    for (const step of new Set([0, Math.round((steps - 1) / 2), steps - 1])) svg.append(element("svg:text", { x: x(step), y: h - 8, "text-anchor": "middle" }, step ? String(step + 1) : "step 1"));
    svg.append(element("svg:polyline", { points: there.map(({ loss, step }) => `${x(step)},${y(loss)}`).join(" "), class: "hv-line" }));
    for (const { loss, step } of there) {
      const refined = data.refinements[step];
      const dot = element("svg:circle", { cx: x(step), cy: y(loss), r: refined ? 5.5 : 3.5, class: refined ? "hv-refined" : "hv-dot" });
      dot.append(element("svg:title", {}, `step ${step + 1}: loss ${loss.toFixed(4)}${refined ? `, ${refined} refinements` : ""}`));
      svg.append(dot);
    }
    if (data.restart) {
      const at = x(data.restart.step);
      svg.append(element("svg:line", { x1: at, x2: at, y1: top - 6, y2: h - below, class: "hv-restart" }),
        element("svg:text", { x: at + 5, y: h - below - 6, class: "hv-restart-text" }, data.restart.says));
    }
    mark = element("svg:line", { y1: top, y2: h - below, class: "hv-cursor" });
    svg.append(mark);
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      go(Math.round((((event.clientX - box.left) / box.width) * w - left) / (w - left - right) * (steps - 1)));
    });
    chart.replaceChildren(element("p", {}, data.says), svg);
    cursor = () => { mark.setAttribute("x1", x(shown.step)); mark.setAttribute("x2", x(shown.step)); };
  }
  let cursor = () => {};

  function go(step) {
    shown.step = Math.min(Math.max(step, 0), steps - 1);
    slider.value = String(shown.step);
    draw();
  }
  let timer = null;
  const halt = () => { clearInterval(timer); timer = null; play.textContent = "▶"; play.setAttribute("aria-label", "Play the steps"); };
  play.addEventListener("click", () => {
    if (timer) { halt(); return; }
    play.textContent = "❚❚"; play.setAttribute("aria-label", "Pause");
    if (shown.step === steps - 1) go(0);
    timer = setInterval(() => { if (!root.isConnected || shown.step === steps - 1) halt(); else go(shown.step + 1); }, Math.max(60, 3000 / steps));
  });
  slider.addEventListener("input", () => { if (timer) halt(); go(Number(slider.value)); });
  strength.addEventListener("input", () => { shown.strength = Number(strength.value); draw(); });
  finished.addEventListener("change", () => { shown.finished = finished.checked; draw(); });
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const at = (place, from, length, count) => Math.min(count - 1, Math.max(0, Math.floor(((place - from) / length) * count)));
    shown.cell = at(event.clientY, box.top, box.height, height) * width + at(event.clientX, box.left, box.width, width);
    draw();
  });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const from = shown.cell ?? Math.floor(height / 2) * width + Math.floor(width / 2);
    const x = Math.min(width - 1, Math.max(0, (from % width) + move[0])), y = Math.min(height - 1, Math.max(0, Math.floor(from / width) + move[1]));
    shown.cell = y * width + x;
    draw();
  });

  const final = data.image ? picture(data.image) : null;
  const previews = data.previews.map(picture);
  const controls = element("div", { class: "hv-controls" }, play, slider, label);
  const options = data.image ? element("div", { class: "hv-options" },
    element("label", {}, "Map ", strength),
    data.previews.length ? element("label", {}, finished, " finished image") : null) : null;
  root.replaceChildren(
    element("div", { class: "hv-stage" }, title, canvas, controls, options),
    element("div", { class: "hv-side" }, line, small, reading, chart));
  drawChart();
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return { go, draw, pin, shown };
}
