"""What a run leaves on disk, and what interrupts it."""

import json
import resource
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from heedful.bench import BenchFolder, Suite, read_records
from heedful.bench.folder import _version_changes, describe_run  # pyright: ignore[reportPrivateUsage]
from heedful.bench.records import shard
from heedful.errors import ModelNotFound, OutputError, SettingsError
from heedful.guidance.methods import A_STAR, NONE
from heedful.identity import code_of
from heedful.images import VERSIONS, Gallery, PromptLine, read_entry
from heedful.models import Model
from heedful.prompts import Prompt
from heedful.scores import Figure, Score, Values, WorldScore
from heedful.steering.history import MapHistory
from tests.bench.conftest import SUITE, Run, make_request, refused, stopped_after

FIELDS = (
    "key suite prompt kind concepts method seed image status error scores trace cost seconds run batch"  # in this order
)


def images(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.glob("*/*/*.png")}


def without_times(out: Path) -> dict[str, dict]:
    times = ("seconds", "run")
    return {row["key"]: {name: row[name] for name in row if name not in times} for row in read_records(out)}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the operating system refuse to write more than `size` bytes into a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True, kw_only=True)
class Picky(Score):
    """A score that cannot stand one seed's image."""

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="size", low=0.0, high=64.0, higher_is_better=True, says="the width in pixels"),
    )
    name: str = "picky"

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        if any("bear" in prompt.text for prompt in prompts):
            raise ArithmeticError("no bears")
        return {"size": [float(image.width) for image in images]}


def test_every_case_has_its_image_and_one_record(whole: Path) -> None:
    rows = list(read_records(whole))
    assert len(rows) == len({row["key"] for row in rows}) == 16
    assert {row["image"] for row in rows} == set(images(whole))
    for row in rows:
        assert " ".join(row) == FIELDS and row["status"] == "done" and row["error"] is None and row["suite"] == "four"
        assert set(row["scores"]) == set(WorldScore().columns) and row["scores"]["world.success"] in (0.0, 1.0)
        entry = read_entry(whole / row["image"])
        assert entry is not None
        assert (entry.settings["prompt"], entry.settings["seed"]) == (row["prompt"], row["seed"])
        assert entry.settings["concepts"] == row["concepts"] and entry.settings["method"] == row["method"]
    costs = {row["method"]: row["cost"] for row in rows}
    assert costs["none"] == 1 and costs["a-star"] > 1
    steered = next(row for row in rows if row["method"] == "a-star")
    assert steered["trace"]["guided_steps"] >= 1 and steered["trace"]["first_loss"] is not None
    assert Counter(row["kind"] for row in rows)["single"] == 4


def test_a_run_says_what_it_was(whole: Path) -> None:
    (said,) = BenchFolder(whole).runs()
    assert next(whole.glob("runs/*.json")).stem == said["run"] and said["seeds"] == [0, 1]
    assert said["settings"]["steps"] == 2 and said["settings"]["batch_size"] == 3
    assert said["methods"]["a-star"]["loss"]["class"] == "Total"
    assert said["scores"] == {"world": {"version": 1, "class": "WorldScore"}}
    assert {"torch", "diffusers", "heedful", "python"} <= set(said["versions"]) and said["hardware"]["cores"] >= 1
    assert set(said["git"] or {"commit": "", "is_dirty": True}) == {"commit", "is_dirty"}
    assert BenchFolder(whole).suite("four") == SUITE


def test_the_images_are_those_of_generate(whole: Path) -> None:
    gallery = Gallery(whole)
    for path, entry in gallery.entries():
        assert gallery.find(path.relative_to(whole).as_posix(), entry.settings) == entry


