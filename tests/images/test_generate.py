"""Images in a gallery: made once, whole or not at all, and never in silence by other means."""

import json
from collections.abc import Callable
from dataclasses import field, make_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from heedful.errors import HeedfulError, OutputError, SettingsError
from heedful.guidance import Method
from heedful.guidance.methods import ATTEND_AND_EXCITE, HEEDFUL, NONE
from heedful.images import (
    Gallery,
    Inpainting,
    Plan,
    Request,
    SamplingOptions,
    choose_sampling,
    find_images,
    look_at,
    make_images,
    make_plan,
    painting,
    read_entry,
)
from heedful.models import Model

Make = Callable[..., Request]


def run(model: Model, out: Path, request: Request) -> tuple[Plan, list[Any]]:
    """Make what is left to do in `out`."""
    gallery = Gallery(out)
    with gallery.locked():
        plan = find_images(make_plan(model, request), gallery)
        return plan, [result for _, result in make_images(plan, gallery)]


def pngs(out: Path) -> dict[str, bytes]:
    """Every image by its name."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.glob("*/*/*.png")}


def test_nothing_is_made_twice(model: Model, request_images: Make, tmp_path: Path) -> None:
    plan, made = run(model, tmp_path, request_images())
    assert plan.todo == len(made) == len(pngs(tmp_path)) == 2
    again, none = run(model, tmp_path, request_images())
    assert again.todo == 0 and not none and not again.remarks
    assert len((tmp_path / "metadata.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_a_new_field_with_a_default_makes_nothing_again(model: Model, request_images: Make, tmp_path: Path) -> None:
    """Tomorrow's loss and method have one field more."""
    run(model, tmp_path, request_images(methods=[ATTEND_AND_EXCITE]))
    loss = ATTEND_AND_EXCITE.loss
    later_loss = make_dataclass(
        "AttendAndExciteLoss", [("tomorrow", float, field(default=0.5))], bases=(type(loss),), frozen=True, kw_only=True
    )
    later_method = make_dataclass(
        "Method", [("tomorrow", bool, field(default=False))], bases=(Method,), frozen=True, kw_only=True
    )
    values = vars(ATTEND_AND_EXCITE) | {"loss": later_loss(**vars(loss))}
    plan, _ = run(model, tmp_path, request_images(methods=[later_method(**values)]))
    assert len(plan) == 2 and plan.todo == 0
    changed = later_method(**(values | {"loss": later_loss(**vars(loss), tomorrow=1.0)}))
    with pytest.raises(SettingsError, match=r"method settings loss tomorrow none, now 1\.0"):
        run(model, tmp_path, request_images(methods=[changed]))


def test_a_cut_off_image_is_made_again(model: Model, request_images: Make, tmp_path: Path) -> None:
    run(model, tmp_path, request_images())
    whole = pngs(tmp_path)
    name = next(iter(whole))
    (tmp_path / name).write_bytes(whole[name][:-20])
    plan, _ = run(model, tmp_path, request_images(batch_size=1))
    assert plan.todo == 1 and set(pngs(tmp_path)) == set(whole)
    assert (tmp_path / name).read_bytes()[-20:] == whole[name][-20:]


