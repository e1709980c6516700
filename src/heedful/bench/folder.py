"""The folder of a benchmark: what it is a benchmark of, and which runs made it.

    OUT/METHOD/PROMPT/SEED.png    the images
    OUT/records/                  `records`
    OUT/suite.jsonl               the prompts, as a file of prompts is read
    OUT/runs/RUN.json             how each run went about it: settings, versions, hardware

One folder holds one suite, one model and one way of sampling; methods, seeds and more prompts may join.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from heedful.bench import records
from heedful.bench.provenance import provenance, run_name
from heedful.bench.suite_files import read_prompts, to_json
from heedful.bench.suites import Suite
from heedful.errors import SettingsError
from heedful.files import make_folder, write_atomic
from heedful.folders import OutputFolder
from heedful.identity import code_of, identity
from heedful.images import (
    VERSIONS,
    Plan,
    PromptLine,
    Request,
    differences,
    load_scores,
    make_plan,
    version_changes,
)
from heedful.models import Model
from heedful.prompts import Prompt, Tokenizer

_SAME = ("suite", "weights", "settings", "same_noise")
_OBJECTS = ("settings", "methods", "scores", "versions", "code")
_OTHER = "Choose another folder."
SUITE = "suite.jsonl"


@dataclass(frozen=True)
class BenchFolder(OutputFolder):
    """The results of a benchmark under one folder."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other run away while the block is open; what a kill left half-written is cut off first."""
        with super().locked():
            for name in (records.FOLDER, "runs"):
                self.inside(f"{name}/any")
                make_folder(self.folder / name)
            for path in [*records.shards(self.folder), *records.shards(self.folder, of="scores")]:
                records.trim(self.inside(path.relative_to(self.folder).as_posix()))
            yield

    def check_there(self) -> None:
        """Raise `SettingsError` if there is no benchmark in the folder."""
        if not self.runs():
            raise SettingsError(f"Expected a benchmark in {self.folder}, found none. Make one first.")

    def plan(self, model: Model, request: Request) -> Plan:
        """Check `request` against model and folder, load its scores, and return what is to be done. Writes nothing.

        Prompts that a method cannot work on (no concept, for example) are remarks here, and become records that failed.
        Raises what `make_plan` raises, `SettingsError` if the folder holds a benchmark that was made in another way,
        and what loading a score raises.
        """
        plan = make_plan(model, request, allow_unsuitable=True)
        run = describe_run(plan)
        self.check_run(run, request.prompts)
        is_done = bytearray(len(plan))
        columns = {column for score in request.scores for column in score.columns}
        lacking = 0
        for record in records.read_records(self.folder):
            try:
                position = plan.find(record) if record["status"] == "done" else None
            except KeyError as reason:
                raise SettingsError(
                    f"Expected a whole record under the key {record['key']} in {self.folder / records.FOLDER}, but "
                    f"{reason} is missing. Remove that line, and its image is made again."
                ) from reason
            if position is not None:
                is_done[position] = 1
                lacking += not columns <= set(record["scores"])
        remarks = list(plan.remarks)
        if lacking:
            remarks.append(f"{lacking} images that are done lack a score of this run; add the score to them.")
        changes = [change for old in self.runs() for change in _version_changes(old, run)]
        for change in dict.fromkeys(changes):
            remarks.append(f"An earlier run in this folder had {change}: its images may differ from those of this run.")
        plan = replace(plan, is_done=bytes(is_done), remarks=tuple(remarks))
        load_scores(plan)
        return plan

    def runs(self) -> list[dict[str, Any]]:
        """Return what each run so far has said of itself, the earliest first; raises `SettingsError`."""
        found = []
        for path in sorted((self.folder / "runs").glob("*.json")):
            try:
                run = json.loads(path.read_text(encoding="utf-8"))
                wrong = [key for key in _OBJECTS if not isinstance(run.get(key, {}), dict)]
                if wrong:
                    raise TypeError(f"{', '.join(wrong)} of another type")
                found.append({"methods": {}, "scores": {}, **{key: run[key] for key in ("run", *_SAME)}, **run})
            except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as reason:
                raise SettingsError(f"Expected a run in {path}, but it is none ({reason}). {_OTHER}") from reason
        return found

    def check_run(self, run: Mapping[str, Any], prompts: Sequence[PromptLine]) -> None:
        """Raise `SettingsError` if a run like `run` cannot join those that are there, and say why."""
        earlier = self.runs()
        if not earlier and next(self.folder.glob("*/*/*.png"), None) is not None:
            raise SettingsError(f"Expected a folder without images of another command, got {self.folder}. {_OTHER}")
        for old in earlier:
            changes = differences(_identity(old), _identity(run))
            for name in run["methods"].keys() & old["methods"].keys():
                changes += differences(old["methods"][name], run["methods"][name], f"the method {name}:")
            if changes:
                raise SettingsError(
                    f"{self.folder} holds a benchmark that was made in another way: {'; '.join(changes)}. {_OTHER}"
                )
        for number, (old, new) in enumerate(zip(self.suite().lines, prompts, strict=False), 1):
            if old != new:
                raise SettingsError(
                    f"Expected the suite that {self.folder} holds, perhaps with more prompts at its end, but prompt "
                    f"{number} was {old.prompt!r} and is {new.prompt!r}. {_OTHER}"
                )

    def write_run(self, run: Mapping[str, Any], prompts: Sequence[PromptLine]) -> None:
        """Write what a run says of itself, and its prompts."""
        self.write_prompts(prompts)
        write_atomic(self.inside(f"runs/{run['run']}.json"), json.dumps(dict(run), indent=1) + "\n", through=self.parts)

    def write_prompts(self, prompts: Sequence[PromptLine]) -> None:
        """Write the prompts of a run where they are more than those that are there."""
        if len(prompts) > len(self.suite().lines):
            self.claim(SUITE)
            write_atomic(self.inside(SUITE), "".join(f"{to_json(line)}\n" for line in prompts), through=self.parts)

    def suite(self, name: str = "") -> Suite:
        """Return the prompts that are here, none in a new folder."""
        file = self.folder / SUITE
        return Suite(name, read_prompts(file) if file.is_file() else ())

    def prompts(self, tokenizer: Tokenizer) -> list[Prompt]:
        """Return the prompts that are here with their concepts, as scores of images read them."""
        # a taught word, which another tokenizer cuts into many pieces, must not make a prompt too long
        return [Prompt.parse(line.prompt, tokenizer, line.concepts, chunked=True) for line in self.suite().lines]


