"""A study: a claim about attention, tested on prompts x seeds of the embedded model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from heedful.attention import ImagePipeline
from heedful.errors import SettingsError
from heedful.guidance import Method
from heedful.lab.trial import Trial
from heedful.lab.watch import Read, Watched, watch
from heedful.models import Model
from heedful.world import Detector, detector_folder, split_prompts

Records = Mapping[str, Sequence[Watched]]
"""The records of each method, by its name."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """Which images a study looks at, what it reads from their maps, and what it asks of what was read.

    Studies with the same `values` and methods look at the same images, which are generated once.
    """

    name: str
    methods: tuple[Method, ...]
    values: str
    """The name of what is read, in the names and the first lines of the records' files."""
    reader: Callable[[], Read]
    ask: Callable[[Records, Trial], dict[str, Any]]

    def watch(
        self,
        pipe: ImagePipeline,
        detector: Detector,
        trial: Trial,
        folder: Path,
        *,
        weights: str,
        on_images: Callable[[str, int, int], None] = lambda method, done, total: None,
    ) -> Records:
        """Generate a trial by every method, from the same noise, and return the records; see `heedful.lab.watch`.

        Records go to `folder/VALUES-METHOD.jsonl`. `on_images` gets the method's name too.
        """
        read = self.reader()
        return {
            method.name: watch(
                pipe,
                detector,
                trial,
                method,
                read,
                folder / f"{self.values}-{method.name}.jsonl",
                values=self.values,
                weights=weights,
                on_images=lambda done, total, name=method.name: on_images(name, done, total),
            )
            for method in self.methods
        }

    def figures(self, records: Records, trial: Trial) -> dict[str, Any]:
        """Return what the study found, as plain JSON values."""
        return {"study": self.name, **self.ask(records, trial)}


def study_prompts(count: int) -> tuple[str, ...]:
    """Return the first `count` prompts of the development half: what a study teaches may shape methods.

    Raises `SettingsError` if there are not as many.
    """
    development, _ = split_prompts()
    if not 1 <= count <= len(development):
        raise SettingsError(f"Expected 1 to {len(development)} prompts, the development half, got {count}.")
    return development[:count]


def weights_of(model: Model) -> str:
    """Return the fingerprint of a world model and of its detector, which judges what the model generates."""
    folder = detector_folder(model.folder) or model.folder
    detector = sha256((folder / "detector.safetensors").read_bytes()).hexdigest()[:12]
    return f"{model.weights}-{detector}"
