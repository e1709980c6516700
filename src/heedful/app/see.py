"""See: one image, and where the model looks for each word of its prompt while it forms."""

import json
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from heedful.app.jobs import News
from heedful.app.models import Models, sampling_options
from heedful.app.state import State
from heedful.app.steer import opened, unknown_words
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from heedful.attention import Segment
    from heedful.images import Plan
    from heedful.models import Model

KEPT = 6
"""Looks whose masks and animations can be asked for; earlier ones are forgotten."""


@dataclass(frozen=True)
class Look:
    """What is kept of an image that was looked at."""

    image: "Image.Image"
    maps: "dict[str, Tensor]"
    """Of each concept by its name: (step, height, width)."""
    previews: "list[Image.Image]"
    coco: str
    """The masks as COCO JSON; empty where there are none."""


class Looks:
    """The latest looks, by a name that nobody guesses."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Look] = OrderedDict()

    def keep(self, look: Look) -> str:
        """Keep a look, forget the oldest, and return its name."""
        name = uuid4().hex
        self._kept[name] = look
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Look:
        """Return a look by its name; raises `SettingsError` for one that is forgotten."""
        if name not in self._kept:
            raise SettingsError("This image is no longer kept. Look at it again, then save.")
        return self._kept[name]


def see(models: Models, looks: Looks, state: State, say: Callable[[News], None], check: Callable[[], None]) -> None:
    """Make the image of a state and say where the model looked; raises what `check_look` and `heedful.guide` raise."""
    from heedful.guidance import view_data
    from heedful.image_files import png_bytes
    from heedful.images import check_look, paint

    model = opened(models, state, say)
    check()
    plan = see_plan(model, state)
    check_look(plan)
    case, sampling = next(plan.cases()), plan.sampling
    done, previews = [0.0], list[Any]()

    def on_step(share: float) -> None:
        check()
        done[0] += share
        say({"kind": "progress", "step": round(done[0] * sampling.steps), "of": sampling.steps, "done": done[0]})

    def on_latents(latents: "Tensor") -> None:
        previews.append(preview(model, latents))

    is_unet = getattr(model.pipe, "unet", None) is not None  # joint attention has none that could be read apart
    painted = paint(
        model.pipe, sampling, [case.prompt], case.method, [case.seed], on_step=on_step, keep_maps=True,
        keep_self_attention=case.prompt.has_start and is_unet, on_latents=on_latents if model.is_world else None,
    )  # fmt: skip
    image, guided = painted.images[0], painted.guided
    prompt = guided.maps.prompts[0]
    segments = _segments(guided.maps, image)
    maps = {name: guided.maps[name][0].float().cpu() for name in guided.maps.names}
    name = looks.keep(Look(image, maps, previews, _coco(plan, image, segments)))
    data = view_data(
        prompt, guided.maps.tokens[0], image=image, previews=previews, trace=guided.trace,
        restart_step=guided.settings.restart_step(sampling.steps),
    )  # fmt: skip
    say(
        {
            "kind": "look",
            "name": name,
            "png": b64encode(png_bytes(image)).decode(),
            "view": data,
            "cutouts": [_cutout(image, segment) for segment in segments if segment.mask.any()],
            "method": case.method.name,
            "seed": case.seed,
            "unknown": unknown_words(plan),
            "remarks": list(plan.remarks),
        }
    )
    say({"kind": "done"})


def see_plan(model: "Model", state: State) -> "Plan":
    """Return the plan of `heedful see` for a state; raises what `make_plan` raises."""
    from heedful.guidance import find_method
    from heedful.images import Request, make_plan, parse_seeds, prompt_lines

    request = Request(
        prompts=prompt_lines([state.prompt]),
        methods=[find_method(state.seen_method)],
        seeds=parse_seeds(str(state.seed)),
        sampling=sampling_options(state, batch=False),
    )
    return make_plan(model, request)


def preview(model: "Model", latents: "Tensor") -> "Image.Image":
    """Return the first of some latents as an image, which changes nothing of its run."""
    import torch

    pipe: Any = model.pipe
    config = pipe.vae.config
    with torch.no_grad():
        scaled = latents[:1] / config.scaling_factor + (getattr(config, "shift_factor", None) or 0.0)
        decoded = pipe.vae.decode(scaled.to(pipe.vae.dtype), return_dict=False)[0]
    return pipe.image_processor.postprocess(decoded, output_type="pil")[0]


def animation(look: Look, kind: str) -> bytes:
    """Return the maps over the steps as an animation, `kind` GIF or WEBP: the image as it forms, and each concept."""
    from heedful.report import map_animation

    return map_animation(look.image, look.maps, look.previews, kind=kind)


def _segments(maps: Any, image: "Image.Image") -> "list[Segment]":
    """Return the masks of the concepts; none for a text encoder without the start token that they need."""
    from heedful.attention import MaskRule

    return MaskRule()(maps, [image])[0] if maps.prompts[0].has_start else []


def _cutout(image: "Image.Image", segment: "Segment") -> dict[str, Any]:
    """Return a concept cut out of its image."""
    from PIL import Image

    from heedful.guidance import data_url

    cut = image.convert("RGBA")
    cut.putalpha(Image.fromarray(segment.mask).convert("L"))
    return {"name": segment.concept.name, "score": round(segment.score, 3), "image": data_url(cut)}


def _coco(plan: "Plan", image: "Image.Image", segments: "list[Segment]") -> str:
    """Return the masks of an image as the command `generate` writes them."""
    from heedful.images import MASKS_NOTE, Entry, Gallery, describe_segments, encode, write_coco

    if not segments:
        return ""
    case = next(plan.cases())
    entry = Entry(case.settings(plan.settings[case.method.name]), {MASKS_NOTE: describe_segments(segments)})
    with TemporaryDirectory() as folder:
        gallery = Gallery(Path(folder))
        with gallery.locked():
            gallery.write_images({case.image: encode(image, entry)})
            return json.dumps(json.loads(write_coco(gallery).read_text(encoding="utf-8")), ensure_ascii=False)
