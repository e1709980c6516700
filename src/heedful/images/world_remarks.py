"""What is said before images of an embedded model are made: what it cannot show, and what its judge cannot see."""

from collections.abc import Sequence

from heedful.models import Model
from heedful.prompts import Prompt
from heedful.scores import Score, WorldScore
from heedful.world import CLASSES, COLOURS


def world_remarks(model: Model, prompts: Sequence[Prompt], scores: Sequence[Score]) -> list[str]:
    """Return a remark on words that an embedded model never saw, and one on taught things before its judge."""
    if not model.is_world:
        return []
    taught = "concepts_from" in model.on_top
    unknown = dict.fromkeys(word for prompt in prompts for word in _unknown(prompt))
    remarks = []
    if unknown:
        remarks.append(
            f"the embedded model has never seen {', '.join(unknown)}, so no image shows it, and success does not count "
            f"it. It knows {', '.join(CLASSES)}, and the colours {', '.join(COLOURS)}."
        )
    if taught and any(isinstance(score, WorldScore) for score in scores):
        remarks.append(
            "the judge of the embedded model does not know what was taught: its figures (world.*) do not say whether "
            "taught things look as they were taught. The score instance does."
        )
    return remarks


def _unknown(prompt: Prompt) -> list[str]:
    """Return the nouns and colours of a prompt's concepts that are no words of the world; taught words are skipped."""
    known = {*CLASSES, *COLOURS}
    words = [
        word
        for concept in prompt.concepts
        for text in (*(modifier.text for modifier in concept.modifiers), concept.noun)
        for word in text.lower().split()
    ]
    return [word for word in words if word not in known and not word.startswith("<")]
