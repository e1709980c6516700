"""What counts as headroom, and that the controls differ from the loss in one thing each."""

from pathlib import Path

import pytest
from headroom_rules import BASELINES, OUTCOMES, controls_of, headroom, parse_setting, read_by_words

import heedful
from benchmarks.headroom import main
from heedful.attention import find_denoiser
from heedful.errors import SettingsError
from heedful.guidance import Settings
from heedful.guidance.methods import EBAMA, NONE, WrongTokens
from heedful.lab.trial import Trial, TrialRecord

TRIAL = Trial(prompts=tuple(f"prompt {i}" for i in range(12)), seeds=(0, 1))


def records(*right: int, neglect: bool = True) -> list[TrialRecord]:
    """Records of `TRIAL` that succeed for the first so many seeds of every prompt; the others neglect, or double."""
    return [
        TrialRecord(
            prompt=prompt,
            seed=seed,
            success=(good := seed % 1000 < right[i % len(right)]),
            neglect=neglect and not good,
            leakage=False,
            hybrid=False,
            duplicate=not neglect and not good,
            extra=False,
            confidence=1.0,
            detections=[],
            final_loss=None,
            refinements=0,
            skipped=0,
            seconds=0.0,
            relative_cost=1.0,
            restarts=0,
        )
        for i, prompt in enumerate(TRIAL.prompts)
        for seed in (1000 * i, 1000 * i + 1)
    ]


def test_a_loss_that_beats_all_three_has_headroom_and_every_fault_is_compared() -> None:
    found = headroom(
        {
            "none": records(0, 1),
            "loss": records(2),
            "random": records(0, 1),
            "wrong-tokens": records(0, 1, 2, neglect=False),
        },
        TRIAL,
    )
    assert found.pairs == 24 and found.is_shown
    assert found.shares["none"]["success"] == 0.25 and found.shares["none"]["neglect"] == 0.75
    assert set(found.differences) == set(BASELINES)
    assert all(tuple(row) == OUTCOMES for row in found.differences.values())
    against_none = found.differences["none"]
    assert against_none["success"].difference.value == 0.75 and against_none["success"].gained == 18
    assert against_none["neglect"].difference.value == -0.75
    assert found.differences["wrong-tokens"]["duplicate"].difference.value == -0.5
    assert found.differences["wrong-tokens"]["neglect"].difference.value == 0


@pytest.mark.parametrize("as_good", BASELINES)
def test_one_baseline_as_good_as_the_loss_is_enough_to_show_nothing(as_good: str) -> None:
    arms = {"loss": records(2), **{baseline: records(0) for baseline in BASELINES}}
    assert headroom(arms, TRIAL).is_shown
    assert not headroom(arms | {as_good: records(2)}, TRIAL).is_shown


def test_one_prompt_shows_nothing() -> None:
    trial = Trial(prompts=TRIAL.prompts[:1], seeds=TRIAL.seeds)
    arms = {"loss": records(2)[:2], **{baseline: records(0)[:2] for baseline in BASELINES}}
    assert not headroom(arms, trial).is_shown


def test_controls_differ_from_the_method_in_direction_or_tokens_alone() -> None:
    controls = controls_of(EBAMA)
    random, wrong = controls["random"], controls["wrong-tokens"]
    assert (random.name, wrong.name) == ("ebama-random", "ebama-wrong-tokens")
    assert (random.loss, random.direction, random.embedded) == (EBAMA.loss, "random", EBAMA.embedded)
    assert (wrong.loss, wrong.direction, wrong.embedded) == (WrongTokens(EBAMA.loss), "gradient", EBAMA.embedded)
    with pytest.raises(SettingsError, match="a method with a loss"):
        controls_of(NONE)


def test_a_setting_is_a_step_size_and_a_guided_share() -> None:
    setting = parse_setting("40@0.5")
    assert str(setting) == "40@0.5"
    assert (setting.of(Settings()).step_size, setting.of(Settings()).guided) == (40.0, 0.5)
    for text in ("", "40", "40@", "a@0.5", "40@1.5", "40@0.3@2", "-1@0.3"):
        with pytest.raises(SettingsError, match="STEPSIZE@GUIDED"):
            parse_setting(text)


def test_the_benchmark_paints_four_arms_goes_on_and_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> str:
        main(
            out=tmp_path,
            suite="world-three-development",
            methods="attend-and-excite",
            settings="20@0.3",
            prompts=2,
            seeds=1,
            steps=2,
            bfloat16=False,
            threads=1,
            model="sprites",
        )
        return capsys.readouterr().out

    first = run()
    folder = tmp_path / "sprites" / "world-three-development"
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(kept) == {"headroom.json", "none-2-steps.jsonl"} | {
        f"attend-and-excite{control}-20@0.3-2-steps.jsonl" for control in ("", "-random", "-wrong-tokens")
    }
    (folder / "attend-and-excite-20@0.3-2-steps.jsonl").unlink()
    assert run() == first
    assert first.count("| attend-and-excite 20@0.3 | ") == 7  # four arms, three baselines


def test_a_model_without_rows_of_the_text_says_so() -> None:
    denoiser = find_denoiser(heedful.world.load())
    with pytest.raises(SettingsError, match=r"got a UNet2DConditionModel\. Leave --by-words out"):
        read_by_words(denoiser, EBAMA.settings)
    joint = find_denoiser(heedful.world.load("joint"))
    assert read_by_words(joint, EBAMA.settings).sites.rows == "text"
