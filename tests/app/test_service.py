import pytest

from heedful.app.says import MODELS, SAYS, TEACHER_SAYS
from heedful.app.service import Service, describe
from heedful.catalogue import METHODS, TEACHING_METHODS
from heedful.errors import PromptError, SettingsError
from heedful.world import WORLDS


def test_the_page_knows_every_method_and_embedded_model() -> None:
    assert set(SAYS) == set(METHODS) and set(TEACHER_SAYS) == set(TEACHING_METHODS)
    assert set(MODELS) == {f"world:{name}" for name in WORLDS}


def test_the_page_starts_with_what_the_command_was_given() -> None:
    about = Service({"model": "world:joint"}).about()
    assert about["defaults"]["model"] == "world:joint" and about["defaults"]["prompt"] == "a cat and a blue clock"
    assert [each["name"] for each in about["methods"]] == [name for name in METHODS if name != "osi"]
    assert not about["is_public"]


def test_clicks_and_typing_change_the_prompt(service: Service) -> None:
    assert service.toggle("a cat and a dog", 2)["prompt"] == "a cat and a [dog]"
    assert service.carry("a [cat]", "a black cat")["prompt"] == "a black [cat]"
    assert service.lesson("a cat")["lesson"] == "a cat"
    assert service.lesson("a cat", 2)["words"][1] == {
        "text": "<cat1>", "start": 2, "end": 8, "is_new": True, "is_taught": False,
    }  # fmt: skip
    with pytest.raises(PromptError):
        service.read("")


def test_a_copied_link_leads_to_the_same_state(service: Service) -> None:
    query = "view=see&prompt=a+%5Bdog%5D&seed=3"
    assert service.state(service.copies(query)["link"]) == service.state(query)


def test_only_an_open_model_has_a_program(service: Service) -> None:
    copies = service.copies("model=owner/never-opened")
    assert copies["python"] == "" and "--model owner/never-opened" in copies["command"]


def test_errors_are_said_in_words(caplog: pytest.LogCaptureFixture) -> None:
    assert describe(SettingsError("Expected.")) == "Expected."
    assert "fewer or smaller images" in describe(MemoryError())
    assert describe(KeyError("x")) == "KeyError: 'x' The terminal says where."
    assert "An error that heedful does not know" in caplog.text
