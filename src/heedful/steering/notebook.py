"""How a run shows itself in a notebook: HTML without a server or a dependency, and a slider with one line of script.

All text is escaped; images are small PNGs inside the HTML.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import heat_map

TILE = 96
"""Width of a map in the page, in CSS pixels."""


class View:
    """A piece of HTML that a notebook shows when it is the last line of a cell."""

    def __init__(self, html: str):
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"View of {len(self.html)} characters of HTML: the last line of a notebook's cell shows it"


def slider(images: Sequence[tuple[str, Mapping[str, Float[Tensor, "step height width"]]]]) -> str:
    """Return the maps of some images, each with a caption and its maps by name, and a slider over their steps.

    The colours of a map share one scale over the steps, so that what fades is seen to fade.
    """
    shown = [_image(caption, maps) for caption, maps in images if maps]
    steps = max((len(values) for _, maps in images for values in maps.values()), default=0)
    if not shown or not steps:
        return "<p>no maps</p>"
    script = (
        "const box=this.parentNode.parentNode;"
        "box.querySelectorAll('img').forEach(strip=>{"
        "strip.style.marginTop=-this.value*strip.parentNode.clientHeight+'px'});"
        "box.querySelector('output').value=this.value"
    )
    control = (
        f'<p>step <input type="range" min="0" max="{steps - 1}" value="0" oninput="{script}"> <output>0</output></p>'
    )
    return f"<div>{control}{''.join(shown)}</div>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    tagged = [("th", head), *(("td", row) for row in rows)]
    lines = ("".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) for tag, row in tagged)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def paragraph(text: str) -> str:
    """Return `text` with its line breaks."""
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>"


def _image(caption: str, maps: Mapping[str, Float[Tensor, "step height width"]]) -> str:
    """Return caption, names and maps of one image: one PNG, whose rows are steps and whose columns are names."""
    height, width = next(iter(maps.values())).shape[-2:]
    steps = max(map(len, maps.values()))
    strip = Image.new("RGB", (width * len(maps), height * steps))
    for column, values in enumerate(maps.values()):
        top = float(values.nan_to_num(nan=0.0).max()) or 1.0
        for step, cells in enumerate(values):
            strip.paste(heat_map(cells, (width, height), top=top), (column * width, step * height))
    png = BytesIO()
    strip.save(png, "PNG")
    shown = TILE * height // width
    names = "".join(
        f'<span style="display:inline-block;width:{TILE}px;overflow:hidden">{escape(name)}</span>' for name in maps
    )
    return (
        f"<p>{escape(caption)}</p><div>{names}</div>"
        f'<div style="width:{TILE * len(maps)}px;height:{shown}px;overflow:hidden">'
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{b64encode(png.getvalue()).decode()}" '
        f'style="width:{TILE * len(maps)}px;height:{shown * steps}px;max-width:none;display:block;'
        'image-rendering:pixelated"></div>'
    )
