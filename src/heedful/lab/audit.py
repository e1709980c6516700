"""Is the judge right about generated images? What is shown to a person, and how far the person agrees.

An audit draws equal numbers of each kind of verdict from the records of a trial, generates these images again and
judges them. A person writes into its list what is to be seen; `agreement` compares. `report.audit` draws the pages.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heedful.attention import ImagePipeline
from heedful.errors import SettingsError
from heedful.lab.records import FAULTS, JudgedImage
from heedful.lab.trial import Trial, TrialRecord, sample_cases
from heedful.scores import SHARE, Estimate, estimate, interval, jackknife_error
from heedful.world import Detector, Verdict, judge

SUCCESS = "success"
KINDS = (SUCCESS, "neglect", "leakage", "hybrid", "duplicate", "extra")
AUDIT_SEED = 300
_RAREST_FIRST = ("extra", "leakage", "duplicate", "hybrid", "neglect")


@dataclass(frozen=True)
class Drawn:
    """A case that was drawn from the records; `kind` is the rarest fault that they name, or `success`."""

    prompt: str
    seed: int
    kind: str


@dataclass(frozen=True, eq=False)
class Judged:
    """A drawn case, generated again and judged again."""

    prompt: str
    seed: int
    image: np.ndarray
    """(64, 64, 3) uint8."""
    verdict: Verdict


def read_records(path: Path) -> tuple[list[TrialRecord], dict[str, Any]]:
    """Return the records that a trial wrote, and how they were made; raises `SettingsError` if there are none."""
    if not path.is_file():
        raise SettingsError(
            f"Expected the records of a trial in {path}, found no file. "
            "`heedful world evaluate` writes two.jsonl; without records, the audit generates its own images."
        )
    made, *lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [TrialRecord(**line) for line in lines], made


def kind_of(faults: Sequence[str]) -> str:
    """Return the rarest of an image's faults, so that each image counts for one kind; `success` without faults."""
    return next((fault for fault in _RAREST_FIRST if fault in faults), SUCCESS)


def faults_of(verdict: Verdict | JudgedImage) -> list[str]:
    """Return the names of the faults of a verdict, or of a record of one."""
    return [fault for fault in FAULTS if getattr(verdict, fault)]


def draw_cases(records: Sequence[JudgedImage], count: int, seed: int = AUDIT_SEED) -> list[Drawn]:
    """Draw `count` records, as equal numbers of each kind as there are, in random order (stated seed).

    A kind that has fewer than its part is taken whole, and the others share the rest. All, if there are fewer records.
    """
    rng = np.random.default_rng(seed)
    piles: dict[str, list[JudgedImage]] = {kind: [] for kind in KINDS}
    for record in records:
        piles[kind_of(faults_of(record))].append(record)
    drawn: list[Drawn] = []
    smallest_first = sorted(KINDS, key=lambda kind: len(piles[kind]))
    for done, kind in enumerate(smallest_first):
        part = (count - len(drawn)) // (len(KINDS) - done)
        chosen = rng.permutation(len(piles[kind]))[:part]
        drawn += [Drawn(piles[kind][i].prompt, piles[kind][i].seed, kind) for i in chosen]
    return [drawn[i] for i in rng.permutation(len(drawn))]


def shares_of(records: Sequence[JudgedImage | Verdict]) -> dict[str, float]:
    """Return how often each kind comes among all records, or verdicts, by which equal numbers must be weighted."""
    kinds = Counter(kind_of(faults_of(record)) for record in records)
    return {kind: kinds[kind] / len(records) for kind in KINDS}


