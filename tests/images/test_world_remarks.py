"""What nobody would see in the figures is said before the images are made."""

from dataclasses import replace

import pytest

from heedful.guidance.methods import A_STAR, NONE
from heedful.images import PromptLine, Request, make_plan
from heedful.models import Model, ModelOptions, open_model
from heedful.scores import WorldScore, verdict_scores


@pytest.fixture(scope="module")
def world_model() -> Model:
    return open_model(ModelOptions(device="cpu"))


def remarks(model: Model, text: str, concepts: tuple[str, ...] | None = None) -> str:
    line = PromptLine(text, concepts=concepts)
    request = Request(prompts=[line], methods=[NONE, A_STAR], seeds=[0], scores=[WorldScore()])
    return " ".join(make_plan(model, request).remarks)


def test_words_that_the_embedded_model_never_saw_are_said_once(world_model: Model) -> None:
    said = remarks(world_model, "a castle and a mauve cat", ("castle", "mauve cat"))
    assert said.count("has never seen castle, mauve, so") == 1 and "the colours black, blue" in said
    assert remarks(world_model, "a cat and a blue clock") == ""


def test_a_judge_who_does_not_know_what_was_taught_says_so_and_counts_no_success(world_model: Model) -> None:
    taught = replace(world_model, on_top={"concepts_from": ["0123"]})
    assert "does not know what was taught" in remarks(taught, "a cat and a clock")
    assert verdict_scores(taught) == () and len(verdict_scores(world_model)) == 1
