"""Which cases there are, in which batches, under which keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from heedful.bench import BenchFolder, Suite
from heedful.errors import ConceptNotFound, SettingsError
from heedful.images import Plan, PromptLine
from heedful.images.cases import KeyMaker
from heedful.models import Model
from heedful.prompts import Concept, Prompt
from tests.bench.conftest import SUITE, make_request


@pytest.fixture
def plan(model: Model, tmp_path: Path) -> Plan:
    return BenchFolder(tmp_path / "new").plan(model, make_request())


def test_batches_are_of_one_method_and_hold_every_case_once(plan: Plan) -> None:
    batches = list(plan.batches())
    assert [(batch.number, batch.method.name, len(batch.cases)) for batch in batches] == [
        (0, "none", 3), (1, "none", 3), (2, "none", 2),
        (3, "a-star", 3), (4, "a-star", 3), (5, "a-star", 2),
    ]  # fmt: skip
    keys = [case.key for batch in batches for case in batch.cases]
    assert len(set(keys)) == len(keys) == len(plan) == plan.todo == 16


def test_methods_share_noise_and_prompts_do_not(plan: Plan) -> None:
    seeds: dict[str, list[tuple[str, int]]] = {}
    for batch in plan.batches():
        seeds.setdefault(batch.method.name, []).extend((case.prompt.text, case.seed) for case in batch.cases)
    assert seeds["none"] == seeds["a-star"]
    assert [seed for _, seed in seeds["none"]] == [0, 1000, 2000, 3000, 1, 1001, 2001, 3001]


def test_prompts_share_noise_when_asked_to(model: Model, tmp_path: Path) -> None:
    plan = BenchFolder(tmp_path).plan(model, make_request(same_noise=True, seeds=[5, 1200]))
    assert {case.seed for batch in plan.batches() for case in batch.cases} == {5, 1200}


def test_seeds_that_would_meet_those_of_the_next_prompt_are_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Expected seeds below 1000"):
        BenchFolder(tmp_path).plan(model, make_request(seeds=[0, 1000]))


def test_a_batch_without_what_is_done_keeps_its_number(plan: Plan) -> None:
    done = bytes([1, 1, 1, 0, 1, 0]) + bytes(10)
    batches = list(replace(plan, is_done=done).batches())
    assert [(batch.number, len(batch.cases)) for batch in batches[:2]] == [(1, 2), (2, 2)]
    whole = {case.key for batch in plan.batches() for case in batch.cases}
    assert {case.key for batch in batches for case in batch.cases} < whole


def test_a_key_is_the_same_everywhere() -> None:
    prompt = Prompt("a cat", ("<s>", "a", "cat", "</s>"), (Concept("cat", "cat", (2,)),))
    assert KeyMaker({"steps": 2, "method": "none"})(prompt, 7) == "502b3eab462e93a031ce"
    assert KeyMaker({"method": "none", "steps": 2})(prompt, 7) == "502b3eab462e93a031ce"
    others = {KeyMaker({"steps": 3, "method": "none"})(prompt, 7), KeyMaker({"steps": 2, "method": "none"})(prompt, 8)}
    assert len(others | {"502b3eab462e93a031ce"}) == 3


def test_a_prompt_that_cannot_be_read_is_named(model: Model, tmp_path: Path) -> None:
    suite = Suite("wrong", (SUITE.lines[0], PromptLine("a dog", concepts=("frog",))))
    with pytest.raises(ConceptNotFound, match=r"In the prompt 'a dog': No words match the concept 'frog'"):
        BenchFolder(tmp_path).plan(model, make_request(suite=suite))


def test_the_same_text_with_other_marks_is_refused(model: Model, tmp_path: Path) -> None:
    suite = Suite("twice", (PromptLine("a cat and a [dog]"), PromptLine("a [cat] and a dog")))
    with pytest.raises(SettingsError, match="the same text with other marks"):
        BenchFolder(tmp_path).plan(model, make_request(suite=suite))


def test_planning_writes_nothing(plan: Plan, tmp_path: Path) -> None:
    assert plan.todo == 16 and not list(tmp_path.iterdir())
