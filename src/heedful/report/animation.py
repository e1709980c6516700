"""The maps of a run as an animation that can be kept: the image as it forms, and beside it each concept's map."""

from collections.abc import Mapping, Sequence
from io import BytesIO

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import overlay
from heedful.errors import SettingsError
from heedful.report.grid import Grid, compose

KINDS = ("GIF", "WEBP")
_FRAME, _LAST = 120, 1500  # milliseconds of a frame, and of the last one


def map_animation(
    image: Image.Image,
    maps: Mapping[str, Float[Tensor, "step height width"]],
    previews: Sequence[Image.Image] = (),
    *,
    kind: str = "WEBP",
) -> bytes:
    """Return an animation over the steps, as GIF or WEBP.

    - `maps`: of each concept by its name, in [0, 1]; the colours of a map share one scale over the steps.
    - `previews`: the image after each step; without them, the maps lie over `image` from the first step on.

    Raises `SettingsError` for another kind, and without a map.
    """
    if kind not in KINDS or not maps:
        raise SettingsError(f"Expected maps and a kind of {', '.join(KINDS)}, got {len(maps)} maps and {kind!r}.")
    steps = max(len(values) for values in maps.values())
    tops = {name: float(values.nan_to_num(nan=0.0).max()) or 1.0 for name, values in maps.items()}
    frames = []
    for step in range(steps):
        now = previews[step] if step < len(previews) else image
        cells = [[now, *(overlay(now, values[step], top=tops[name]) for name, values in maps.items())]]
        grid = Grid(title=f"step {step + 1} of {steps}", columns=["image", *maps], rows=[""], cells=cells)
        frames.append(compose(grid))
    buffer = BytesIO()
    options = {"quality": 85} if kind == "WEBP" else {"disposal": 2}
    times = [_FRAME] * (steps - 1) + [_LAST]
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=times, loop=0, **options)
    return buffer.getvalue()