def judge_again(
    pipe: ImagePipeline,
    detector: Detector,
    cases: Sequence[Drawn],
    *,
    steps: int = 20,
    guidance_scale: float = 3.0,
    batch: int = 24,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[Judged]:
    """Generate cases as a trial without guidance does, and judge what came out.

    An image depends on its batch in the last bits, so the new verdict, not the recorded one, goes with the new image.
    """
    trial = Trial(prompts=(), seeds=(), steps=steps, guidance_scale=guidance_scale)
    judged: list[Judged] = []
    for start in range(0, len(cases), batch):
        part = cases[start : start + batch]
        images = sample_cases(pipe, trial, [(case.prompt, case.seed) for case in part])
        for case, image, detections in zip(part, images, detector(images), strict=True):
            judged.append(Judged(case.prompt, case.seed, image, judge(case.prompt, detections)))
        on_images(len(judged), len(cases))
    return judged


def agreement(path: Path) -> dict[str, Any]:
    """Compare the `seen` of an audit's list with the judge's verdicts; entries where it is empty are skipped.

    `accuracy` and `kappa` (Cohen 1960) are about success against failure among the images that were looked at, where
    failures are many by design; `weighted_accuracy` weights kinds by how often they come. `false_successes` is the
    share of the judge's successes that are seen as failures, `false_failures` the share of its failures that are seen
    as success. `by_kind` gives for each kind of verdict how often success or failure is agreed on, and for faults how
    often that very fault is seen. Intervals are 95 %, over images.
    Raises `SettingsError` if nothing is filled in, or with a word that is no verdict.
    """
    audit = json.loads(path.read_text(encoding="utf-8"))
    entries = [(entry, _seen(entry, path)) for entry in audit["images"] if entry["seen"]]
    if not entries:
        raise SettingsError(
            f"Expected verdicts in the fields `seen` of {path}, found all empty. "
            f"Write {SUCCESS} or faults ({', '.join(FAULTS)}; several with commas) for each image that you look at."
        )
    said = np.array([entry["verdict"] == [SUCCESS] for entry, _ in entries])
    true = np.array([seen == [SUCCESS] for _, seen in entries])
    agrees = said == true
    kinds = np.array([kind_of(entry["verdict"]) for entry, _ in entries])
    names_it = np.array([kind in seen for kind, (_, seen) in zip(kinds, entries, strict=True)])
    by_kind = {
        kind: {
            "images": int(there.sum()),
            "agreed": float(agrees[there].mean()),
            "named": float(names_it[there].mean()),
        }
        for kind in KINDS
        if (there := kinds == kind).any()
    }
    weights = np.array([audit["shares"].get(kind, 0.0) for kind in by_kind])
    agreed = np.array([row["agreed"] for row in by_kind.values()])
    return {
        "images": len(entries),
        "skipped": len(audit["images"]) - len(entries),
        "accuracy": _share(agrees),
        "weighted_accuracy": float((weights * agreed).sum() / weights.sum()) if weights.sum() > 0 else None,
        "kappa": _kappa_with_interval(said, true),
        "false_successes": _share(~true[said]),
        "false_failures": _share(true[~said]),
        "by_kind": by_kind,
    }


def cohens_kappa(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return the agreement of two yes/no answers beyond chance, (observed - expected) / (1 - expected), in [-1, 1].

    Cohen 1960, "A coefficient of agreement for nominal scales". None where both always say the same one thing.
    """
    observed = (one == other).mean()
    expected = one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean())
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def _seen(entry: dict[str, Any], path: Path) -> list[str]:
    words = [word.strip() for word in entry["seen"].lower().split(",") if word.strip()]
    unknown = [word for word in words if word not in KINDS]
    if unknown or (SUCCESS in words and len(words) > 1):
        raise SettingsError(
            f"Expected {SUCCESS}, or some of {', '.join(FAULTS)}, got {entry['seen']!r} for page {entry['page']}, "
            f"position {entry['position']} in {path}. Correct it."
        )
    return words


def _share(values: np.ndarray) -> dict[str, Any] | None:
    return _plain(estimate(values[:, None], SHARE)) if len(values) else None


def _kappa_with_interval(said: np.ndarray, true: np.ndarray) -> dict[str, Any] | None:
    value = cohens_kappa(said, true)
    if value is None:
        return None
    each = np.arange(len(said))
    left_out = [cohens_kappa(said[each != one], true[each != one]) for one in each]
    known = np.array([kappa for kappa in left_out if kappa is not None])
    error = jackknife_error(known) if len(known) else 0.0
    return _plain(Estimate(value, *interval(value, error, len(known), (-1.0, 1.0)), len(said)))


def _plain(found: Estimate) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "count": found.count}
