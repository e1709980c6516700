"""What is said before images of an embedded model are made of which its judge knows too little."""

from collections.abc import Sequence

from heedful.models import Model
from heedful.scores import Score, WorldScore


def world_remarks(model: Model, scores: Sequence[Score]) -> list[str]:
    """Return a remark if the judge of the embedded model is to judge taught things."""
    is_taught = model.is_world and "concepts_from" in model.on_top
    return [WorldScore.TAUGHT] if is_taught and any(isinstance(score, WorldScore) for score in scores) else []
