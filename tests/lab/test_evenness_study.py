"""The evenness study on a real run of the embedded model, and on records that are made by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from heedful import world
from heedful.attention import Maps
from heedful.guidance import NONE
from heedful.lab import STUDIES, evenness_study
from heedful.lab import evenness_objects as reading
from heedful.lab.evenness_objects import ObjectReader, cells_in
from heedful.lab.trial import Trial
from heedful.lab.watch import Seen, Watched
from heedful.prompts import Prompt
from heedful.world.detector import Detection
from heedful.world.tokenizer import build_tokenizer

TRIAL = Trial(prompts=("a cat and a blue clock", "a bird and a bear"), seeds=(0, 1), steps=4, batch=4)
PROMPT = Prompt.parse("a cat and a blue clock", build_tokenizer())
LEFT = (0.0, 0.0, 32.0, 64.0)


def seen(cat: torch.Tensor, *detections: Detection) -> Seen:
    tokens = torch.rand(len(cat), PROMPT.end + 1, 4, 4) * 0.01
    tokens[:, list(PROMPT.concepts[0].token_indices)] = cat[:, None]
    return Seen(PROMPT, Maps(tokens), np.full((64, 64, 3), 206, np.uint8), list(detections))


@pytest.fixture
def no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "font_is_installed", lambda: False)


@pytest.mark.usefixtures("no_font")
def test_an_object_is_described_by_the_cells_of_its_box_and_of_its_map() -> None:
    cat = torch.zeros(3, 4, 4)
    cat[:, :, :2] = 0.2  # even over the left half, which is the box
    cat[2, 0, 0] = 1.0
    one = Detection("cat", "natural", LEFT, 0.7)
    described = ObjectReader()(seen(cat, Detection("cat", "natural", LEFT, 0.5), one))
    (entry,) = described["objects"]
    assert (entry["concept"], entry["confidence"], entry["size"], entry["distance"]) == (0, 0.7, 2048.0, None)
    assert entry["cells"] == {"box": [8, 8, 8], "map": [8, 8, 1]}
    for area in ("box", "map"):
        for values in entry["unevenness"][area].values():
            assert values[:2] == pytest.approx([0, 0], abs=1e-6)
    assert entry["unevenness"]["box"]["cv"][2] > 0.5
    assert entry["unevenness"]["map"]["cv"][2] == 0  # one cell
    assert len(described["loss"]) == 3


def test_boxes_become_cells() -> None:
    assert cells_in(LEFT, 8, 8).sum() == 32
    assert cells_in((0.0, 0.0, 7.0, 9.0), 8, 8).nonzero().tolist() == [[0, 0]]


@pytest.mark.usefixtures("drawn_sprites")
def test_a_render_of_the_object_is_searched_where_the_font_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "font_is_installed", lambda: True)
    maps = torch.rand(3, 4, 4)
    described = ObjectReader()(
        seen(
            maps,
            Detection("cat", "natural", (10.0, 10.0, 40.0, 40.0), 0.7),
            Detection("clock", "mixed", (44.0, 44.0, 60.0, 60.0), 0.5),
        )
    )
    distances = [entry["distance"] for entry in described["objects"]]
    assert all(0.05 < distance < 1 for distance in distances)  # the picture is empty


def entry(concept: int, confidence: float, uneven: float, distance: float | None = None) -> dict:
    values = {measure: [uneven] * 3 for measure in ("entropy", "cv", "gini")}
    return {
        "concept": concept,
        "confidence": confidence,
        "size": 100.0,
        "distance": distance,
        "cells": {"box": [4, 4, 4], "map": [4, 4, 4]},
        "unevenness": {"box": values, "map": values},
    }


def record(prompt: str, seed: int, *objects: dict, success: bool = True, loss: float = 0.1) -> Watched:
    return Watched(
        prompt, seed, success, not success, False, False, False, False, [1, 1],
        {"objects": list(objects), "loss": [loss] * 4},
    )  # fmt: skip


def find(observed: dict, **wanted: str) -> dict:
    (found,) = [row for row in observed["correlations"] if all(row[key] == value for key, value in wanted.items())]
    return found


def test_where_the_even_objects_are_the_good_ones_the_correlation_is_one() -> None:
    rng = np.random.default_rng(0)
    plain, effects = [], []
    for prompt in TRIAL.prompts:
        for seed in TRIAL.seeds:
            uneven = rng.random(2)
            objects = [entry(place, 1 - uneven[place] / 2, float(uneven[place]), 0.1) for place in (0, 1)]
            plain.append(record(prompt, seed, *objects, success=False))
            worse = [entry(place, 1 - uneven[place], float(uneven[place]) + 0.5, 0.3) for place in (0,)]
            effects.append(record(prompt, seed, *worse, success=True, loss=0.4))
    names = [method.name for method in evenness_study.CAUSAL]
    records = {"none": plain, "attend-and-excite": plain} | dict.fromkeys(names, effects)
    found = evenness_study.figures(records, TRIAL)
    observed = found["observed"]["none"]
    assert observed["objects"] == observed["rendered"] == 8
    for control in evenness_study.CONTROLS:
        row = find(observed, area="box", third="middle", measure="gini", quality="confidence", control=control)
        assert row["value"] == pytest.approx(1)
    # all are as far from a render, so nothing goes with that
    assert find(observed, area="map", third="late", measure="cv", quality="nearness", control="none")["value"] is None
    course = [figure["value"] for figure in observed["fifths"]["box"]["confidence"]]
    assert course == sorted(course)

    effect = found["causal"]["less-even"]
    assert effect["success"]["difference"]["value"] == 1
    assert effect["neglect"]["difference"]["value"] == -1
    assert effect["loss"]["difference"]["value"] == pytest.approx(0.3)
    assert effect["unevenness in map"]["difference"]["value"] == pytest.approx(0.5)
    assert effect["nearness"]["difference"]["value"] == pytest.approx(-0.2)
    assert effect["confidence"]["difference"]["value"] < 0
    assert found["against_random"]["more-even"]["loss"]["difference"]["value"] == 0


@pytest.mark.usefixtures("no_font")
def test_a_real_run_gives_plain_values_and_is_not_generated_twice(tmp_path: Path) -> None:
    pipe, detector = world.load(), world.load_detector()
    pipe.set_progress_bar_config(disable=True)
    records = STUDIES["evenness"].watch(pipe, detector, TRIAL, tmp_path, weights="these")
    assert {name: len(found) for name, found in records.items()} == dict.fromkeys(
        [NONE.name, "attend-and-excite", "more-even", "less-even", "random-steps"], 4
    )
    found = STUDIES["evenness"].figures(records, TRIAL)
    assert json.loads(json.dumps(found)) == found
    # one step towards evenness and one away from it part ways, from the same first maps
    losses = {name: [each.values["loss"] for each in found] for name, found in records.items()}
    assert losses["more-even"] != losses["less-even"] != losses["none"]
    made = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert STUDIES["evenness"].watch(pipe, detector, TRIAL, tmp_path, weights="these") == records
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == made
