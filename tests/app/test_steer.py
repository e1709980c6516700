import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.app.service import Service
from heedful.app.steer import MOST, verdict
from tests.app.conftest import QUICK, news_of, of_kind

QUERY = f"{QUICK}&prompt=a+%5Bcat%5D+and+a+blue+%5Bclock%5D&second=a-star"


def _images(service: Service, query: str) -> dict[tuple[str, int], bytes]:
    made = of_kind("image", news_of(service.steer(query, "test")))
    return {(each["method"], each["seed"]): base64.b64decode(each["png"]) for each in made}


def test_images_are_those_of_the_copied_command_byte_for_byte(
    service: Service, run_command: Callable[[str], Path]
) -> None:
    made = _images(service, QUERY)
    folder = run_command(service.copies(QUERY)["command"]) / "out"
    assert set(made) == {(method, seed) for method in ("a-star", "heedful") for seed in (0, 1)}
    for (method, seed), content in made.items():
        assert (folder / method / "a cat and a blue clock" / f"{seed}.png").read_bytes() == content


@pytest.mark.slow
def test_images_are_those_of_the_copied_program_bit_for_bit(service: Service) -> None:
    made, names = _images(service, QUERY), {}
    exec(service.copies(QUERY)["python"], names)
    assert set(names["images"]) == set(made)
    for key, image in names["images"].items():
        assert np.array_equal(np.asarray(image), np.asarray(Image.open(BytesIO(made[key]))))


def test_a_run_says_its_plan_its_steps_and_the_verdict_of_the_judge(service: Service) -> None:
    news = news_of(service.steer(f"{QUICK}&prompt=a+cat+and+a+zorp", "test"))
    (plan,) = of_kind("plan", news)
    assert plan["unknown"] == ["zorp"]
    assert plan["concepts"] == ["cat", "zorp"] and plan["methods"] == ["none", "heedful"]
    steps = of_kind("progress", news)
    assert {(each["method"], each["step"]) for each in steps} == {(m, s) for m in plan["methods"] for s in (1, 2, 3)}
    done = [each["done"] for each in steps]
    assert done == sorted(done) and done[-1] == pytest.approx(1)
    assert all(each["verdict"]["is_right"] in (True, False) for each in of_kind("image", news))
    assert news[-1]["kind"] == "done" and news[-1]["images"] == 4


def test_a_run_that_is_stopped_in_the_middle_leaves_nothing_behind(service: Service) -> None:
    before = _images(service, QUERY)
    job = service.steer(QUERY.replace("steps=3", "steps=9"), "test")
    said = []
    for news in job.events(60.0):
        said.append(news)
        if news is not None and news["kind"] == "progress" and news["method"] == "heedful":
            assert service.worker.stop("test")
    assert said[-1] == {"kind": "stopped"} and len(of_kind("image", [each for each in said if each])) == 2
    pipe = service.models.open(next(iter(service.models._opened))).pipe
    assert "forward" not in vars(pipe.unet) and "step" not in vars(pipe.scheduler)
    assert _images(service, QUERY) == before


def test_what_is_wrong_is_said_in_words(service: Service) -> None:
    for query, says in (
        ("prompt=", "Expected a prompt"),
        ("seeds=3-1", "counts down"),
        (f"seeds=0-{MOST}", f"at most {MOST} images at a time"),
        ("scheduler=fast", "one of the schedulers"),
        ("prompt=the+and", "Expected concepts to guide by"),
        ("model=world%3Anone", "world:sprites"),
        ("width=13", "multiple of 8"),
        (f"prompt={'cat+' * 3000}", "at most 10000 characters"),
    ):
        (failed,) = of_kind("failed", news_of(service.steer(query, "test")))
        assert says in failed["says"] and "--" not in failed["says"]


def test_the_judge_speaks_plainly() -> None:
    assert verdict({"world.success": 1.0})["says"] == "all there, each once"
    faults = {"world.success": 0.0, "world.neglect": 1.0, "world.extra": 1.0, "world.hybrid": 0.0}
    assert verdict(faults) == {"is_right": False, "says": "something is missing; something was not asked for"}
    assert verdict({"world.success": None})["is_right"] is None