def test_the_same_command_again_makes_nothing(run: Run, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    before = images(tmp_path), shard(tmp_path).read_bytes()
    plan, progress = run(tmp_path, engine=refused)
    assert plan.todo == 0 and progress.images == 0
    assert (images(tmp_path), shard(tmp_path).read_bytes()) == before


@pytest.mark.parametrize("batches", [0, pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_interrupted_run_goes_on_to_the_same_images_and_records(
    run: Run, whole: Path, tmp_path: Path, batches: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", engine=stopped_after(batches))
    assert len(list(read_records(tmp_path / "stopped"))) == {0: 0, 1: 3, 3: 8}[batches]
    run(tmp_path / "stopped")
    assert images(tmp_path / "stopped") == images(whole)
    assert without_times(tmp_path / "stopped") == without_times(whole)


def test_more_seeds_methods_and_prompts_only_add_what_is_missing(run: Run, tmp_path: Path) -> None:
    shorter = SUITE.first(3)
    run(tmp_path, suite=shorter, methods=[NONE], seeds=[0])
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/*.png")}
    for changes, new in (
        ({"suite": shorter, "methods": [NONE], "seeds": [0, 1]}, 3),
        ({"suite": shorter, "methods": [NONE, A_STAR], "seeds": [0, 1]}, 6),
        ({}, 4),
    ):
        plan, progress = run(tmp_path, **changes)
        assert progress.images == plan.todo == new
    assert len(list(read_records(tmp_path))) == 16
    assert times.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/*.png")}.items()
    assert BenchFolder(tmp_path).suite("four") == SUITE and len(BenchFolder(tmp_path).runs()) == 4


def test_what_was_made_in_another_way_is_refused_by_name(run: Run, model: Model, tmp_path: Path) -> None:
    run(tmp_path, methods=[NONE], seeds=[0])
    other = Suite("four", (PromptLine("a lion and a frog"), *SUITE.lines[1:]))
    for changes, why in (
        ({"steps": 3}, "steps 2, now 3"),
        ({"suite": Suite("five", SUITE.lines)}, "suite four, now five"),
        ({"suite": other}, "prompt 1 was 'a cat and a blue clock' and is 'a lion and a frog'"),
        ({"same_noise": True}, "same noise false, now true"),
    ):
        with pytest.raises(SettingsError, match=why):
            BenchFolder(tmp_path).plan(model, make_request(**changes))
    plan = BenchFolder(tmp_path).plan(model, make_request(batch_size=1))
    assert len(plan) - plan.todo == 4  # how many are made together may change


def test_a_folder_of_other_images_is_refused(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "none" / "a cat" / "0.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(SettingsError, match="without images of another command"):
        BenchFolder(tmp_path).plan(model, make_request())


def test_a_case_that_raises_is_recorded_and_the_run_goes_on(run: Run, tmp_path: Path) -> None:
    suite = Suite("bad", (SUITE.lines[0], PromptLine("and with of"), SUITE.lines[1]))
    plan, progress = run(tmp_path, suite=suite, methods=[A_STAR, NONE], seeds=[0])
    rows = {(row["method"], row["prompt"]): row for row in read_records(tmp_path)}
    bad = rows.pop(("a-star", "and with of"))
    assert any("a-star: Expected concepts" in remark for remark in plan.remarks)
    assert progress.failed == 1 and progress.images == 6
    assert bad["status"] == "failed" and bad["error"].startswith("UnsuitablePrompt: Expected concepts")
    assert bad["image"] is None and {row["status"] for row in rows.values()} == {"done"}
    again, progress = run(tmp_path, suite=suite, methods=[A_STAR, NONE], seeds=[0])
    assert again.todo == progress.failed == 1  # it is tried again
    assert len(list(read_records(tmp_path))) == 6


def test_a_score_that_raises_keeps_the_image(run: Run, tmp_path: Path) -> None:
    _, progress = run(tmp_path, methods=[NONE], seeds=[0], scores=(Picky(),), batch_size=1)
    rows = {row["prompt"]: row for row in read_records(tmp_path)}
    bear = rows.pop("a dog and a bear")
    assert progress.failed == 1 and bear["status"] == "failed" and bear["error"] == "a score: ArithmeticError: no bears"
    assert (tmp_path / bear["image"]).is_file()
    assert {row["scores"]["picky.size"] for row in rows.values()} == {16.0}


def test_a_full_disk_leaves_whole_records_and_the_same_command_goes_on(run: Run, whole: Path, tmp_path: Path) -> None:
    size = shard(whole).stat().st_size
    with largest_file(size // 2), pytest.raises(OutputError, match="file too large"):
        run(tmp_path / "full")
    text = shard(tmp_path / "full").read_bytes()
    assert 0 < len(text) <= size // 2 and text.endswith(b"\n")
    assert json.loads(text.splitlines()[-1])["batch"][0] == json.loads(text.splitlines()[-1])["batch"][1]
    run(tmp_path / "full")
    assert images(tmp_path / "full") == images(whole)
    assert without_times(tmp_path / "full") == without_times(whole)


def test_an_image_for_which_there_is_no_room_is_not_recorded(run: Run, tmp_path: Path) -> None:
    with largest_file(1000), pytest.raises(OutputError, match="file too large"):
        run(tmp_path)
    assert not list(read_records(tmp_path)) and not images(tmp_path)


def test_a_second_run_in_the_same_folder_is_refused(run: Run, tmp_path: Path) -> None:
    folder = BenchFolder(tmp_path)
    with folder.locked(), pytest.raises(OutputError, match=r"another one writes there \(process \d+ on "):
        run(tmp_path)
    run(tmp_path, methods=[NONE], seeds=[0])  # the lock is gone


def test_what_a_kill_left_half_written_is_cleared(run: Run, tmp_path: Path) -> None:
    run(tmp_path, methods=[NONE], seeds=[0])
    whole = shard(tmp_path).read_bytes()
    (tmp_path / ".heedful" / "parts" / ".1-2.part").write_bytes(b"half")
    shard(tmp_path).write_bytes(whole + b'{"key": "half')
    with BenchFolder(tmp_path).locked():
        assert shard(tmp_path).read_bytes() == whole and not list(BenchFolder(tmp_path).parts.iterdir())


@dataclass(frozen=True, kw_only=True)
class Absent(WorldScore):
    """A score whose model is not there."""

    name: str = "absent"

    def load(self, prompt: Prompt) -> None:
        raise ModelNotFound("Expected a model, but the hub cannot be reached.")


def test_a_score_that_cannot_be_loaded_ends_the_run_before_the_first_image(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="cannot be reached"):
        run(tmp_path, scores=(WorldScore(), Absent()))
    assert not images(tmp_path) and not list(read_records(tmp_path))


def test_done_images_that_lack_a_score_are_counted(run: Run, model: Model, tmp_path: Path) -> None:
    run(tmp_path, methods=[NONE], seeds=[0])
    request = make_request(methods=[NONE], seeds=[0], scores=(WorldScore(), WorldScore(name="again")))
    plan = BenchFolder(tmp_path).plan(model, request)
    assert plan.todo == 0 and "4 images that are done lack a score of this run" in plan.remarks[-1]


def test_a_run_of_other_versions_joins_with_a_note(
    run: Run, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, methods=[NONE], seeds=[0])
    monkeypatch.setitem(VERSIONS, "sources", "others")
    plan = BenchFolder(tmp_path).plan(model, make_request(methods=[NONE], seeds=[0, 1]))
    assert plan.todo == 4 and any("other sources of heedful" in remark for remark in plan.remarks)
    mine = replace(NONE, loss=lambda maps, prompts, previous: maps.tokens.sum((1, 2, 3)))
    run = describe_run(plan)
    changed = run | {"code": {"none": code_of(mine)}}
    assert _version_changes(run, changed) == ["another implementation of the method none"]
    assert _version_changes(changed | {"methods": {}}, run) == []  # a run of other methods


@pytest.mark.parametrize("name", ["records/cases-0.jsonl", "none"])
def test_a_link_out_of_a_benchmark_is_not_followed(run: Run, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    if name == "none":
        victim.mkdir()
    else:
        victim.write_text("half a line")
    link = tmp_path / "out" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    with pytest.raises(OutputError, match="a way out of it"):
        run(tmp_path / "out", methods=[NONE], seeds=[0])
    assert victim.read_text() == "half a line" if victim.is_file() else not list(victim.iterdir())
