"""What the viewer of a run shows, as plain JSON values: maps by word and step, the image as it forms, losses.

`viewer/viewer.js` draws it, on the page and in notebooks.
"""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import ANCHORS
from heedful.prompts import Prompt, find_words
from heedful.steering.trace import RestartTrace, Trace

LARGEST_GRID = 32
"""Cells of the longer side of a map that is sent; larger ones are reduced to it by their means."""
_LEVELS = 65535
_SMALL = 256  # pixels


def view_data(
    prompt: Prompt,
    tokens: Float[Tensor, "step token height width"],
    *,
    image: Image.Image | None = None,
    previews: Sequence[Image.Image] = (),
    trace: Trace | None = None,
    item: int = 0,
    restart_step: int | None = None,
) -> dict[str, Any]:
    """Return what the viewer shows of one image.

    - `tokens`: what its cells look at, by step and token, in [0, 1].
    - `previews`: the image after each step; none where decoding them takes too long.
    - `trace`: what guidance did to image `item` of its run; None for a run that nobody steered.
    - `restart_step`: the step at which its images could restart.
    """
    tracks = _tracks(prompt)
    maps = _reduced(torch.stack([tokens[:, list(indices)].mean(1) for _, indices in tracks])) if tracks else None
    height, width = (1, 1) if maps is None else maps.shape[-2:]
    tops = [] if maps is None else maps.flatten(1).amax(1).tolist()
    return {
        "prompt": prompt.text,
        "size": {"height": height, "width": width, "steps": len(tokens)},
        "tracks": [{**track, "top": top} for (track, _), top in zip(tracks, tops, strict=True)],
        "maps": "" if maps is None else _packed(maps, tops),
        "colours": ANCHORS.tolist(),
        "image": None if image is None else data_url(image),
        "previews": [data_url(each) for each in previews],
        **_guidance(trace, item, len(tokens), restart_step),
    }


def data_url(image: Image.Image) -> str:
    """Return an image as a data URL: small ones as they are, as PNG, larger ones as WEBP, which takes less."""
    kind = "PNG" if max(image.size) <= _SMALL or image.mode == "RGBA" else "WEBP"
    buffer = BytesIO()
    image.save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{b64encode(buffer.getvalue()).decode()}"


def word_tokens(prompt: Prompt) -> list[tuple[str, tuple[int, ...]]]:
    """Return the words of a prompt in order, each with its tokens; those without a token are left out."""
    places: list[tuple[int, int, int]] = []
    end = 0
    for index in range(prompt.first, prompt.end):
        token = prompt.tokens[index].strip()
        start = prompt.text.find(token, end) if token else -1
        if start >= 0:
            end = start + len(token)
            places.append((index, start, end))
    words = []
    for span in find_words(prompt.text):
        found = tuple(index for index, start, stop in places if start < span.end and stop > span.start)
        if found:
            words.append((span.of(prompt.text), found))
    return words


def _tracks(prompt: Prompt) -> list[tuple[dict[str, Any], tuple[int, ...]]]:
    """Return what has a map: each concept, then each word."""
    owner = {index: number for number, concept in enumerate(prompt.concepts) for index in concept.phrase}
    concepts = [
        ({"kind": "concept", "name": concept.name, "concept": number}, concept.token_indices)
        for number, concept in enumerate(prompt.concepts)
    ]
    words = [
        ({"kind": "word", "name": word, "concept": owner.get(found[0])}, found) for word, found in word_tokens(prompt)
    ]
    return [*concepts, *words]


def _reduced(maps: Float[Tensor, "track step height width"]) -> Float[Tensor, "track step rows columns"]:
    maps = maps.detach().float().cpu().nan_to_num(nan=0.0)
    longer = max(maps.shape[-2:])
    if longer <= LARGEST_GRID:
        return maps
    rows, columns = (max(1, round(side * LARGEST_GRID / longer)) for side in maps.shape[-2:])
    return F.adaptive_avg_pool2d(maps, (rows, columns))


def _packed(maps: Float[Tensor, "track step height width"], tops: Sequence[float]) -> str:
    """Return the maps as whole numbers of 16 bits, each track relative to its highest value."""
    relative = maps.numpy() / np.maximum(np.array(tops, dtype=np.float32), 1e-12)[:, None, None, None]
    return b64encode((relative.clip(0, 1) * _LEVELS).round().astype("<u2").tobytes()).decode()


def _guidance(trace: Trace | None, item: int, steps: int, restart_step: int | None) -> dict[str, Any]:
    """Return the losses of an image by step, where its updates were refined, and whether it restarted."""
    losses: list[float | None] = [None] * steps
    refinements = [0] * steps
    for step in trace.steps if trace is not None else ():
        if step.step < steps and len(step.loss) > item and np.isfinite(step.loss[item]):
            losses[step.step], refinements[step.step] = round(step.loss[item], 6), step.refinements[item]
    updated = sum(loss is not None for loss in losses)
    says = "No step was steered."
    if updated:
        where = "step that was" if updated == 1 else f"{updated} steps that were"
        says = f"The loss, at the {where} steered. Less is better."
    if trace is not None and trace.noises:
        says += f" Before the first step, {trace.noises[item].iterations} moves of the noise."
    restart = _restart(trace.restarts[item], restart_step) if trace is not None and trace.restarts else None
    return {"losses": losses, "refinements": refinements, "restart": restart, "says": says}


def _restart(restart: RestartTrace, step: int | None) -> dict[str, Any] | None:
    """Return at which step other noises were tried, and what came of it; None where none was."""
    if restart.tries == 0 or step is None:
        return None
    noises = "1 new noise" if restart.tries == 1 else f"{restart.tries} new noises"
    return {
        "step": step,
        "says": f"{noises} tried, {'the first one kept' if restart.chosen == 0 else 'a new one taken'}",
    }
