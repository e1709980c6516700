import json
from dataclasses import dataclass, field, make_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import heedful.identity
from heedful import guidance, teaching
from heedful.identity import VERSION, code_of, describe_fields, identity, sources_of


@dataclass(frozen=True, kw_only=True)
class Inner:
    sharpness: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Outer:
    weight: float
    inner: Inner = field(default_factory=Inner)
    parts: tuple[Any, ...] = ()
    note: str = field(default="", compare=False)


def test_fields_that_have_their_defaults_are_left_out() -> None:
    assert identity(Outer(weight=2.0, note="any")) == {"version": VERSION, "class": "Outer", "weight": 2.0}
    assert describe_fields(Outer(weight=2.0, inner=Inner(sharpness=3.0), parts=(Inner(), None))) == {
        "class": "Outer",
        "weight": 2.0,
        "inner": {"class": "Inner", "sharpness": 3.0},
        "parts": [{"class": "Inner"}, None],
    }


def test_a_new_field_with_a_default_changes_no_identity() -> None:
    later = make_dataclass("Inner", [("sharpness", float, 1.0), ("reach", float, 0.5)], frozen=True)
    assert identity(later(sharpness=3.0)) == identity(Inner(sharpness=3.0))
    outer = make_dataclass("Outer", [("weight", float), ("inner", object, later()), ("new", object, None)])
    assert identity(outer(1.0, inner=later(3.0))) == identity(Outer(weight=1.0, inner=Inner(sharpness=3.0)))
    assert identity(outer(1.0)) == identity(Outer(weight=1.0))
    assert identity(outer(1.0, new=later())) != identity(Outer(weight=1.0))


def test_chosen_fields_can_be_left_out() -> None:
    assert identity(Outer(weight=2.0), "weight") == {"version": VERSION, "class": "Outer"}


def test_everything_can_be_written_as_json_and_holds_no_address() -> None:
    things = [float("inf"), float("-inf"), float("nan"), {1: Path("a/b")}, {"b", "a"}, torch.float16, partial(max, 1)]
    plain = describe_fields([*things, torch.relu, Outer, lambda maps: maps, object()])
    text = json.dumps(plain, allow_nan=False)
    assert " at 0x" not in text
    assert plain[:5] == ["inf", "-inf", "nan", {"1": "a/b"}, ["a", "b"]]
    assert json.loads(text) == plain


def one(value: float) -> float:
    return value


def other(value: float) -> float:
    return 2 * value


def test_code_that_is_not_heedfuls_is_told_apart_and_heedfuls_own_is_none() -> None:
    for method in (*guidance.METHODS.values(), *teaching.METHODS.values()):
        assert code_of(method) is None
    found = [code_of((guidance.METHODS["none"], loss)) for loss in (one, other, Outer(weight=1.0))]
    assert len({*found, None}) == 4
    assert code_of(Outer(weight=2.0)) == found[2]  # its fields do not count
    nobody_wrote = type("Made", (), {"__module__": "nowhere"})
    assert code_of(nobody_wrote()) is not None


def test_sources_change_with_the_code_of_their_rooms_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heedful.identity, "_PACKAGE", tmp_path)
    for room in ("losses", "report"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "a.py").write_text("1")
    before = sources_of("losses")
    (tmp_path / "report" / "a.py").write_text("2")
    assert sources_of("losses") == before
    (tmp_path / "losses" / "a.py").write_text("2")
    assert sources_of("losses") != before
