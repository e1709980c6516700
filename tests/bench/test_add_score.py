"""Scores of images that are there already."""

from pathlib import Path

import pytest

from heedful.bench import BenchFolder, add_scores, read_records
from heedful.errors import SettingsError
from heedful.guidance.methods import NONE
from heedful.models import Model, load_tokenizer
from heedful.scores import AttentionScore, WorldScore
from tests.bench.conftest import Run
from tests.bench.test_run import Picky


def test_a_later_score_is_that_of_the_run(run: Run, model: Model, tmp_path: Path) -> None:
    run(tmp_path / "at once", methods=[NONE])
    run(tmp_path / "later", methods=[NONE], scores=())
    folder = BenchFolder(tmp_path / "later")
    added = add_scores(folder, [WorldScore()], load_tokenizer(str(model.folder)), batch_size=3)
    assert (added.images, added.there, added.failures) == (8, 0, ())
    later, at_once = (
        {row["key"]: row["scores"] for row in read_records(tmp_path / name)} for name in ("later", "at once")
    )
    assert later == at_once
    assert (
        folder.runs()[-1]["scores"] == {"world": {"version": 1, "class": "WorldScore"}}
        and folder.runs()[-1]["methods"] == {}
    )
    again = add_scores(folder, [WorldScore()], load_tokenizer(str(model.folder)))
    assert (again.images, again.there) == (0, 8) and len(folder.runs()) == 2


def test_an_unreadable_image_is_named_and_tried_again(run: Run, model: Model, tmp_path: Path) -> None:
    run(tmp_path, methods=[NONE], seeds=[0], scores=())
    cut, gone = sorted(tmp_path.glob("none/*/*.png"))[:2]
    whole = cut.read_bytes(), gone.read_bytes()
    cut.write_bytes(whole[0][: len(whole[0]) // 2])
    gone.unlink()
    folder, tokenizer = BenchFolder(tmp_path), load_tokenizer(str(model.folder))
    added = add_scores(folder, [WorldScore()], tokenizer)
    assert added.images == 2 and {image for image, _ in added.failures} == {
        path.relative_to(tmp_path).as_posix() for path in (cut, gone)
    }
    cut.write_bytes(whole[0])
    gone.write_bytes(whole[1])
    assert add_scores(folder, [WorldScore()], tokenizer).images == 2
    assert all("world.success" in row["scores"] for row in read_records(tmp_path))


def test_a_score_that_raises_leaves_out_its_image_alone(run: Run, model: Model, tmp_path: Path) -> None:
    run(tmp_path, methods=[NONE], seeds=[0], scores=())
    added = add_scores(BenchFolder(tmp_path), [Picky()], load_tokenizer(str(model.folder)))
    assert added.images == 3
    assert added.failures == (("none/a dog and a bear/1000.png", "ArithmeticError: no bears"),)


def test_a_score_that_needs_maps_cannot_come_later(tmp_path: Path, model: Model) -> None:
    with pytest.raises(SettingsError, match="needs the maps that only a run has"):
        add_scores(BenchFolder(tmp_path), [AttentionScore()], load_tokenizer(str(model.folder)))


def test_a_folder_without_a_benchmark_is_refused(tmp_path: Path, model: Model) -> None:
    with pytest.raises(SettingsError, match="Expected a benchmark in"):
        add_scores(BenchFolder(tmp_path), [WorldScore()], load_tokenizer(str(model.folder)))
