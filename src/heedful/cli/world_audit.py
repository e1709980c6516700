"""`heedful world audit` and `agreement`: a person's eye against the judge of the embedded models."""

from collections import Counter
from pathlib import Path
from typing import Any

from heedful.cli import options
from heedful.cli.console import err, say, say_json, tell
from heedful.cli.progress import counting
from heedful.cli.reading import expecting


def audit(
    name: options.WorldName = None,
    /,
    *,
    out: options.Out = Path("out/audit"),
    images: int = 300,
    seeds: int = 4,
    records: Path | None = None,
    blind: bool = False,
    model: options.WorldFolder = None,
    threads: options.Threads = None,
) -> None:
    """Write sheets of images, as many of each verdict, and a list to fill in. A killed run goes on.

    Write into the field `seen` of the list what you see, `success` or faults with commas, then: heedful world agreement

    Parameters
    ----------
    images
        How many images to look at.
    seeds
        Seeds of the 276 two-concept prompts that images are drawn from.
    records
        File of records that images are drawn from instead: FOLDER/two.jsonl of evaluate.
    blind
        Leave the verdicts off the pages.
    """
    from heedful.guidance import NONE
    from heedful.images import at_least
    from heedful.lab import Trial, run_trial
    from heedful.lab import audit as audits
    from heedful.report import write_audit
    from heedful.world import load, load_detector, two_concept_prompts

    options.use_threads(threads)
    at_least(1, images, 1, "images")
    at_least(1, seeds, 1, "seeds")
    found = None if records is None else _draw(records, images)
    chosen = options.chosen_world(name, model)
    pipe, detector = load(chosen), load_detector(chosen)
    pipe.set_progress_bar_config(disable=True)
    with counting(err) as on_images:
        if found is None:
            fresh = range(audits.AUDIT_SEED, audits.AUDIT_SEED + seeds)
            trial = Trial(prompts=two_concept_prompts(), seeds=tuple(fresh))
            records = out / "records.jsonl"
            run_trial(
                pipe, detector, trial, NONE, records, on_images=lambda done, total: on_images("making", done, total)
            )
            found = _draw(records, images)
        made, cases, how = found
        judged = audits.judge_again(
            pipe,
            detector,
            cases,
            **how,
            on_images=lambda done, total: on_images("making those drawn", done, total),
        )
    drawn = Counter(case.kind for case in cases)
    tell("Drawn: " + ", ".join(f"{drawn[kind]} {kind}" for kind in audits.KINDS))
    say(f"List: {write_audit(judged, audits.shares_of(made), out, blind=blind)}")


def agreement(file: Path, /, *, as_json: options.Json = False) -> None:
    """Say how far a person's verdicts agree with the judge's, with 95 % intervals.

    Parameters
    ----------
    file
        List of an audit (audit.json), filled in.
    """
    from heedful.lab import agreement as agree
    from heedful.report import agreement_lines

    with expecting("the list of an audit", file):
        found = agree(file)
    if as_json:
        say_json(found)
    else:
        say("\n".join(agreement_lines(found)))


def _draw(records: Path, count: int) -> tuple[Any, Any, dict[str, Any]]:
    """Return records, those drawn of them, and how they are made again; raises `SettingsError`."""
    from heedful.lab import audit as audits

    with expecting("records of heedful world evaluate", records):
        made, how = audits.read_records(records)
        again = {"steps": int(how["steps"]), "guidance_scale": float(how["guidance_scale"])}
        return made, audits.draw_cases(made, count), again
