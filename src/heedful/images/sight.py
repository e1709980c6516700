"""Images, and what the denoiser looked at while each was made."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from heedful.attention import describe
from heedful.errors import HeedfulError, UnsuitablePrompt
from heedful.guidance import Method
from heedful.images.painting import paint
from heedful.images.plan import Plan
from heedful.images.sampling import Sampling
from heedful.models import Model
from heedful.prompts import Prompt

MAP_FILES = ("maps.safetensors", "maps.json")


@dataclass(frozen=True, eq=False)
class Sight:
    """An image and its concept maps at every step."""

    prompt: Prompt
    seed: int
    method: str
    model: str
    image: Image.Image
    maps: Float[Tensor, "concept step height width"]
    """In [0, 1]: how much each cell looks at the concept, mean over heads and sites, after the step's update. In joint
    attention how much the concept looks at each cell, next to 1 over the number of tokens if all cells got the same."""

    @property
    def names(self) -> list[str]:
        """The concepts, as in the prompt; a name that stands there twice is numbered."""
        return seen_names(self.prompt)

    def figures(self) -> dict[str, Any]:
        """Return what there is to say in numbers, as plain JSON values."""
        return {
            "prompt": self.prompt.text,
            "seed": self.seed,
            "method": self.method,
            "model": self.model,
            "tokens": list(self.prompt.tokens),
            "concepts": [
                {"name": name, "tensor": _key(index, name), "token_indices": list(concept.token_indices)}
                for index, (name, concept) in enumerate(zip(self.names, self.prompt.concepts, strict=True))
            ],
            "map_size": {"height": self.maps.shape[-2], "width": self.maps.shape[-1]},
            "units": {
                "peak": "x, y from the upper left, in [0, 1]",
                "mean_attention": "mean over the cells, in [0, 1]",
                "overlap": "sum of minima over the smaller sum, in [0, 1]",
                "retention": "share of the cells above the mean that still are, against the step before, in [0, 1]",
            },
            "steps": describe(self.maps, self.names),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return one tensor (step, height, width) per concept, by a name that maps.json explains."""
        return {_key(index, name): self.maps[index].contiguous() for index, name in enumerate(self.names)}

    def files(self) -> dict[str, bytes]:
        """Return what `MAP_FILES` names."""
        text = json.dumps(self.figures(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        maps = save(self.tensors(), metadata={"prompt": self.prompt.text})
        return dict(zip(MAP_FILES, (maps, text.encode()), strict=True))


def seen_names(prompt: Prompt) -> list[str]:
    """Return the concepts of a prompt by name; a name that stands there twice is numbered."""
    names = [concept.name for concept in prompt.concepts]
    return [
        name if names.count(name) == 1 else f"{name} {names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]


def check_look(plan: Plan) -> None:
    """Raise `UnsuitablePrompt` if the first prompt of `plan` has no concepts to look for."""
    if not plan.prompts[0].concepts:
        raise UnsuitablePrompt(
            f"Expected a prompt that names things to look for, found none in {plan.prompts[0].text!r}. "
            "Mark them, as in a [cat], or give the concepts by name."
        )


def look(plan: Plan, on_step: Callable[[], None] = lambda: None) -> Sight:
    """Make the first image of `plan`, and return it with its maps.

    An image of which nothing is generated anew is shown as it is, at the size at which it was read. Raises what
    `check_look` and `heedful.guide` raise.
    """
    check_look(plan)
    case = next(plan.cases())
    (sight,) = look_at(
        plan.model, plan.sampling, [case.prompt], case.method, [case.seed], on_step=lambda _share: on_step()
    )
    inpainting = plan.sampling.inpainting
    if inpainting is not None and inpainting.is_kept:
        return replace(sight, image=inpainting.image.resize(sight.image.size, Image.Resampling.LANCZOS))
    return sight


def look_at(
    model: Model,
    sampling: Sampling,
    prompts: Sequence[Prompt],
    method: Method,
    seeds: Sequence[int],
    *,
    on_step: Callable[[float], None] = lambda images: None,
) -> list[Sight]:
    """Make an image of each prompt from the seed at the same position, and return each with its maps.

    `on_step` is called after each denoising step with the share of images that it did. Every prompt names concepts.
    Raises what `heedful.guide` raises.
    """
    painted = paint(model.pipe, sampling, prompts, method, seeds, on_step=on_step, keep_maps=True)
    if not all(painted.is_finite):
        raise HeedfulError("Expected images, got numbers that are not finite from the model. Try 32-bit precision.")
    seen = painted.guided.maps
    steps = [seen.concepts(step) for step in range(len(seen))]
    maps = [torch.stack([step[item] for step in steps], dim=1).float().cpu() for item in range(len(prompts))]
    return [
        Sight(prompt, seed, method.name, model.name, image, each)
        for prompt, seed, image, each in zip(prompts, seeds, painted.images, maps, strict=True)
    ]


def _key(index: int, name: str) -> str:
    return f"{index}.{name}"