def test_a_kill_leaves_whole_batches(
    model: Model, request_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heedful import folders

    run(model, tmp_path / "whole", request_images(seeds=[0, 1, 2, 3]))
    write, written = folders.write_atomic, []

    def dies(path: Path, *rest: Any, **options: Any) -> Path:
        if path.name == "1.whole" and len(written) > 3:
            raise SystemExit("killed")
        written.append(path.name)
        return write(path, *rest, **options)

    monkeypatch.setattr(folders, "write_atomic", dies)
    with pytest.raises(SystemExit):
        run(model, tmp_path / "killed", request_images(seeds=[0, 1, 2, 3]))
    monkeypatch.undo()
    assert len(pngs(tmp_path / "killed")) in (0, 2)
    run(model, tmp_path / "killed", request_images(seeds=[0, 1, 2, 3]))
    assert pngs(tmp_path / "killed") == pngs(tmp_path / "whole")


def test_another_version_does_not_join_in_silence(
    model: Model, request_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(model, tmp_path, request_images())
    monkeypatch.setitem(painting_versions(), "torch", "1.0")
    plan, _ = run(model, tmp_path, request_images(seeds=[0, 1, 2]))
    assert any("2 images that are there were made with torch" in remark for remark in plan.remarks)


def test_another_implementation_of_a_loss_does_not_join_in_silence(
    model: Model, request_images: Make, tmp_path: Path
) -> None:
    """Two classes of one name, with the same fields."""

    def method(factor: float) -> Method:
        loss = type(ATTEND_AND_EXCITE.loss)
        base = Weaker if factor < 1 else Stronger
        own = make_dataclass("AttendAndExciteLoss", [], bases=(base, loss), frozen=True, kw_only=True)
        return replace(ATTEND_AND_EXCITE, loss=own())

    def remarks(method: Method) -> str:
        plan = make_plan(model, request_images(methods=[method], steps=1))
        return " ".join(find_images(plan, Gallery(tmp_path)).remarks)

    run(model, tmp_path, request_images(methods=[method(0.5)], steps=1))
    assert "implementation" not in remarks(method(0.5))
    assert "2 images that are there were made with another implementation of the method" in remarks(method(2.0))


class Weaker:
    def __call__(self, *maps: Any) -> Any:
        return 0.5 * super().__call__(*maps)  # type: ignore[misc]


class Stronger:
    def __call__(self, *maps: Any) -> Any:
        return 2 * super().__call__(*maps)  # type: ignore[misc]


def painting_versions() -> dict[str, str]:
    from heedful.images import VERSIONS

    return VERSIONS


def test_a_persons_metadata_stay(model: Model, request_images: Make, tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text("mine")
    with pytest.raises(OutputError, match=r"Expected a folder without metadata\.jsonl"):
        run(model, tmp_path, request_images())
    assert (tmp_path / "metadata.jsonl").read_text() == "mine"


def test_numbers_that_are_not_finite_are_a_failure(
    model: Model, request_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = painting.sample

    def broken(*arguments: Any, **options: Any) -> np.ndarray:
        values = sample(*arguments, **options)
        values[1, 0, 0, 0] = np.nan
        return values

    monkeypatch.setattr(painting, "sample", broken)
    plan, (good, bad) = run(model, tmp_path, request_images())
    assert good.error is None and bad.png is None and "not finite" in bad.error
    assert [Path(name).name for name in pngs(tmp_path)] == ["0.png"]
    with pytest.raises(HeedfulError, match="not finite"):
        look_at(model, plan.sampling, [*plan.prompts] * 2, NONE, [0, 1])


def test_too_little_memory_of_the_processor_is_said(
    model: Model, request_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(type(model.pipe.vae), "decode", none)
    with pytest.raises(Exception, match="There is too little memory for 2 images at once"):
        run(model, tmp_path, request_images())


def test_a_run_of_one_step_has_nothing_to_restart(model: Model, request_images: Make, tmp_path: Path) -> None:
    _, made = run(model, tmp_path, request_images(methods=[HEEDFUL], steps=1))
    assert [result.error for result in made] == [None, None]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"width": 12}, "Expected a width that is a multiple of 8 pixels, got 12. The nearest is"),
        ({"steps": 1001}, "Expected at most 1000 steps"),
    ],
)
def test_what_diffusers_would_refuse_is_refused_while_planning(
    model: Model, request_images: Make, changes: dict[str, int], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        make_plan(model, request_images(**changes))


def test_a_strength_that_leaves_no_step_is_refused_while_planning(model: Model) -> None:
    grey = Image.new("RGB", (16, 16))
    inpainting = Inpainting(image=grey, mask=grey.convert("L"), strength=0.04)
    with pytest.raises(SettingsError, match=r"leaves a step to make, got 0\.04 of 20 steps\. .* 0\.05 or more"):
        choose_sampling(model, SamplingOptions(steps=20), inpainting)


def test_a_name_of_a_method_is_no_path(model: Model, request_images: Make) -> None:
    method = replace(NONE, name="none@step_rule=../../../x")
    (case, *_) = make_plan(model, request_images(methods=[method])).cases()
    assert case.image.count("/") == 2 and ".." not in case.image.split("/")
    assert case.image.startswith("none@step_rule=.._.._.._x ")


def test_metadata_has_a_row_for_each_image(model: Model, request_images: Make, tmp_path: Path) -> None:
    run(model, tmp_path, request_images())
    rows = [json.loads(line) for line in (tmp_path / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["file_name"] for row in rows] == sorted(pngs(tmp_path))
    entry = read_entry(tmp_path / rows[0]["file_name"])
    assert entry is not None and rows[0]["method_settings"] == entry.settings["method_settings"]
