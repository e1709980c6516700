// See: one image under the maps of its words, step by step; its masks, and animations to keep.
import { download, make, news, notes, onChange, query, runner } from "./core.js";

export function seeView(view) {
  const place = view.querySelector(".viewer");
  const downloads = view.querySelector(".downloads");

  async function* run(key, say, progress) {
    for await (const it of news("see", { query: query({ view: "see" }), key })) {
      if (it.kind === "progress") { progress(it.done); say(`step ${it.step} of ${it.of}`); }
      if (it.kind === "look") show(it);
      if (it.kind === "done") it.says = "Move the slider; point at a word; click a place in the image.";
      yield it;
    }
  }

  function show(it) {
    notes(view, [...(it.unknown.length ? [`The model does not know ${it.unknown.map((word) => `“${word}”`).join(", ")}, so it cannot show it.`] : []), ...it.remarks]);
    const root = make("div");
    place.replaceChildren(root);
    window.heedfulViewer(root, it.view);
    const name = `${it.method} ${it.seed}`;
    const save = (path, file) => make("a", { class: "plain", href: `api/looks/${it.name}/${path}`, download: file }, `Save ${file.split(".").pop() === "json" ? "masks (COCO)" : file.split(".").pop().toUpperCase()}`);
    downloads.hidden = false;
    downloads.replaceChildren(
      make("h3", {}, "Keep it"),
      save("animation.webp", `${name}.webp`), save("animation.gif", `${name}.gif`),
      make("button", { type: "button", class: "plain", onclick: async () => download(`${name}.png`, await (await fetch(`data:image/png;base64,${it.png}`)).blob()) }, "Save image"),
      ...(it.cutouts.length ? [save("masks.json", "masks.json")] : []),
      ...(it.cutouts.length ? [make("h3", {}, "Cut out by attention"), make("div", { class: "cutouts" }, it.cutouts.map((each, index) => make("figure", {},
        make("button", { type: "button", title: "Save this cut-out", onclick: async () => download(`${each.name}.png`, await (await fetch(each.image)).blob()) },
          make("img", { src: each.image, alt: `${each.name}, cut out`, class: it.view.size.width <= 16 ? "small" : "" })),
        make("figcaption", { style: `color: var(--c${index % 6})` }, each.name))))] : []));
  }

  const start = runner(view, run);
  onChange((_changed, from) => { if (from === "look") start(); });
}
