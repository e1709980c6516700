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
:root { --ink: #1a1a1f; --faint: #62626a; --line: #dcdce2; --wash: #f6f6f8; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; color: var(--ink); background: #fff;
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
.scroll { overflow-x: auto; margin: .8rem 0 1.2rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom: 2px solid var(--ink); font-weight: 600; vertical-align: bottom; }
td { white-space: nowrap; }
td.long { white-space: normal; min-width: 14rem; overflow-wrap: break-word; }
th:first-child, td:first-child { padding-left: 0; position: sticky; left: 0; background: #fff; }
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
  .scroll { overflow: visible; }
}
"""
_LONG = 36  # characters of a cell that may break into lines


def to_html(markdown: str, images: Mapping[str, bytes], title: str) -> str:
    """Return the page with each image that it names put into it as a data URI.

    HTML in the Markdown is shown, not obeyed. Raises `MissingExtra` without markdown-it.
    """
    parser = require("markdown_it", "report").MarkdownIt("commonmark", {"html": False}).enable("table")
    rules = parser.renderer.rules
    rules["image"] = _image(images)
    rules["table_open"] = lambda *_: '<div class="scroll" tabindex="0"><table>\n'
    rules["table_close"] = lambda *_: "</table></div>\n"
    rules["td_open"] = _cell
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_LOOK}</style>\n</head>\n<body>\n"
        f"{parser.render(markdown)}</body>\n</html>\n"
    )


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
