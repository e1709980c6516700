import pytest

from heedful.app import State
from heedful.errors import SettingsError


def test_a_link_says_only_what_differs_from_the_defaults() -> None:
    assert State().to_query() == ""
    assert State(prompt="a dog", seeds="3").to_query() == "prompt=a+dog&seeds=3"


def test_a_link_leads_back_to_the_same_state() -> None:
    state = State(
        view="see", prompt="a [cat] & a <dog1> dog = 100 %", method="a-star", second="", seeds="0-3,9", steps=7,
        guidance_scale=7.123456789, scheduler="euler", width=512, model="owner/name", concepts_from=("a b", "c"),
        seed=4, lora=("x=0.5",), looked="none",
        lesson="a <a> cat", max_train_steps=3, folder="/tmp/ä",
    )  # fmt: skip
    assert State.from_query(state.to_query()) == state
    assert State.from_query("?" + state.to_query()) == state


def test_a_page_starts_with_its_own_defaults_and_a_link_wins() -> None:
    assert State.from_query("", {"model": "world:joint"}).model == "world:joint"
    assert State.from_query("model=world%3Acrowded", {"model": "world:joint"}).model == "world:crowded"
    assert State.from_query("steps=", {"steps": 5}).steps is None


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("promt=a", "got 'promt'"),
        ("steps=many", "a whole number for steps, got 'many'"),
        ("guidance_scale=x", "a number for guidance scale"),
        ("seeds=1&seeds=2", "seeds once"),
        ("method=a-sta", "Did you mean 'a-star'"),
        ("view=edit", "a view"),
        ("teacher=none", "a method that teaches"),
    ],
)
def test_a_link_that_says_something_else_is_refused(query: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        State.from_query(query)


def test_the_second_method_comes_first_and_the_same_one_once() -> None:
    assert State().methods == ("none", "heedful")
    assert State(second="").methods == ("heedful",)
    assert State(method="none").methods == ("none",)
    assert State(looked="none").seen_method == "none" and State().seen_method == "heedful"
