"""How a run shows itself in a notebook: HTML without a server or a dependency.

The slider over the steps is the viewer of the page, in a frame of its own; all that it shows is inside the HTML. All
text is escaped.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

VIEWER = Path(__file__).parent / "viewer"
"""The folder of viewer.js and viewer.css, which the page serves, too."""
_FRAME = """\
<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><style>
:root {{ color-scheme: light dark; --ink: #1b1b20; --faint: #5d5d68; --line: #dcdce3; --wash: #f0f0f4; --card: #fff;
--accent: #1f5fae; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b35a8f; --c4: #b98500; --c5: #3d9ac6; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #ececf1; --faint: #a5a5b1; --line: #35353e; --wash: #26262d;
--card: #1c1c21; --accent: #7db4f2; --c0: #5aaee3; --c1: #f0894a; --c2: #3cc49c; --c3: #dd92bd; --c4: #e6b447;
--c5: #8fd0f0; }} }}
body {{ margin: 0; padding: .5rem; color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }}
h3 {{ font-size: 1rem; margin: 0 0 .5rem; }} section + section {{ margin-top: 1.5rem; }}
{look}</style></head><body>{places}<script>{script}
for (const [index, data] of {data}.entries()) heedfulViewer(document.getElementById("run" + index), data);
const frame = window.frameElement;
const fit = () => {{ if (frame) frame.style.height = document.body.scrollHeight + 24 + "px"; }};
new ResizeObserver(fit).observe(document.body);
</script></body></html>"""


class View:
    """A piece of HTML that a notebook shows when it is the last line of a cell."""

    def __init__(self, html: str):
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"View of {len(self.html)} characters of HTML: the last line of a notebook's cell shows it"


def slider(images: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Return a slider over the steps for each image, which has a caption and what `view_data` says of it."""
    shown = [(caption, data) for caption, data in images if data["tracks"] and data["size"]["steps"]]
    if not shown:
        return "<p>no maps</p>"
    places = "".join(
        f'<section><h3>{escape(caption)}</h3><div id="run{number}"></div></section>'
        for number, (caption, _) in enumerate(shown)
    )
    page = _FRAME.format(
        look=(VIEWER / "viewer.css").read_text(encoding="utf-8"),
        script=(VIEWER / "viewer.js").read_text(encoding="utf-8"),
        places=places,
        # a prompt with </script> in it must not end the script
        data=json.dumps([data for _, data in shown]).replace("<", "\\u003c"),
    )
    return (
        f'<iframe srcdoc="{escape(page)}" title="Maps by step" '
        f'style="width:100%;height:{36 * len(shown)}rem;border:0"></iframe>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    tagged = [("th", head), *(("td", row) for row in rows)]
    lines = ("".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) for tag, row in tagged)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def paragraph(text: str) -> str:
    """Return `text` with its line breaks."""
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>"
