"""A Markdown page as one self-contained HTML file: images inside, no script, nothing fetched.

markdown-it (extra `report`) reads the Markdown; the look of pages is here.
"""

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import PurePosixPath
from typing import Any

from heedful.errors import require

_TYPES = {".svg": "image/svg+xml", ".jpg": "image/jpeg", ".png": "image/png"}
_LOOK = """\
:root { color-scheme: light dark; --ink: #1a1a1f; --faint: #62626a; --line: #dcdce2; --wash: #f6f6f8; --ground: #fff;
  --shade: rgb(0 0 0 / .18); }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e6ea; --faint: #a3a3ad; --line: #3a3a43; --wash: #232329; --ground: #17171b;
    --shade: rgb(255 255 255 / .2); }
  img[src^="data:image/svg"] { background: #fff; border-radius: 4px; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; color: var(--ink); background: var(--ground);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .8rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .6rem; }
h1 + p { color: var(--faint); margin-top: 0; }
p, li { max-width: 44rem; overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; margin: .5rem 0; }
img[src^="data:image/svg"] { width: 38rem; }
td img { width: 7.25rem; max-width: none; margin: .1rem 0 .15rem; }
table:has(img) :is(th, td):not(:first-child) { padding: .3rem .25rem; }
tr:has(img) td:first-child { min-width: 10rem; max-width: 10rem; white-space: normal; }
.scroll { overflow-x: auto; margin: .8rem 0 1.2rem;
  background: linear-gradient(to left, var(--ground) 30%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--shade), transparent) right / .9rem 100% no-repeat scroll; }
nav { font-size: .9375rem; margin: 1.2rem 0; }
nav a { color: inherit; margin-right: 1.1rem; white-space: nowrap; text-underline-offset: .2em; }
table { border-collapse: separate; border-spacing: 0; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom: 2px solid var(--ink); font-weight: 600; vertical-align: bottom; }
td { white-space: nowrap; }
td.long { white-space: normal; min-width: 14rem; overflow-wrap: break-word; }
th:first-child, td:first-child { padding-left: 0; position: sticky; left: 0; background: var(--ground); }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 4px; padding: .7rem .9rem;
  margin: .4rem 0 1rem; overflow: auto; max-height: 22rem; font-size: .8125rem; line-height: 1.45;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1.1rem .9rem 3rem; font-size: .9375rem; }
  h1 { font-size: 1.35rem; }
  table { font-size: .8125rem; }
  th, td { padding: .25rem .55rem; }
  td img { width: 5rem; }
  td.long { min-width: 8rem; }
  tr:has(img) td:first-child { min-width: 6.5rem; max-width: 6.5rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; }
  img, tr, pre { break-inside: avoid; }
  pre { max-height: none; overflow: visible; }
  .scroll { overflow: visible; background: none; }
  table { font-size: 8pt; }
  th, td { padding: .15rem .35rem; white-space: normal; overflow-wrap: anywhere; }
  th:first-child, td:first-child { position: static; }
  td img { width: 4.5rem; }
  nav { display: none; }
}
"""
_LONG = 36  # characters of a cell that may break into lines
_CONTENTS = 4  # sections from which on a page begins with a list of them


def to_html(markdown: str, images: Mapping[str, bytes], title: str) -> str:
    """Return the page with each image that it names put into it as a data URI, and links to its sections.

    It follows the reader's choice of light or dark, and prints without cutting a table.
    HTML in the Markdown is shown, not obeyed. Raises `MissingExtra` without markdown-it.
    """
    parser = require("markdown_it", "report").MarkdownIt("commonmark", {"html": False}).enable("table")
    rules = parser.renderer.rules
    rules["image"] = _image(images)
    rules["table_open"] = lambda *_: '<div class="scroll" tabindex="0"><table>\n'
    rules["table_close"] = lambda *_: "</table></div>\n"
    rules["td_open"] = _cell
    tokens = parser.parse(markdown)
    contents = _contents(tokens)
    start = next((index for index, token in enumerate(tokens) if _is_section(token)), len(tokens))
    halves = [parser.renderer.render(part, parser.options, {}) for part in (tokens[:start], tokens[start:])]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_LOOK}</style>\n</head>\n<body>\n"
        f"{halves[0]}{contents}{halves[1]}</body>\n</html>\n"
    )


def _is_section(token: Any) -> bool:
    return token.type == "heading_open" and token.tag == "h2"


def _contents(tokens: Any) -> str:
    """Return links to the sections of a long page, whose headings get the names that they lead to."""
    links: list[str] = []
    for index, token in enumerate(tokens):
        if _is_section(token):
            token.attrSet("id", f"section-{len(links) + 1}")
            title = "".join(child.content for child in tokens[index + 1].children)
            links.append(f'<a href="#section-{len(links) + 1}">{escape(title)}</a>')
    return f'<nav aria-label="Contents">\n{" ".join(links)}\n</nav>\n' if len(links) >= _CONTENTS else ""


def _image(images: Mapping[str, bytes]) -> Any:
    def render(tokens: Any, index: int, *_: Any) -> str:
        token = tokens[index]
        name = str(token.attrs["src"])
        kind = _TYPES[PurePosixPath(name).suffix]
        return f'<img alt="{escape(token.content)}" src="data:{kind};base64,{b64encode(images[name]).decode()}">'

    return render


def _cell(tokens: Any, index: int, *_: Any) -> str:
    """Open a cell; a long text in it may break into lines, numbers may not."""
    token = tokens[index]
    style = f' style="{escape(str(token.attrs["style"]))}"' if "style" in token.attrs else ""
    content = tokens[index + 1].content
    is_long = len(content) > _LONG and not content.startswith("![")
    return f'<td class="long"{style}>' if is_long else f"<td{style}>"
