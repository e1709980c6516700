import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import heedful
from heedful.errors import SettingsError
from heedful.guidance import NONE
from heedful.guidance.methods import Segregation
from heedful.lab import STUDIES, study_prompts
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, run_trial
from heedful.lab.watch import Watched
from heedful.world.vocabulary import CLASSES, split_prompts

TRIAL = Trial(prompts=("a cat and a blue clock", "a bird and a bear"), seeds=(0, 1), steps=4, batch=2)
RECORDS = "steps-none.jsonl"


@pytest.fixture(scope="module")
def folder(pipe, detector, tmp_path_factory) -> Path:
    """A folder in which the plain images of TRIAL have been watched."""
    folder = tmp_path_factory.mktemp("study")
    watched(pipe, detector, folder)
    return folder


def watched(pipe, detector, folder: Path) -> list[Watched]:
    return list(STUDIES["overlap"].watch(pipe, detector, TRIAL, folder, weights="these")[NONE.name])


def test_verdicts_are_those_of_a_trial(pipe, detector, folder: Path, tmp_path: Path) -> None:
    records = watched(pipe, detector, folder)
    judged = run_trial(pipe, detector, TRIAL, NONE, tmp_path / "trial.jsonl")
    for name in ("prompt", "seed", "success", *FAULTS):
        assert [getattr(one, name) for one in records] == [getattr(other, name) for other in judged]
    for one, other in zip(records, judged, strict=True):
        names = [each["name"] for each in other.detections]
        assert one.found == [names.count(name) for name in one.prompt.split() if name in CLASSES]


def test_values_are_those_of_the_maps_that_guide_keeps(pipe, detector, folder: Path) -> None:
    records = watched(pipe, detector, folder)
    prompts = [record.prompt for record in records]
    with heedful.guide(pipe, prompts, NONE) as guided:
        generators = [torch.Generator().manual_seed(record.seed) for record in records]
        pipe(prompts, generator=generators, num_inference_steps=4, guidance_scale=3.0, output_type="np")
    for step in range(4):
        expected = Segregation()(guided.maps.at(step), guided.maps.prompts)
        found = [record.values["overlap"][step] for record in records]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    highest = [maps.amax((-2, -1)) for maps in guided.maps.concepts(2)]
    found = [record.values["faintness"][2] for record in records]
    np.testing.assert_allclose(found, 1 - torch.stack(highest), rtol=1e-4)


def test_a_killed_study_goes_on_to_the_same_records(pipe, detector, folder: Path, tmp_path: Path) -> None:
    def kill(method: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        STUDIES["overlap"].watch(pipe, detector, TRIAL, tmp_path, weights="these", on_images=kill)
    assert len((tmp_path / RECORDS).read_text().splitlines()) == 1 + 2
    assert watched(pipe, detector, tmp_path) == watched(pipe, detector, folder)
    assert (tmp_path / RECORDS).read_text() == (folder / RECORDS).read_text()


def test_records_of_other_images_or_weights_are_refused(pipe, detector, folder: Path) -> None:
    with pytest.raises(SettingsError, match="weights"):
        STUDIES["overlap"].watch(pipe, detector, TRIAL, folder, weights="others")
    with pytest.raises(SettingsError, match="delete the file"):
        STUDIES["overlap"].watch(pipe, detector, replace(TRIAL, seeds=(0,)), folder, weights="these")


@pytest.mark.parametrize("study", ["overlap", "retention"])
def test_figures_of_a_real_run_are_plain_values(pipe, detector, folder: Path, study) -> None:
    found = STUDIES[study].figures({NONE.name: watched(pipe, detector, folder)}, TRIAL)
    assert json.loads(json.dumps(found)) == found
    assert found["images"] == 4
    for measure in found["measures"].values():
        assert all(len(figures["by_step"]) == 4 for figures in measure["within"].values())


def test_studies_leave_the_report_half_alone() -> None:
    development, report = split_prompts()
    assert study_prompts(60) == development[:60]
    assert set(study_prompts(138)).isdisjoint(report)
    for count in (0, 139):
        with pytest.raises(SettingsError, match="1 to 138"):
            study_prompts(count)
