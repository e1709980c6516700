"""Who says whether an image shows its prompt.

Knows that the embedded world comes with a detector, whose answer is exact enough to count. Knows no other detector:
for real models success is not judged here.
"""

from collections.abc import Callable, Sequence

from PIL import Image

from heedful.models import Model
from heedful.world import Detector, detector_folder, expectations, judge

Judge = Callable[[Sequence[Image.Image], str], list[bool] | None]
"""Images of one prompt to whether each shows every concept exactly once in its colour; None if it cannot say."""


def find_judge(model: Model) -> Judge | None:
    """Return the judge that comes with `model`, or None if it has none."""
    folder = detector_folder(model.folder) if model.is_world else None
    if folder is None:
        return None
    detector = Detector.load(folder)

    def verdicts(images: Sequence[Image.Image], prompt: str) -> list[bool] | None:
        if not expectations(prompt):
            return None
        return [judge(prompt, detections).success for detections in detector(images)]

    return verdicts