def describe_run(plan: Plan) -> dict[str, Any]:
    """Return what a run says of itself, as plain JSON values."""
    model, sampling = plan.model, plan.sampling
    return {
        "run": run_name(),
        "suite": plan.request.suite,
        "model": model.name,
        "weights": model.weights,
        "settings": {
            "steps": sampling.steps,
            "guidance_scale": sampling.guidance_scale,
            "scheduler": type(model.pipe.scheduler).__name__,
            "dtype": model.dtype,
            "width": sampling.width,
            "height": sampling.height,
            "batch_size": sampling.batch_size,
            **({} if sampling.negative_prompt is None else {"negative_prompt": sampling.negative_prompt}),
            **model.on_top,
        },
        "methods": {name: settings["method_settings"] for name, settings in plan.settings.items()},
        "code": {method.name: code_of(method) for method in plan.methods},
        "seeds": list(plan.request.seeds),
        "same_noise": plan.request.same_noise,
        "masks": plan.request.masks,
        "scores": {score.name: identity(score) for score in plan.request.scores},
        **provenance(str(model.pipe.device)),
    }


def _version_changes(old: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """Return in words what an earlier run was made with and this one is not."""
    then, now = old.get("code", {}), run["code"]
    other = [name for name in now.keys() & old["methods"].keys() if then.get(name) != now[name]]
    return [
        *version_changes(old.get("versions", {}), VERSIONS),
        *(f"another implementation of the method {name}" for name in sorted(other)),
    ]


def _identity(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is the same in all runs of a folder; the size of a batch may change."""
    same = {key: run[key] for key in _SAME if key != "settings"}
    same["masks"] = run.get("masks", False)  # all images of a folder carry them, or none does
    return same | {key: value for key, value in run["settings"].items() if key != "batch_size"}
