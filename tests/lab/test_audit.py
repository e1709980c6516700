import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from heedful import world
from heedful.errors import SettingsError
from heedful.guidance import NONE
from heedful.lab import audit as audits
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, TrialRecord, run_trial


def record(seed: int, *faults: str) -> TrialRecord:
    return TrialRecord(
        prompt="a cat and a blue clock",
        seed=seed,
        success=not faults,
        **{fault: fault in faults for fault in FAULTS},
        confidence=0.9,
        detections=[],
        final_loss=None,
        refinements=0,
        skipped=0,
        seconds=0.1,
        relative_cost=1.0,
        restarts=0,
    )


RECORDS = [
    *(record(seed) for seed in range(40)),
    *(record(seed, "neglect") for seed in range(100, 130)),
    *(record(seed, "neglect", "hybrid") for seed in range(200, 220)),
    *(record(seed, "hybrid", "leakage") for seed in range(300, 303)),
    *(record(seed, "duplicate") for seed in range(400, 406)),
    record(500, "extra", "neglect", "leakage"),
]


def audit(path: Path, *pairs: tuple[str, str], shares: dict[str, float] | None = None) -> Path:
    """A filled list: what the judge said and what a person saw, both with commas."""
    images = [
        {"prompt": "a cat", "seed": 0, "verdict": said.split(", "), "page": 1, "position": position, "seen": seen}
        for position, (said, seen) in enumerate(pairs, start=1)
    ]
    path.write_text(json.dumps({"shares": shares or {}, "images": images}))
    return path


def test_an_image_counts_for_its_rarest_fault() -> None:
    assert audits.kind_of([]) == "success"
    assert audits.kind_of(["neglect", "hybrid"]) == "hybrid"
    assert audits.kind_of(audits.faults_of(RECORDS[-1])) == "extra"


def test_every_kind_is_drawn_equally_often_and_rare_ones_whole() -> None:
    drawn = audits.draw_cases(RECORDS, 50)
    # 1 extra, 3 leakages and 6 duplicates are all there are; the rest is shared by the other three
    assert Counter(case.kind for case in drawn) == {
        "extra": 1, "leakage": 3, "duplicate": 6, "hybrid": 13, "neglect": 13, "success": 14
    }  # fmt: skip
    assert len({(case.seed, case.kind) for case in drawn}) == 50
    assert drawn == audits.draw_cases(RECORDS, 50) != audits.draw_cases(RECORDS, 50, seed=1)
    assert len({case.kind for case in drawn[:10]}) > 1
    assert len(audits.draw_cases(RECORDS, 1000)) == len(RECORDS)


def test_shares_are_those_of_all_records() -> None:
    shares = audits.shares_of(RECORDS)
    assert shares == {
        "success": 0.4, "neglect": 0.3, "hybrid": 0.2, "leakage": 0.03, "duplicate": 0.06, "extra": 0.01
    }  # fmt: skip


def test_drawn_cases_are_generated_as_they_were_recorded(tmp_path: Path) -> None:
    pipe, detector = world.load(), world.load_detector()
    pipe.set_progress_bar_config(disable=True)
    trial = Trial(prompts=("a cat and a blue clock", "a bird and a bear"), seeds=(0, 1), steps=8, batch=4)
    run_trial(pipe, detector, trial, NONE, tmp_path / "two.jsonl")
    records, how = audits.read_records(tmp_path / "two.jsonl")
    cases = [audits.Drawn(each.prompt, each.seed, "neglect") for each in records]
    judged = audits.judge_again(
        pipe, detector, cases, steps=how["steps"], guidance_scale=how["guidance_scale"], batch=4
    )
    assert [(each.prompt, each.seed) for each in judged] == [(each.prompt, each.seed) for each in records]
    assert [audits.faults_of(each.verdict) for each in judged] == [audits.faults_of(each) for each in records]
    assert {each.image.shape for each in judged} == {(64, 64, 3)}
    assert [json.loads(line)["seed"] for line in (tmp_path / "two.jsonl").read_text().splitlines()[1:]] == [
        asdict(each)["seed"] for each in records
    ]


