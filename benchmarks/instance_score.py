"""How often the score of the one-image concepts is right, on renders of which everything is known.

    python benchmarks/instance_score.py --renders 1200

Each case draws what a taught model may generate for a prompt of the suite: taught concepts in their own look, plain, in
another concept's look, or not at all; companions plain, in a taught look, or not at all; now and then a thing that was
not asked for, or another ground than the one named; other positions, sizes and angles. The image goes through the
autoencoder, with noise in its latents.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image

from heedful import world
from heedful.files import write_atomic
from heedful.prompts import Prompt
from heedful.report.grid import Grid, compose
from heedful.scores import InstanceScore
from heedful.scores.statistics import estimate
from heedful.world.instances import InstanceImage, one_image_concepts, one_image_concepts_three
from heedful.world.looks import Look
from heedful.world.render import render
from heedful.world.scene import PASTELS, Item, Scene
from heedful.world.tokenizer import build_tokenizer
from heedful.world.vocabulary import ANIMALS, BACKGROUNDS, CLASSES, COLOURS

_SIZES = {0: (28, 44), 1: (28, 44), 2: (24, 32), 3: (20, 25), 4: (17, 20)}
OWN, PLAIN, OTHERS, ABSENT = "own look", "plain", "another's look", "absent"


FIGURES = tuple(figure.name for figure in InstanceScore.figures)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A scene, its prompt, and what the score should say of it."""

    scene: Scene
    prompt: str
    figures: dict[str, float | None]


def draw_case(rng: np.random.Generator, image: InstanceImage) -> Known:
    """Draw what a taught model may generate for one of the image's prompts."""
    prompt = image.prompts[int(rng.integers(len(image.prompts)))]
    looks = {each.noun: each.look for each in image.instances}
    drawn: list[tuple[str, str | None, Look | None]] = []
    states, companions, leaked = [], [], False
    for noun in prompt.nouns:
        state = str(rng.choice([OWN, PLAIN, OTHERS, ABSENT], p=[0.7, 0.1, 0.1, 0.1]))
        states.append(state)
        other = looks[str(rng.choice([each for each in looks if each != noun]))]
        if state != ABSENT:
            colour = None if noun in ANIMALS or state != PLAIN else str(rng.choice(COLOURS))
            drawn.append((noun, colour, {OWN: looks[noun], PLAIN: None, OTHERS: other}[state]))
            leaked |= state == OTHERS
    words = prompt.text.split()
    for before, noun in pairwise(words):
        if noun in CLASSES and not before.startswith("<"):
            state = str(rng.choice([PLAIN, OTHERS, ABSENT], p=[0.7, 0.15, 0.15]))
            companions.append(state == PLAIN)
            if state == OTHERS:
                foreign = [look for owner, look in looks.items() if owner != noun]
                drawn.append((noun, None, foreign[int(rng.integers(len(foreign)))]))
                leaked = True
            elif state == PLAIN:
                colour = before if before in COLOURS else None if noun in ANIMALS else str(rng.choice(COLOURS))
                drawn.append((noun, colour, None))
    named = {word for word in words if word in CLASSES}
    has_extra = rng.random() < 0.15 and len(drawn) < max(_SIZES)
    others = [noun for noun in looks if noun not in named]
    if has_extra:
        pool = others if others and rng.random() < 0.5 else [noun for noun in CLASSES if noun not in named]
        noun = str(rng.choice(pool))
        drawn.append((noun, None if noun in ANIMALS else str(rng.choice(COLOURS)), None))
    asked = words[-2] if words[-1] == "background" else None
    ground = str(rng.choice(BACKGROUNDS)) if asked is None or rng.random() < 0.15 else asked
    tint = tuple(int(v) for v in np.clip(np.array(PASTELS[ground]) + rng.integers(-5, 6, 3), 0, 255))
    right = all(state == OWN for state in states) and all(companions) and asked in (None, ground)
    figures = {
        "carried": float(np.mean([state == OWN for state in states])),
        "leaked": float(leaked),
        "once": float(ABSENT not in states),
        "companions": float(np.mean(companions)) if companions else None,
        "extra": float(has_extra),
        "unasked": float(has_extra and drawn[-1][0] in others),
        "background": None if asked is None else float(asked == ground),
        "success": float(right and not leaked and not has_extra),
    }
    scene = Scene(draw_placed(rng, drawn), ground, tint, prompt.text)  # pyright: ignore[reportArgumentType]
    return Known(scene=scene, prompt=prompt.text, figures=figures)


