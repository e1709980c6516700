// Compare: a benchmark as a table with intervals, its prompts by how far methods lie apart, and the images of each.
import { ask, change, make, notes, query, state } from "./core.js";

const number = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const interval = (it) => (it === null ? "–" : it.has_interval ? `${number(it.value)} [${number(it.low)}, ${number(it.high)}]` : `${number(it.value)} (one prompt)`);
const plain = (method) => (method === "none" ? "plain" : method);

export function compareView(view) {
  const form = view.querySelector("form"), status = view.querySelector(".status"), tables = view.querySelector(".tables");
  const scores = view.querySelector("[data-field=score]");
  const say = (text, bad = false) => { status.textContent = text; status.classList.toggle("bad", bad); };

  const button = form.querySelector(".primary");
  async function open() {
    say("Reading …");
    button.disabled = true;
    try {
      const it = await ask(`compare?${query({ view: "compare" })}`);
      const chosen = state.score;
      scores.replaceChildren(make("option", { value: "" }, "the usual one"), ...it.scores.map((name) => make("option", { value: name }, name)));
      scores.value = chosen;
      notes(view, it.failed ? [`${it.failed} images failed and are not counted.`] : []);
      tables.replaceChildren(...it.suites.flatMap((suite) => show(suite, it)));
      say(it.suites.map((suite) => `${suite.images} images of ${suite.prompts} prompts`).join("; ") + ".");
    } catch (error) { say(error.message, true); }
    button.disabled = false;
  }

  function show(suite, it) {
    const methods = suite.rows.map((row) => row.method);
    const values = suite.rows.flatMap((row) => [row.value.low, row.value.high]);
    const [least, most] = [Math.min(0, ...values), Math.max(...values, 1e-9)];
    const at = (value) => `${(100 * (value - least)) / (most - least)}%`;
    const bar = (value, index) => {
      const range = make("i", { style: `left:${at(value.low)};right:calc(100% - ${at(value.high)})` });
      return make("span", { class: "bar", style: `--c: var(--c${index % 6})`, "aria-hidden": "true" }, value.has_interval ? range : null, make("b", { style: `left:${at(value.value)}` }));
    };
    const heads = ["method", suite.score, "", suite.baseline ? `against ${plain(suite.baseline)}` : "", "better / worse", "p", "times the work", "images"];
    const table = make("table", {}, make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, suite.rows.map((row, index) => make("tr", {}, [
        make("th", { scope: "row" }, plain(row.method)), make("td", {}, interval(row.value)), make("td", {}, bar(row.value, index)),
        make("td", {}, interval(row.change)),
        make("td", {}, row.change ? (suite.is_lower_better ? `${row.lost} / ${row.gained}` : `${row.gained} / ${row.lost}`) : "–"),
        make("td", {}, row.p === null ? "–" : row.p < 0.001 ? "< 0.001" : number(row.p)), make("td", {}, number(row.cost, 2)), make("td", {}, String(row.images) + (row.failed ? `, ${row.failed} failed` : "")),
      ]))));
    const images = make("div", { "aria-live": "polite" });
    return [
      make("h3", {}, `${suite.suite}: ${suite.score}${suite.is_lower_better ? " (less is better)" : ""}, mean over prompts with 95 % intervals`),
      make("div", { class: "scroll", tabindex: "0" }, table),
      make("h3", {}, "Prompts"),
      make("p", { class: "hint" }, "Click a prompt to see its images. “Apart” is how far the best and the worst method lie apart."),
      prompts(suite, methods, images),
      images,
    ];
  }

  function prompts(suite, methods, images) {
    const columns = [["prompt", (row) => row.prompt], ["apart", (row) => row.spread], ...methods.map((method) => [plain(method), (row) => row.means[method] ?? -1])];
    let [by, down] = [1, true];
    const body = make("tbody");
    const heads = columns.map(([name], index) => make("th", { scope: "col" }, make("button", { type: "button", onclick: () => { [by, down] = by === index ? [by, !down] : [index, index > 0]; fill(); } }, name)));
    const fill = () => {
      const value = columns[by][1];
      const sorted = [...suite.by_prompt].sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (down ? -1 : 1));
      heads.forEach((head, index) => (index === by ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
      body.replaceChildren(...sorted.map((row) => make("tr", {}, [
        make("td", { class: "text" }, make("button", { type: "button", class: "link", onclick: () => look(suite, row, images) }, row.prompt)),
        make("td", {}, number(row.spread, 2)), ...methods.map((method) => make("td", {}, number(row.means[method], 2))),
      ])));
    };
    fill();
    return make("div", { class: "scroll", tabindex: "0", style: "max-height: 26rem; overflow: auto" }, make("table", {}, make("thead", {}, make("tr", {}, heads)), body));
  }

  async function look(suite, row, place) {
    place.replaceChildren(make("p", { class: "hint" }, "Reading …"));
    try {
      const answer = await fetch(`api/prompt?${query({ view: "compare" })}`, { headers: { "x-suite": encodeURIComponent(suite.suite), "x-prompt": encodeURIComponent(row.prompt) } });
      const it = await answer.json();
      if (!answer.ok) throw new Error(it.error);
      const text = (value) => (value === null || value === undefined ? "" : String(value));
      const again = { prompt: it.state.prompt, model: text(it.state.model), steps: text(it.state.steps), guidance_scale: text(it.state.guidance_scale), scheduler: "", width: "", height: "" };
      const methods = [...new Set(it.images.map((image) => image.method))];
      place.replaceChildren(
        make("h3", {}, row.prompt),
        make("button", { type: "button", class: "plain", onclick: () => change({ ...again, seeds: it.state.seeds, second: suite.baseline ?? "", method: methods.find((name) => name !== suite.baseline) ?? methods[0], view: "steer" }) }, "Make them again in Steer"),
        ...methods.map((method) => make("div", {}, make("h3", {}, plain(method)), make("div", { class: "shots" }, it.images.filter((image) => image.method === method).map((image) => {
          const value = image.scores[suite.score];
          const score = value === null || value === undefined ? "no score" : `${suite.score.split(".").pop()} ${number(value, value % 1 ? 2 : 0)}`;
          const shown = image.image === null ? make("div", { class: "shot wait" }, image.error ? "failed" : "not there")
            : make("button", { type: "button", class: "shot", title: "See where the model looks", onclick: () => change({ ...again, seed: String(image.seed), looked: method, view: "see" }, "look") }, make("img", { src: image.image, alt: `${row.prompt}, by ${plain(method)}, seed ${image.seed}`, class: "small" }));
          return make("figure", {}, shown, ...image.maps.map((map) => make("img", { src: map.image, alt: `where the model looks for ${map.name}`, title: map.name, class: "map" })), make("figcaption", {}, `seed ${image.seed}`, make("span", { class: "detail" }, image.error || score)));
        })))));
      place.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
    } catch (error) { place.replaceChildren(make("p", { class: "status bad" }, error.message)); }
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); open(); });
  scores.addEventListener("change", open);
  if (state.view === "compare" && state.folder) open();
}
