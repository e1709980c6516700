import shlex
from typing import Any

import pytest

from heedful.app import State
from heedful.app.copies import Usual, as_command, as_python
from heedful.cli.main import app

HOSTILE = (
    "a cat and a blue clock",
    "a [cat] and a <dog1> dog",
    'a "quoted" cat; rm -rf ~ & $(reboot) `id`',
    "it's a cat\nand a dog",
    "-- --seeds 9",
    "--help",
    "a cat \\[not a mark\\]",
)


def _bound(command: str) -> Any:
    """What the command line understands."""
    words = shlex.split(command)
    assert words[0] == "heedful"
    _, bound, _ = app.parse_args(words[1:], print_error=False, exit_on_error=False)
    return bound.arguments


@pytest.mark.parametrize("prompt", HOSTILE)
def test_a_command_means_the_state_whatever_the_prompt(prompt: str) -> None:
    state = State(prompt=prompt, seeds="3,5-7", steps=9, guidance_scale=2.5, scheduler="euler", model="a b/c", width=64)
    said = _bound(as_command(state))
    assert said["prompts"] == (prompt,) and said["choice"].compare == "none,heedful" and said["choice"].seeds == "3,5-7"
    assert (said["sampling"].steps, said["sampling"].guidance_scale, said["sampling"].width) == (9, 2.5, 64)
    assert (said["model"].model, said["model"].scheduler) == ("a b/c", "euler")
    seen = _bound(as_command(State(view="see", prompt=prompt, seed=4, looked="a-star")))
    assert (seen["prompt"], seen["seed"], seen["method"]) == (prompt, 4, "a-star")


def test_a_single_method_is_no_comparison() -> None:
    assert as_command(State(second="")) == 'heedful generate "a cat and a blue clock" --method heedful --seeds 0-3'
    assert "--compare none,heedful" in as_command(State())


def test_a_lesson_and_a_benchmark_are_commands_too() -> None:
    lesson = State(view="teach", lesson="a <a1> cat", teacher="dreambooth", max_train_steps=7, device="cpu")
    taught = _bound(as_command(lesson, "/tmp/a b.png"))
    assert [str(image) for image in taught["images"]] == ["/tmp/a b.png"]
    assert (taught["lesson"].prompt, taught["lesson"].method) == ("a <a1> cat", "dreambooth")
    assert taught["numbers"].max_train_steps == 7
    report = _bound(as_command(State(view="compare", folder="out/a b", score="clip.text")))
    assert (str(report["folder"]), report["score"]) == ("out/a b", "clip.text")


@pytest.mark.parametrize("prompt", HOSTILE)
@pytest.mark.parametrize("view", ["steer", "see", "teach", "compare"])
def test_a_program_is_python_whatever_is_in_it(prompt: str, view: str) -> None:
    state = State(view=view, prompt=prompt, lesson=prompt, folder=prompt, model=prompt, concepts_from=(prompt,))
    compile(as_python(state, Usual(), "text", range(20), prompt), "copied", "exec")


def test_a_program_says_the_numbers_of_its_model_and_the_seeds_in_short() -> None:
    program = as_python(State(), Usual(steps=50, guidance_scale=7.5, batch_size=1), "a cat and a blue clock", range(20))
    assert "num_inference_steps=50, guidance_scale=7.5" in program and "list(range(0, 20))" in program
    assert "heedful.world.load()" in program and "marked" not in program
    other = as_python(State(model="owner/name", width=512), Usual(), "a cat", (1,))
    assert "ModelOptions(model='owner/name')" in other and "width=512" in other and "marked" in other