def draw_placed(rng: np.random.Generator, wanted: list[tuple[str, str | None, Look | None]]) -> tuple[Item, ...]:
    """Return (noun, colour, look) each as an item at a random position, apart from the others."""
    low, high = _SIZES[len(wanted)]
    while True:
        items: list[Item] = []
        for noun, colour, look in wanted:
            size = int(rng.integers(low, high + 1))
            x, y = (int(value) for value in rng.integers(size // 2, 64 - size // 2 + 1, 2))
            turn = (bool(rng.random() < 0.5), int(rng.integers(-5, 6)))
            if all(max(abs(x - o.x), abs(y - o.y)) >= 0.9 * (size // 2 + o.size // 2) for o in items):
                items.append(Item(noun, colour, x, y, size, *turn, look=look))
        if len(items) == len(wanted):
            return tuple(items)


def _show(path: Path, arrays: np.ndarray) -> None:
    """Write the first of the images of which something wrong was said."""
    shown = np.stack([*arrays[:16], *[np.full((64, 64, 3), 255, np.uint8)] * (16 - len(arrays[:16]))])
    sheet = Image.fromarray(shown.reshape(2, 8, 64, 64, 3).swapaxes(1, 2).reshape(128, 512, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.resize((1536, 384), Image.Resampling.NEAREST).save(path)


@torch.no_grad()
def through(vae: Any, arrays: np.ndarray, noise: float, generator: torch.Generator) -> np.ndarray:
    """Return images after the autoencoder, with `noise` standard deviations of Gaussian noise in the latents."""
    pixels = torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 127.5 - 1
    decoded = []
    for batch in pixels.split(64):
        latents = vae.encode(batch).latent_dist.mode()
        noisy = latents + noise * latents.std() * torch.randn(latents.shape, generator=generator)
        decoded.append(vae.decode(noisy).sample.clamp(-1, 1))
    return ((torch.cat(decoded).permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy()


def _draw(vae: Any, images: Sequence[InstanceImage], path: Path) -> None:
    """Draw two images per row, each next to what the autoencoder makes of it, and say how near that is."""
    given = np.stack([np.asarray(Image.open(image.file).convert("RGB")) for image in images])
    decoded = through(vae, given, 0.0, torch.Generator())
    errors = np.square(given.astype(float) - decoded).mean(axis=(1, 2, 3))
    for image, error in zip(images, errors, strict=True):
        typer.echo(f"{image.name}: {10 * np.log10(255**2 / error):.1f} dB")
    pairs = [tuple(range(start, min(start + 2, len(images)))) for start in range(0, len(images), 2)]
    cells = [[Image.fromarray(each[index]) for index in pair for each in (given, decoded)] for pair in pairs]
    grid = Grid(
        title="One-image concepts",
        columns=["given", "decoded"] * 2,
        rows=[", ".join(images[index].name for index in pair) for pair in pairs],
        cells=[[*row, *[None] * (4 - len(row))] for row in cells],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    compose(grid).quantize(256, kmeans=1).save(path, optimize=True)


def main(
    renders: Annotated[int, typer.Option(help="How many images of each amount of noise.")] = 1200,
    seed: Annotated[int, typer.Option(help="Seed of the cases; 0 is what thresholds were chosen on.")] = 1,
    noises: Annotated[
        str, typer.Option(help="Standard deviations of the noise, over that of the latents.")
    ] = "0,0.1,0.2",
    three: Annotated[bool, typer.Option("--three", help="The images with three instances.")] = False,
    count: Annotated[int | None, typer.Option("--images", help="How many of the images.")] = None,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("out/instance-score"),
    sheet: Annotated[Path | None, typer.Option(help="Draw the images, as given and decoded, and do no more.")] = None,
) -> None:
    """Draw, decode, score, compare."""
    pipe, score, tokenizer = world.load(), InstanceScore(), build_tokenizer()
    images = (one_image_concepts_three() if three else one_image_concepts())[:count]
    if sheet is not None:
        _draw(pipe.vae, images, sheet)
        return
    tokenizer.add_tokens([each.placeholder for image in images for each in image.instances])
    rng, generator = np.random.default_rng((seed, 77)), torch.Generator().manual_seed(seed)
    cases = [draw_case(rng, images[index % len(images)]) for index in range(renders)]
    drawn = np.stack([render(case.scene) for case in cases])
    prompts = [Prompt.parse(case.prompt, tokenizer) for case in cases]
    figures: dict[str, Any] = {
        "renders": renders,
        "seed": seed,
        "three": three,
        "images": len(images),
        "score": repr(score),
    }
    for noise in (float(each) for each in noises.split(",")):
        arrays = through(pipe.vae, drawn, noise, generator)
        started = time.process_time()
        values = score([Image.fromarray(array) for array in arrays], prompts)
        seconds = time.process_time() - started
        row: dict[str, Any] = {"images_per_second_of_one_core": renders / seconds}
        for figure in FIGURES:
            pairs = [(value, case.figures[figure]) for value, case in zip(values[figure], cases, strict=True)]
            right = np.array([float(said == known) for said, known in pairs])
            is_asked = np.array([known is not None for _, known in pairs])
            row[figure] = asdict(estimate(right[is_asked, None]))
            _show(out / f"wrong-{figure}-{noise}.png", arrays[right == 0])
        figures[str(noise)] = row
        typer.echo(f"noise {noise}: " + json.dumps(row))
    write_atomic(out / "figures.json", json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
