import shutil
from dataclasses import replace
from pathlib import Path

from PIL import Image

import heedful
from heedful import world
from heedful.models import open_model
from heedful.prompts import Prompt
from heedful.scores import (
    SCORES,
    AttentionScore,
    Original,
    Score,
    WorldScore,
    default_scores,
    evaluate,
    find_figure,
)
from heedful.scores.clip import B16, B32, ClipImage, ClipText


def made() -> dict[str, Score]:
    originals = (Original(image=Path("photo.png")),)
    needing = {"clip-image", "clip-image-b32", "dino"}
    return {name: make(originals=originals) if name in needing else make() for name, make in SCORES.items()}


def test_every_column_of_the_catalogue_has_a_name_of_its_own() -> None:
    columns = [column for score in made().values() for column in score.columns]
    assert len(columns) == len(set(columns))
    assert {"world.success", "attention.overlap", "clip.text", "clip.text_min", "dino.image"} <= set(columns)


def test_every_column_of_a_record_leads_to_its_score_and_figure() -> None:
    for score in made().values():
        for column, figure in zip(score.columns, score.figures, strict=True):
            assert find_figure(column) == (type(score), figure)
    assert find_figure("beauty.truth") is None


def test_what_needs_maps_or_originals_says_so() -> None:
    scores = made()
    assert {name for name, score in scores.items() if score.needs_maps} == {"attention"}
    assert {name for name, score in scores.items() if score.needs_originals} == {"clip-image", "clip-image-b32", "dino"}


def test_published_settings_are_those_of_the_papers() -> None:
    scores = made()
    assert scores["clip-b16"] == ClipText(name="clip-b16", model=B16, templates="imagenet")
    assert scores["clip-image-b32"] == ClipImage(
        name="clip-b32", model=B32, originals=(Original(image=Path("photo.png")),)
    )


def test_a_run_that_names_no_score_gets_those_that_can_judge_its_model(
    tmp_path: Path, renders: list[Image.Image], captions: list[Prompt]
) -> None:
    model = open_model()
    assert default_scores(model) == (WorldScore(), AttentionScore(), ClipText())
    assert default_scores(replace(model, is_world=False)) == (AttentionScore(boxes=None),)
    assert default_scores(replace(model, folder=tmp_path)) == (AttentionScore(boxes=None),)
    shutil.copy(world.WEIGHTS / "detector.safetensors", tmp_path)
    assert [score.name for score in default_scores(replace(model, folder=tmp_path))] == ["world", "attention"]
    shutil.copytree(world.WEIGHTS / "clip", tmp_path / "clip")
    judge, _, clip = default_scores(replace(model, folder=tmp_path))
    values = evaluate(renders[:5], captions[:5], [judge, clip])
    assert values == evaluate(renders[:5], captions[:5], [WorldScore(), ClipText()])


def test_scores_are_cited_like_methods() -> None:
    assert "t2icompbench" in heedful.cite(made()["blip-vqa"])
