"""Benchmark suites: lists of prompts with their kinds, as data. Those that do not come with heedful are files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from heedful.bench.suite_files import read_geneval, read_prompts, read_t2i_compbench
from heedful.errors import SettingsError
from heedful.images import PromptLine
from heedful.world import (
    InstanceImage,
    one_image_concepts,
    one_image_concepts_three,
    prompt_kind,
    single_concept_prompts,
    split_prompts,
    split_three_concept_prompts,
    three_concept_prompts,
    two_concept_prompts,
)


@dataclass(frozen=True)
class Suite:
    """Prompts to be compared on, in a fixed order: the position of a prompt decides its noise."""

    name: str
    lines: tuple[PromptLine, ...]

    def first(self, count: int | None) -> "Suite":
        """Return the suite's first `count` prompts; all of them for None. Raises `SettingsError` below 1."""
        if count is not None and count < 1:
            raise SettingsError(f"Expected a limit of 1 prompt or more, got {count}.")
        return Suite(self.name, self.lines[:count])


@dataclass(frozen=True)
class Origin:
    """Where the prompts of a named suite come from."""

    says: str
    """One sentence."""
    make: Callable[[], tuple[PromptLine, ...]] | None = None
    """The prompts that come with heedful."""
    parts: Callable[[], dict[str, tuple[PromptLine, ...]]] | None = None
    """Their parts by name, each a suite of its own: "one-image-concepts/cat-dog"."""
    read: Callable[[Path], tuple[PromptLine, ...]] | None = None
    """How the user's own copy is read."""


def _world(prompts: Callable[[], tuple[str, ...]], kind: Callable[[str], str] = prompt_kind) -> Callable[..., tuple]:
    return lambda: tuple(PromptLine(prompt, kind=kind(prompt)) for prompt in dict.fromkeys(prompts()))


def _parts(images: Callable[[], tuple[InstanceImage, ...]]) -> Callable[[], dict[str, tuple[PromptLine, ...]]]:
    @cache
    def parts() -> dict[str, tuple[PromptLine, ...]]:
        return {
            image.name: tuple(
                PromptLine(prompt.text, kind=prompt.kind, concepts=_phrases(prompt.text)) for prompt in image.prompts
            )
            for image in images()
        }

    return parts


def _phrases(text: str) -> tuple[str, ...]:
    """The things in a prompt of the one-image concepts: a background is no concept."""
    return tuple(phrase.removeprefix("a ") for phrase in text.partition(" on ")[0].split(" and "))


def _whole(parts: Callable[[], dict[str, tuple[PromptLine, ...]]]) -> Callable[[], tuple[PromptLine, ...]]:
    return lambda: tuple(line for lines in parts().values() for line in lines)


_TWO, _THREE = _parts(one_image_concepts), _parts(one_image_concepts_three)

SUITES: dict[str, Origin] = {
    "attend-and-excite": Origin(
        "The 276 two-concept prompts of Attend-and-Excite: animals, and objects in colours.",
        make=_world(two_concept_prompts),
    ),
    "world-single": Origin(
        "156 single concepts of the embedded world: 24 classes, and 12 objects in 11 colours.",
        make=_world(single_concept_prompts),
    ),
    "world-two-development": Origin(
        "The half (138) of the two-concept prompts that methods may be tuned on.",
        make=_world(lambda: split_prompts()[0]),
    ),
    "world-two-report": Origin(
        "The other half (138), for figures to be reported.",
        make=_world(lambda: split_prompts()[1]),
    ),
    "world-three": Origin(
        "59 prompts with three concepts of the embedded world, drawn with a stated seed.",
        make=_world(three_concept_prompts, lambda _: "three"),
    ),
    "world-three-development": Origin(
        "The half (30) of the three-concept prompts that methods may be tuned on.",
        make=_world(lambda: split_three_concept_prompts()[0], lambda _: "three"),
    ),
    "world-three-report": Origin(
        "The other half (29), for figures to be reported.",
        make=_world(lambda: split_three_concept_prompts()[1], lambda _: "three"),
    ),
    "one-image-concepts": Origin(
        "30 images with two instances to be taught, 30 prompts each. Those of one image: one-image-concepts/cat-dog.",
        make=_whole(_TWO),
        parts=_TWO,
    ),
    "one-image-concepts-three": Origin(
        "3 images with three instances to be taught, 40 prompts each.",
        make=_whole(_THREE),
        parts=_THREE,
    ),
    "geneval": Origin(
        "GenEval (Ghosh et al. 2023), from your copy of its evaluation_metadata.jsonl.", read=read_geneval
    ),
    "t2i-compbench": Origin(
        "T2I-CompBench (Huang et al. 2023), from your copy of its folder of *_val.txt, or one of these files.",
        read=read_t2i_compbench,
    ),
}
"""The suites by their names on the command line. Any other suite is a file: one prompt per line, or JSONL."""


def find_suite(name: str, prompts: Path | None = None) -> Suite:
    """Return the suite called `name`, or the suite in the file `name` (*.txt, *.jsonl), named after the file.

    `prompts` is the user's copy of the prompts, for a suite that does not come with heedful. Raises `SettingsError`.
    """
    origin = SUITES.get(name) or _part(name)
    if origin is None:
        file = Path(name).expanduser()
        if not file.is_file():
            raise SettingsError(
                f"Expected one of the suites {', '.join(SUITES)}, or a file of prompts, got {name!r}, which is neither."
            )
        if prompts is not None:
            raise SettingsError(
                f"Expected a copy of the prompts only with geneval or t2i-compbench, got one with {name}."
            )
        return Suite(file.stem, read_prompts(file))
    if origin.make is not None:
        if prompts is not None:
            raise SettingsError(f"Expected no file of prompts for the suite {name}, which has its own, got {prompts}.")
        return Suite(name, origin.make())
    if prompts is None:
        raise SettingsError(
            f"Expected your copy of the prompts of {name}, got none. Name its file or folder. {origin.says}"
        )
    assert origin.read is not None
    return Suite(name, origin.read(prompts))


def _part(name: str) -> Origin | None:
    """Return the part of a suite that is called "SUITE/PART"; None if it is none. Raises `SettingsError`."""
    whole, _, part = name.partition("/")
    origin = SUITES.get(whole)
    if not part or origin is None or origin.parts is None:
        return None
    parts = origin.parts()
    if part not in parts:
        raise SettingsError(f"Expected one of the parts {', '.join(parts)} of {whole}, got {part!r}.")
    return Origin(f"A part of {whole}.", make=lambda: parts[part])
