// The prompt box, and under it the words of the prompt: coloured where the image must show them.
import { ask, change, make, onChange, redraw, state } from "./core.js";

let count = 0;

export function promptBox(place, field = "prompt") {
  const id = `prompt-${(count += 1)}`;
  const box = make("textarea", { id, rows: 2, spellcheck: "true" });
  const words = make("div", { class: "words", role: "group", "aria-label": "Words of the prompt; chosen ones must be in the image" });
  const hint = make("p", { class: "hint" });
  place.append(make("label", { for: id }, "Prompt"), box, words, hint);
  let turn = 0;

  async function show(question, isTyped = false) {
    const mine = (turn += 1);
    try {
      const it = await question;
      if (mine !== turn) return;
      if (!isTyped) box.value = it.text;
      change({ [field]: it.prompt }, box);
      draw(it);
    } catch (error) {
      if (mine !== turn) return;
      words.replaceChildren();
      hint.textContent = error.message;
      hint.style.color = "var(--bad)";
    }
  }

  function draw(it) {
    const groups = [];
    for (const word of it.words) {
      const last = groups.at(-1);
      if (last && word.concept !== null && last.concept === word.concept) last.words.push(word);
      else groups.push({ concept: word.concept, words: [word] });
    }
    redraw(words, groups.map((group) => {
      const buttons = group.words.map((word) => make("button", {
        type: "button", "aria-pressed": String(word.concept !== null), onclick: () => click(word, it),
        title: word.concept === null ? "The image must show this" : "Take this away",
      }, word.text));
      if (group.concept === null) return buttons[0];
      const style = `--c: var(--c${group.concept % 6})`;
      return make("span", { class: "concept", style, "data-number": group.concept + 1 }, buttons);
    }));
    hint.style.color = "";
    hint.replaceChildren(it.concepts.length
      ? "Coloured words must be in the image. Click a word to add it or take it away. "
      : "No thing was found in this prompt. Click the words that must be in the image. ");
    if (it.is_marked) hint.append(make("button", { type: "button", class: "link", onclick: () => show(ask("read", { prompt: it.text.replace(/[[\]]/g, "\\$&") })) }, "Find them again"));
  }

  async function click(word, it) {
    const mine = turn;
    try {
      const answer = await ask("toggle", { prompt: it.prompt, position: word.start });
      if (mine === turn) await show(Promise.resolve(answer));
    } catch (error) { hint.textContent = error.message; hint.style.color = "var(--bad)"; }
  }

  let later;
  box.addEventListener("input", () => {
    clearTimeout(later);
    turn += 1;
    const before = state[field];
    later = setTimeout(() => show(ask("carry", { prompt: before, text: box.value }), true), 120);
  });
  box.addEventListener("change", () => {
    clearTimeout(later);
    show(ask("carry", { prompt: state[field], text: box.value }), true);
  });
  onChange((changed, from) => { if (changed.includes(field) && from !== box) show(ask("read", { prompt: state[field] })); });
  show(ask("read", { prompt: state[field] }));
}
