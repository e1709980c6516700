import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from heedful.world.instances import one_image_concepts
from heedful.world.sprites import font_is_installed
from tests.cli.conftest import Call

Run = Callable[..., str]


@pytest.fixture
def run(call: Call) -> Run:
    """`run("card")` is `heedful world card`, which must end well; what it printed."""

    def world(*words: object) -> str:
        result = call("world", *words)
        assert result.code == 0, result.err
        return result.out

    return world


def test_card_says_how_the_model_was_made_and_what_it_cannot_do(run: Run) -> None:
    printed = run("card")
    assert "How it was made" in printed
    assert "What it cannot do" in printed


def test_embedded_models_are_listed_and_chosen_by_name(run: Run, call: Call) -> None:
    listed = json.loads(run("list", "--json"))
    assert [row["name"] for row in listed] == ["sprites", "crowded", "joint"]
    assert all(5 < row["megabytes"] < 25 for row in listed)
    assert run("card", "sprites") == run("card")
    assert "# The crowded world" in run("card", "crowded")
    unknown = call("world", "card", "atlantis")
    assert unknown.code == 2 and "sprites, crowded, joint" in unknown.err
    both = call("world", "card", "joint", "--model", "somewhere")
    assert both.code == 2 and "got both" in both.err


def test_card_of_a_folder_without_one_names_the_remedy(call: Call, tmp_path: Path) -> None:
    result = call("world", "card", "--model", tmp_path)
    assert result.code == 2 and "heedful world train" in result.err


def test_samples_go_to_one_place_and_onto_a_card_that_is_there(call: Call, tmp_path: Path) -> None:
    both = call("world", "sample", "--out", tmp_path / "sheet.png", "--on-card", tmp_path)
    assert both.code == 2 and "got both" in both.err
    absent = call("world", "sample", "--on-card", tmp_path)
    assert absent.code == 2 and "Expected a model card" in absent.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("drawn_sprites")
def test_trained_model_can_be_sampled_evaluated_and_audited(run: Run, tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "world"
    assert "Model:" in run("train", "--out", str(model), "--miniature")
    assert (model / "training" / "denoiser" / "losses.json").is_file()
    # a panel a phase: denoiser, autoencoder, detector, clip
    with Image.open(model / "training" / "losses.png") as curves:
        assert curves.height == 4 * 240
    run("sample", "--model", str(model), "--out", str(tmp_path / "sheet.png"))
    assert (tmp_path / "sheet.png").is_file()
    (tmp_path / "README.md").write_text("# A model\n\n## Figures\n")
    run("sample", "--model", str(model), "--on-card", str(tmp_path), "--steps", "2")
    assert f"--model {model} --on-card FOLDER --seed 0 --steps 2`" in (tmp_path / "README.md").read_text()
    with Image.open(tmp_path / "samples.png") as samples:
        assert len(samples.convert("RGB").getcolors() or ()) > 100

    seeds = ("--single-seeds", "1", "--two-seeds", "2", "--three-seeds", "0", "--pointing-seeds", "1")
    run("evaluate", "--model", str(model), "--out", str(out), "--miniature", *seeds, "--single-steps", "20,3")
    figures = json.loads((out / "figures.json").read_text())
    assert set(figures) >= {"single", "single-3", "two", "pointing", "speed"}
    assert (figures["single"]["steps"], figures["single-3"]["steps"], figures["two"]["steps"]) == (20, 3, 20)
    for name, steps in (("single", 20), ("single-3", 3)):
        assert json.loads((out / f"{name}.jsonl").read_text().splitlines()[0])["steps"] == steps
    assert figures["two"]["images"] == 6

    audit = ("audit", "--model", str(model), "--out", str(tmp_path / "audit"), "--images", "5")
    assert "audit.json" in run(*audit, "--records", str(out / "two.jsonl"))
    path = tmp_path / "audit" / "audit.json"
    listed = json.loads(path.read_text())
    assert len(listed["images"]) == 5
    for entry in listed["images"]:
        entry["seen"] = "neglect"
    path.write_text(json.dumps(listed))
    assert json.loads(run("agreement", str(path), "--json"))["false_failures"]["value"] == 0
    assert "false failures, of the judge's failures: 0.000" in run("agreement", str(path))


@pytest.mark.parametrize("steps", ["", "20,", "many", "20,20", "0"])
def test_numbers_of_steps_that_cannot_be_are_refused(call: Call, tmp_path: Path, steps: str) -> None:
    result = call("world", "evaluate", "--out", tmp_path, "--single-seeds", 1, "--single-steps", steps)
    assert result.code == 2 and re.search("Expected (different )?numbers of", result.err)
    assert not any(tmp_path.iterdir())


def test_an_audit_without_records_to_draw_from_says_where_they_come_from(call: Call, tmp_path: Path) -> None:
    result = call("world", "audit", "--out", tmp_path, "--records", tmp_path / "two.jsonl")
    assert result.code == 2 and "heedful world evaluate" in result.err


@pytest.mark.skipif(not font_is_installed(), reason="rendering needs the emoji font")
def test_one_image_concepts_are_drawn_into_the_folder_that_was_named(run: Run, tmp_path: Path) -> None:
    assert "instances.json" in run("instances", "--out", tmp_path / "mine")
    drawn = one_image_concepts(tmp_path / "mine")
    assert [image.name for image in drawn] == [image.name for image in one_image_concepts()]
