"""Is the score of taught images right? Pages for a person's eye, from what `benchmarks/teaching.py` has taught.

    python benchmarks/teaching_audit.py --bfloat16 --teaching out/teaching --methods heedful-guided,heedful,disendiff
    heedful world agreement out/teaching-audit/audit.json          # when its fields `seen` are filled in

Generates the images of the records again, judges them again, and draws as many that obey as that do not. Each is shown
right of the training image, under its prompt, without its verdict. In `seen` a person writes `success`, or what is
wrong: `neglect` (a thing is missing, or a taught one has not its look), `leakage` (a look, a colour or a ground is
wrong), `duplicate`, `extra` (something that nobody asked for), `hybrid` (no clean object).
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from teaching import painted, taught
from teaching_variants import VARIANTS, Variant

from heedful.image_files import read_image
from heedful.lab import Judged
from heedful.lab.audit import shares_of
from heedful.report import write_audit
from heedful.scores.instance import InstanceScore
from heedful.world import DEFAULT, Verdict
from heedful.world.instances import InstanceImage, one_image_concepts


def main(
    out: Annotated[Path, typer.Option(help="Folder of the pages and the list.")] = Path("out/teaching-audit"),
    teaching: Annotated[Path, typer.Option(help="OUT of the teaching.")] = Path("out/teaching"),
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = "heedful-guided,heedful,disendiff",
    pictures: Annotated[str, typer.Option(help="Names of pictures, comma-separated; all unless given.")] = "",
    count: Annotated[int, typer.Option(help="How many images are shown.")] = 100,
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16, as in the records.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Generate, judge, draw, write pages."""
    torch.set_num_threads(threads)
    chosen = [photo for photo in one_image_concepts() if not pictures or photo.name in pictures.split(",")]
    judged = [
        one
        for name in methods.split(",")
        for photo in chosen
        for one in _judged(VARIANTS[name], photo, teaching, bfloat16)
    ]
    obeying = [one for one in judged if one.verdict.success]
    failing = [one for one in judged if not one.verdict.success]
    rng = np.random.default_rng(300)
    each = min(count // 2, len(obeying))
    drawn = [*_some(obeying, each, rng), *_some(failing, count - each, rng)]
    shares = shares_of([one.verdict for one in judged])
    typer.echo(f"List: {write_audit(_some(drawn, len(drawn), rng), shares, out, blind=True)}")


def _judged(variant: Variant, photo: InstanceImage, teaching: Path, bfloat16: bool) -> list[Judged]:
    pipe, _ = taught(variant, photo, DEFAULT, teaching, {}, bfloat16)
    images, prompts = painted(pipe, variant, photo, DEFAULT, 0, bfloat16)
    values = InstanceScore()(images, prompts)
    shown = np.asarray(read_image(photo.file).convert("RGB"))
    found = []
    for index, (image, prompt) in enumerate(zip(images, prompts, strict=True)):
        row = {name: each[index] for name, each in values.items()}
        both = np.concatenate([shown, np.full((shown.shape[0], 4, 3), 255, np.uint8), np.asarray(image)], 1)
        found.append(Judged(prompt.text, 1000 * index, both, _verdict(row)))
    return found


def _verdict(row: dict[str, Any]) -> Verdict:
    """Return the score's figures in the words of the judge of the embedded models; its success is the score's."""
    is_missing, is_companion_wrong = row["carried"] < 1, row["companions"] not in (None, 1)
    has_wrong_ground = row["background"] == 0
    verdict = Verdict(
        neglect=is_missing or is_companion_wrong,
        leakage=row["leaked"] > 0 or has_wrong_ground,
        hybrid=False,
        duplicate=row["once"] < 1 and not is_missing,
        extra=row["extra"] > 0,
        confidence=1.0,
    )
    # a taught thing that is there twice in its own look is carried, and once
    is_right = row["success"] == 1
    return verdict if verdict.success == is_right else Verdict(False, False, False, not is_right, False, 1.0)


def _some(found: list[Judged], count: int, rng: np.random.Generator) -> list[Judged]:
    return [found[int(index)] for index in rng.permutation(len(found))[:count]]


if __name__ == "__main__":
    typer.run(main)
