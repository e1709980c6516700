// Steer: images of each method side by side on the same noise, as they are made.
import { change, make, news, notes, query, runner } from "./core.js";

const JUST = { none: "plain" };

export function steerView(view) {
  const pairs = view.querySelector(".pairs");
  let shown = new Map();
  let plan = null;

  async function* run(key, say, progress) {
    say("Starting …");
    for await (const it of news("steer", { query: query({ view: "steer" }), key })) {
      if (it.kind === "plan") lay((plan = it));
      if (it.kind === "image") place(it);
      if (it.kind === "progress") {
        progress(it.done);
        say(`${JUST[it.method] || it.method}: step ${it.step} of ${it.of}`);
      }
      if (it.kind === "done") it.says = `${it.images} images in ${it.seconds.toFixed(1)} s. Click one to see where the model looks.`;
      if (it.kind === "stopped") it.says = `Stopped. ${[...shown.values()].filter((each) => each.isThere).length} images were ready.`;
      if (["stopped", "failed"].includes(it.kind)) shown.forEach((each) => each.isThere || each.shot.replaceChildren("not made"));
      yield it;
    }
  }

  function lay(it) {
    shown = new Map();
    const unknown = it.unknown.length ? [`The model does not know ${it.unknown.map((word) => `“${word}”`).join(", ")}, so it cannot show it.`] : [];
    notes(view, [...unknown, ...it.remarks]);
    const ratio = it.width && it.height ? `${it.width} / ${it.height}` : "1";
    pairs.style.setProperty("--ratio", ratio);
    pairs.style.setProperty("--pair", it.methods.length > 1 ? "22rem" : "12rem");
    pairs.replaceChildren(...it.seeds.map((seed) => make("article", { class: "pair" },
      make("h3", {}, it.methods.length > 1 ? `seed ${seed}, from the same noise` : `seed ${seed}`),
      make("div", {}, it.methods.map((method) => {
        const shot = make("div", { class: "shot wait" }, "waiting");
        const says = make("figcaption", {}, make("b", {}, JUST[method] || method));
        shown.set(`${method} ${seed}`, { shot, says, isThere: false });
        return make("figure", {}, shot, says);
      })))));
  }

  function place(it) {
    const slot = shown.get(`${it.method} ${it.seed}`);
    slot.isThere = true;
    if (it.png === null) { slot.shot.replaceChildren("no image"); slot.says.append(make("span", { class: "detail" }, it.error)); return; }
    const image = make("img", { alt: `${plan.prompt}, by ${JUST[it.method] || it.method}, seed ${it.seed}`, src: `data:image/png;base64,${it.png}` });
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth <= 128));
    const button = make("button", { type: "button", class: "shot", title: "See where the model looks",
      onclick: () => change({ seed: String(it.seed), looked: it.method, view: "see" }, "look") }, image);
    slot.shot.replaceWith(button);
    if (it.verdict) {
      const kind = it.verdict.is_right === null ? "" : it.verdict.is_right ? "right" : "wrong";
      slot.says.append(make("span", { class: `verdict ${kind}` }, it.verdict.says));
    }
    const details = [];
    if (it.restarts) details.push(it.restarts === 1 ? "1 new noise tried" : `${it.restarts} new noises tried`);
    if (it.cost !== null && it.method !== "none") details.push(`${it.cost.toFixed(2)} times the work of plain`);
    if (details.length) slot.says.append(make("span", { class: "detail" }, details.join(" · ")));
  }

  runner(view, run);
}
