from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import heedful
from heedful import world
from heedful.attention import Maps, SiteSelection
from heedful.errors import SettingsError
from heedful.guidance import Settings
from heedful.lab.pointing_game import (
    MEAN,
    PointedImage,
    PointedObject,
    is_inside,
    once_each,
    play,
    pointing_figures,
)
from heedful.lab.trial import Trial
from heedful.prompts import Prompt
from heedful.report import pointing_table
from heedful.world.detector import Detection, Detector
from heedful.world.judge import expectations
from heedful.world.tokenizer import build_tokenizer

TRIAL = Trial(prompts=("a cat and a blue clock", "a bird with a crown"), seeds=(0, 1), steps=4, batch=2)
LEFT, RIGHT = (0.0, 0.0, 32.0, 64.0), (32.0, 0.0, 64.0, 64.0)


class Told(Detector):
    """Finds in every image what it was told to: here both classes of every prompt, one in each half."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, images) -> list[list[Detection]]:
        return [
            [Detection(name, "natural", box, 0.9) for name, box in zip(self.names, (LEFT, RIGHT), strict=False)]
            for _ in images
        ]


def test_the_concepts_of_every_prompt_are_those_the_judge_expects() -> None:
    tokenizer = build_tokenizer()
    for text in world.two_concept_prompts():
        nouns = [concept.noun for concept in Prompt.parse(text, tokenizer).concepts]
        assert nouns == [concept.name for concept in expectations(text)]


def test_peaks_are_those_of_a_run_that_is_only_watched(pipe, tmp_path: Path) -> None:
    trial = replace(TRIAL, prompts=TRIAL.prompts[:1])
    images = play(pipe, Told("cat", "clock"), trial, tmp_path / "pointing.jsonl")
    assert [(image.seed, each.name, each.box) for image in images for each in image.objects] == [
        (0, "cat", list(LEFT)), (0, "clock", list(RIGHT)), (1, "cat", list(LEFT)), (1, "clock", list(RIGHT))
    ]  # fmt: skip
    settings = Settings(sites=SiteSelection(blocks=("up",), scale=2))
    prompts = [trial.prompts[0]] * 2
    with heedful.guide(pipe, prompts, heedful.methods.NONE, settings=settings) as guided:
        pipe(
            prompts,
            generator=[torch.Generator().manual_seed(seed) for seed in trial.seeds],
            num_inference_steps=trial.steps,
            guidance_scale=trial.guidance_scale,
            output_type="np",
        )
    maps = guided.maps["cat"]
    for image in images:
        each = image.objects[0]  # the cat
        smoothed = Maps(maps[image.seed][:, None]).smooth().tokens[:, 0]
        assert each.peaks[MEAN] == [list(divmod(int(one.argmax()), 8)) for one in maps[image.seed]]
        assert each.smoothed[MEAN] == [list(divmod(int(one.argmax()), 8)) for one in smoothed]
        assert each.smoothed_mean[MEAN] == list(divmod(int(smoothed.mean(0).argmax()), 8))
    assert set(each.grids) == {*(site.name for site in heedful.attention.find_sites(pipe.unet)), MEAN}
    assert len(each.peaks[MEAN]) == trial.steps


def test_a_killed_game_goes_on_to_the_same_objects(pipe, tmp_path: Path) -> None:
    detector = Told("cat", "clock")
    whole = play(pipe, detector, TRIAL, tmp_path / "whole.jsonl")
    assert [len(image.objects) for image in whole] == [2, 2, 0, 0]  # the bird is never found

    def kill(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(pipe, detector, TRIAL, tmp_path / "killed.jsonl", on_images=kill)
    assert len((tmp_path / "killed.jsonl").read_text().splitlines()) == 1 + 2
    assert play(pipe, detector, TRIAL, tmp_path / "killed.jsonl") == whole
    assert (tmp_path / "killed.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_a_game_of_others_is_refused(pipe, tmp_path: Path) -> None:
    play(pipe, Told(), replace(TRIAL, seeds=(0,)), tmp_path / "pointing.jsonl")
    with pytest.raises(SettingsError, match="delete the file"):
        play(pipe, Told(), TRIAL, tmp_path / "pointing.jsonl")
    with pytest.raises(SettingsError, match="at least 3 steps"):
        play(pipe, Told(), replace(TRIAL, steps=2), tmp_path / "pointing.jsonl")


def pointed(prompt: str, box: tuple[float, float, float, float], *peaks: tuple[int, int]) -> PointedImage:
    """An object whose smoothed maps peak where the step before did, and their mean where the last one does."""
    now = [list(peak) for peak in peaks]
    late = [now[-1], *now[:-1]]
    return PointedImage(
        prompt, 0, [PointedObject("cat", list(box), {"site": 8}, {"site": now}, {"site": late}, {"site": now[-1]})]
    )


def test_a_peak_in_the_box_is_a_hit_and_chance_is_what_the_box_covers() -> None:
    quarter = (0.0, 0.0, 32.0, 32.0)
    images = [
        pointed("a cat", quarter, (0, 0), (3, 3), (4, 4)),
        pointed("a dog", quarter, (7, 7), (0, 0), (0, 7)),
    ]
    figures = pointing_figures(images)
    site = figures["sites"]["site"]
    assert figures["objects"] == figures["prompts"] == 2
    assert site["chance"] == 0.25
    assert site["by_step"] == [0.5, 1.0, 0.0]
    assert [site["thirds"][third]["value"] for third in ("early", "middle", "late")] == [0.5, 1.0, 0.0]
    assert site["all"]["value"] == pytest.approx(0.5)
    # two prompts, with 2/3 and 1/3, say next to nothing
    assert site["all"]["low"] == pytest.approx(0.0134, abs=1e-4)
    assert site["all"]["high"] == pytest.approx(0.9866, abs=1e-4)
    printed = pointing_table(figures)
    assert "| site | raw | 8x8 | 0.25 | 0.50 | 1.00 | 0.00 | 0.500 [0.013, 0.987] |" in printed
    assert figures["smoothed"]["site"]["by_step"] == [0.0, 0.5, 1.0]
    assert "| site | smoothed | 8x8 | 0.25 | 0.00 | 0.50 | 1.00 | 0.500 [0.013, 0.987] |" in printed
    # one map for the whole run: nothing to say by step
    assert set(figures["smoothed_mean"]["site"]) == {"cells", "chance", "all"}
    assert "| site | smoothed, mean of the steps | 8x8 | 0.25 |  |  |  | 0.000 [0.000, 0.988] |" in printed


def test_single_heads_stand_in_tables_of_their_own() -> None:
    image = pointed("a cat", (0.0, 0.0, 32.0, 32.0), (0, 0), (3, 3), (4, 4))
    (found,) = image.objects
    sites = [f"blocks.{block}.attn (text over image, head {head})" for block in (0, 1) for head in (0, 1)]
    grids = dict.fromkeys(sites, 8) | {"blocks.0.attn (text over image)": 8}
    hits = {site: [0, 0] if site.endswith("head 1)") else [7, 7] for site in grids}
    steps = {site: [hit] * 3 for site, hit in hits.items()}
    found = replace(found, grids=grids, peaks=steps, smoothed=steps, smoothed_mean=hits)
    printed = pointing_table(pointing_figures([replace(image, objects=[found])]))
    above, _, heads = printed.partition("Text over image, by head")
    assert "| blocks.0.attn (text over image) |" in above
    assert "head 1" not in above
    assert heads.count("| 0.00 | 1.00 |") == 2


def test_no_objects_give_no_figures() -> None:
    assert pointing_figures([]) == {"objects": 0, "sites": {}, "smoothed": {}, "smoothed_mean": {}}
    assert pointing_table(pointing_figures([])).count("\n") == 2


@pytest.mark.parametrize("side", [4, 8, 16])
def test_half_of_the_cells_lie_in_half_of_the_image(side: int) -> None:
    inside = np.array([[is_inside(row, column, side, LEFT) for column in range(side)] for row in range(side)])
    assert inside[:, : side // 2].all()
    assert not inside[:, side // 2 :].any()


def test_only_images_with_each_concept_once_are_played() -> None:
    cat, clock = (Detection(name, "mixed", LEFT, 0.5) for name in ("cat", "clock"))
    assert once_each("a cat and a blue clock", [clock, cat]) == [cat, clock]
    assert once_each("a cat and a blue clock", [cat, clock, cat]) is None
    assert once_each("a cat and a blue clock", [cat]) is None
