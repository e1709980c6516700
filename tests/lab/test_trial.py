from pathlib import Path

import pytest

from heedful import world
from heedful.errors import SettingsError
from heedful.guidance.methods import ATTEND_AND_EXCITE, HEEDFUL, NONE, RANDOM
from heedful.lab import trial as trials
from heedful.lab.trial import Trial, run_trial, success_table
from heedful.world.vocabulary import split_prompts

TRIAL = Trial(prompts=("a cat and a blue clock", "a bird and a bear"), seeds=(0, 1, 2), steps=4, batch=4)


def without_times(path: Path) -> list[str]:
    return [line.split('"seconds"')[0] for line in path.read_text().splitlines()]


def test_development_and_report_halves_share_no_prompt() -> None:
    development, report = split_prompts()
    assert len(development) == len(report) == 138
    assert not set(development) & set(report)


def test_no_two_images_share_their_noise() -> None:
    seeds = [seed for _, seed in Trial(prompts=world.two_concept_prompts(), seeds=tuple(range(16))).cases]
    assert len(set(seeds)) == len(seeds) == 276 * 16


@pytest.mark.parametrize("method", [NONE, ATTEND_AND_EXCITE, RANDOM], ids=lambda method: method.name)
def test_a_killed_trial_goes_on_to_the_same_records(pipe, detector, tmp_path: Path, method) -> None:
    run_trial(pipe, detector, TRIAL, method, tmp_path / "whole.jsonl")

    def kill(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(pipe, detector, TRIAL, method, tmp_path / "killed.jsonl", on_images=kill)
    assert len((tmp_path / "killed.jsonl").read_text().splitlines()) == 1 + TRIAL.batch
    records = run_trial(pipe, detector, TRIAL, method, tmp_path / "killed.jsonl")
    assert without_times(tmp_path / "killed.jsonl") == without_times(tmp_path / "whole.jsonl")
    assert success_table(records, TRIAL).shape == (2, 3)


def test_a_finished_trial_paints_nothing(pipe, detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_trial(pipe, detector, TRIAL, NONE, tmp_path / "none.jsonl")
    monkeypatch.setattr(trials, "sample_cases", None)
    assert run_trial(pipe, detector, TRIAL, NONE, tmp_path / "none.jsonl") == first


def test_records_of_another_method_are_refused(pipe, detector, tmp_path: Path) -> None:
    run_trial(pipe, detector, TRIAL, NONE, tmp_path / "records.jsonl")
    with pytest.raises(SettingsError, match="delete the file"):
        run_trial(pipe, detector, TRIAL, ATTEND_AND_EXCITE, tmp_path / "records.jsonl")


def test_our_method_helps_on_the_embedded_world(pipe, detector, tmp_path: Path) -> None:
    """24 prompts of the half that methods may be tuned on, the same noise."""
    trial = Trial(prompts=split_prompts()[0][60:84], seeds=(77,), steps=10, batch=24)
    plain = run_trial(pipe, detector, trial, NONE, tmp_path / "none.jsonl")
    guided = run_trial(pipe, detector, trial, HEEDFUL, tmp_path / "heedful.jsonl")
    assert success_table(guided, trial).mean() >= success_table(plain, trial).mean() + 0.05
    assert guided[0].relative_cost <= 1.4  # with 20 steps 1.2; looking at other noises weighs more in a short run
