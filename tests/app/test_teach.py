from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from heedful.app.service import Service
from heedful.errors import SettingsError
from heedful.teaching import steps_kept
from heedful.world import one_image_concepts
from tests.app.conftest import news_of, of_kind

EXAMPLE = one_image_concepts()[0]


def _query(**fields: object) -> str:
    said = {"view": "teach", "lesson": EXAMPLE.prompt, "teacher": "textual-inversion", "max_train_steps": 12}
    return urlencode(said | fields)


@pytest.mark.slow
def test_a_lesson_that_is_stopped_goes_on_and_is_that_of_the_copied_command(
    service: Service, run_command: Callable[[str], Path], tmp_path: Path
) -> None:
    image = EXAMPLE.file.read_bytes()
    job = service.teach(_query(), "teach", image)
    said = []
    for news in job.events(60.0):
        said.append(news)
        if news is not None and news["kind"] == "progress" and news["step"] == 11:
            service.worker.stop("teach")
    said = [news for news in said if news is not None]
    (lesson,) = of_kind("lesson", said)
    (kept,) = of_kind("kept", said)
    assert said[-1]["kind"] == "stopped" and steps_kept(Path(lesson["out"])) == 10 and "10 of 12 steps" in kept["says"]

    again = news_of(service.teach(_query(), "teach", image))
    assert of_kind("lesson", again)[0]["kept"] == 10
    assert [news["step"] for news in of_kind("progress", again)] == [11, 12]
    assert {"loss", "denoising"} <= set(of_kind("progress", again)[0]["losses"])
    (sheet,) = of_kind("sheet", again)
    assert len(sheet["images"]) == 4 and len(sheet["images"][0]["maps"]) == 2
    (done,) = of_kind("done", again)
    words = [each["word"] for each in done["words"]]

    (file,) = of_kind("image", again)
    command = service.copies(_query(), file["file"], str(tmp_path / "other"))["command"]
    run_command(command + " --num-validation-images 0")
    for word in words:
        name = f"{word.strip('<>')}.safetensors"
        assert (tmp_path / "other" / name).read_bytes() == (Path(done["folder"]) / name).read_bytes()

    steered = f"steps=2&seeds=0&second=&concepts_from={done['folder']}&{urlencode({'prompt': done['prompt']})}"
    (made,) = of_kind("image", news_of(service.steer(steered, "steer")))
    assert made["png"] and made["verdict"] is None


def test_a_lesson_that_cannot_be_read_says_why(service: Service) -> None:
    for lesson, says in (("a cat", "angle brackets"), ("<a1>", "noun after <a1>"), ("a <x> cat and a <x> dog", "once")):
        (failed,) = of_kind("failed", news_of(service.teach(_query(lesson=lesson), "teach", EXAMPLE.file.read_bytes())))
        assert says in failed["says"]
    with pytest.raises(SettingsError, match="got none"):
        service.teach(_query(), "teach", b"")


def test_the_examples_are_those_that_come_with_heedful(service: Service) -> None:
    found = service.examples()
    assert len(found) == 10 and found[0]["prompt"] == EXAMPLE.prompt
    assert found[0]["image"].startswith("data:image/png;base64,")