def test_records_that_are_not_there_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="heedful world evaluate"):
        audits.read_records(tmp_path / "two.jsonl")


def test_agreement_counts_false_successes_and_false_failures(tmp_path: Path) -> None:
    path = audit(
        tmp_path / "audit.json",
        *[("success", "success")] * 6,
        *[("success", "hybrid")] * 2,
        *[("neglect", "neglect")] * 3,
        *[("neglect, hybrid", "neglect")] * 2,
        ("neglect", "success"),
        ("leakage", ""),
        shares={"success": 0.5, "neglect": 0.25, "hybrid": 0.25},
    )
    found = audits.agreement(path)
    assert (found["images"], found["skipped"]) == (14, 1)
    assert found["accuracy"]["value"] == pytest.approx(11 / 14)
    assert found["false_successes"]["value"] == pytest.approx(2 / 8)
    assert found["false_successes"]["count"] == 8
    assert found["false_failures"]["value"] == pytest.approx(1 / 6)
    # success 6 of 8, neglect 3 of 4, hybrid 2 of 2
    assert found["weighted_accuracy"] == pytest.approx(0.5 * 0.75 + 0.25 * 0.75 + 0.25)
    assert found["by_kind"]["hybrid"] == {"images": 2, "agreed": 1.0, "named": 0.0}
    # by hand: both say success in 6 and failure in 5 of 14; chance is (8 x 7 + 6 x 7) / 14^2
    expected = (8 * 7 + 6 * 7) / 14**2
    assert found["kappa"]["value"] == pytest.approx((11 / 14 - expected) / (1 - expected))
    for figure in ("accuracy", "kappa", "false_successes", "false_failures"):
        assert found[figure]["low"] < found[figure]["value"] < found[figure]["high"]


def test_intervals_of_shares_are_nearly_the_published_ones(tmp_path: Path) -> None:
    """0 of 20 and 81 of 263, as in Newcombe 1998, table I (Wilson's: 0.0000-0.1611 and 0.2553-0.3662); ours are wider.

    Student's t stands in place of the normal distribution, which tells with 20 images and hardly with 263.
    """
    none = audits.agreement(audit(tmp_path / "none.json", *[("success", "success")] * 20))
    assert none["false_successes"]["low"] == 0
    assert none["false_successes"]["high"] == pytest.approx(0.1797, abs=1e-4)
    assert none["false_failures"] is None
    assert none["kappa"] is None
    some = audits.agreement(
        audit(tmp_path / "some.json", *[("success", "extra")] * 81, *[("success", "success")] * 182)
    )
    assert some["false_successes"]["low"] == pytest.approx(0.2553, abs=5e-4)
    assert some["false_successes"]["high"] == pytest.approx(0.3662, abs=5e-4)


def test_kappa_is_one_for_the_same_and_nought_for_unrelated_answers() -> None:
    one = np.array([True, True, False, False])
    assert audits.cohens_kappa(one, one) == 1
    assert audits.cohens_kappa(one, ~one) == -1
    assert audits.cohens_kappa(one, np.array([True, False, True, False])) == 0
    assert audits.cohens_kappa(np.array([True]), np.array([True])) is None


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ("", "all empty"),
        ("blurry", "got 'blurry' for page 1, position 1"),
        ("success, hybrid", "got 'success, hybrid'"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path, seen: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        audits.agreement(audit(tmp_path / "audit.json", ("success", seen)))


def test_what_is_seen_may_be_written_in_any_case_and_with_spaces(tmp_path: Path) -> None:
    found = audits.agreement(audit(tmp_path / "audit.json", ("neglect, hybrid", " Hybrid ,neglect")))
    assert found["by_kind"]["hybrid"] == {"images": 1, "agreed": 1.0, "named": 1.0}
