"""What the page can ask for, as functions from and to plain JSON values. It knows no web server."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from heedful.app.compare import compare, prompt_images
from heedful.app.copies import Usual, as_command, as_python
from heedful.app.jobs import Job, News, Worker
from heedful.app.lessons import read_lesson, toggle_lesson
from heedful.app.models import Models, model_options
from heedful.app.says import MODELS, SAYS, TEACHER_SAYS, UNOFFERED
from heedful.app.see import Looks, animation, see
from heedful.app.state import State
from heedful.app.steer import steer
from heedful.app.teach import examples, lesson_of, teach_lesson
from heedful.app.uploads import read_upload
from heedful.app.words import carry, read, toggle
from heedful.catalogue import METHODS, TEACHING_METHODS
from heedful.errors import HeedfulError, SettingsError

SCHEDULERS = ("ddim", "ddpm", "euler", "eulerancestral", "dpmsolvermultistep", "unipcmultistep", "lms", "heun", "pndm")
"""Those that the page offers; others can be written."""
log = logging.getLogger("heedful.app")


class Service:
    """The models, the worker and what runs have left: one of them serves every tab.

    `defaults` are the fields of `State` that this page starts with, such as the model; what is taught goes to `out`.
    In a public page nobody may name files of its machine.
    """

    def __init__(
        self, defaults: Mapping[str, Any] | None = None, out: Path = Path("out/app"), *, is_public: bool = False
    ):
        self.out = out
        self.defaults = dict(defaults or {})
        self.is_public = is_public
        self.models = Models()
        self.looks = Looks()
        self.worker = Worker(describe)
        self.is_ready = False

    def warm_up(self) -> None:
        """Open the model of the page, so that the first image does not wait for it."""

        def work(_say: Callable[[News], None], _check: Callable[[], None]) -> None:
            self.models.open(model_options(self.state("")))
            self.is_ready = True

        self.worker.submit(work, "warm up")

    def state(self, query: str) -> State:
        """Return the state that a query says on this page; raises `SettingsError`."""
        state = State.from_query(query, self.defaults)
        if self.is_public:
            own = State.from_query("", self.defaults)
            inside = [Path(folder).resolve().is_relative_to(self.out.resolve()) for folder in state.concepts_from]
            if state.out or not all(inside):
                raise SettingsError("This page is public, so nobody names folders of its machine.")
            is_embedded = state.model is None or state.model in MODELS
            if not (is_embedded or state.model == own.model) or (state.lora, state.device) != (own.lora, own.device):
                raise SettingsError("This page is public: take its own model or an embedded one, and no LoRA.")
        return state

    def about(self) -> dict[str, Any]:
        """Return what the page is made of: methods with a line each, models, schedulers, and what it starts with."""
        start = self.state("")
        return {
            "defaults": asdict(start),
            "methods": [{"name": name, "says": SAYS.get(name, "")} for name in METHODS if name not in UNOFFERED],
            "teachers": [{"name": name, "says": TEACHER_SAYS.get(name, "")} for name in TEACHING_METHODS],
            "schedulers": list(SCHEDULERS),
            "models": [{"name": name, "says": says} for name, says in MODELS.items()],
            "is_public": self.is_public,
            "is_ready": self.is_ready,
        }

    def read(self, prompt: str) -> dict[str, Any]:
        """Return the words and concepts of a prompt; raises `PromptError`."""
        return {"prompt": prompt, **asdict(read(prompt))}

    def toggle(self, prompt: str, position: int) -> dict[str, Any]:
        """Return the prompt after a click on a word; raises `PromptError`."""
        return self.read(toggle(prompt, position))

    def carry(self, prompt: str, text: str) -> dict[str, Any]:
        """Return the prompt after its text was changed by typing; raises `PromptError`."""
        return self.read(carry(prompt, text))

    def copies(self, query: str, image: str = "", out: str = "") -> dict[str, str]:
        """Return a state as a command, as Python, and as the query of a link.

        `image` and `out` are the file and the folder of the lesson that the page has given last.
        """
        from heedful.images import parse_seeds

        state = self.state(query)
        link = state.to_query()
        state = replace(state, out=state.out or out)
        file = {"image": image} if image else {}
        command = as_command(state, **file)
        if state.view in ("teach", "compare"):
            return {"command": command, "python": as_python(state, Usual(), "", (), **file), "link": link}
        usual = self.models.usual(model_options(state))
        if usual is None:  # only an open model says what it takes
            return {"command": command, "python": "", "link": link}
        python = as_python(state, usual, read(state.prompt).text, parse_seeds(state.seeds))
        return {"command": command, "python": python, "link": link}

    def steer(self, query: str, key: str) -> Job:
        """Return the job that makes the images of a state; raises `SettingsError`."""
        state = self.state(query)
        return self.worker.submit(lambda say, check: steer(self.models, state, say, check), key)

    def see(self, query: str, key: str) -> Job:
        """Return the job that looks at the image of a state; raises `SettingsError`."""
        state = self.state(query)
        return self.worker.submit(lambda say, check: see(self.models, self.looks, state, say, check), key)

    def animation(self, name: str, kind: str) -> bytes:
        """Return the maps of a look over the steps as GIF or WEBP; raises `SettingsError`."""
        return animation(self.looks.find(name), kind)

    def masks(self, name: str) -> bytes:
        """Return the masks of a look as COCO JSON; raises `SettingsError`."""
        return self.looks.find(name).coco.encode()

    def compare(self, query: str) -> dict[str, Any]:
        """Return the tables of a benchmark; raises `SettingsError`."""
        return compare(self._benchmark(query))

    def prompt_images(self, query: str, suite: str, prompt: str) -> dict[str, Any]:
        """Return the images of a prompt of a benchmark; raises `SettingsError`."""
        return prompt_images(self._benchmark(query), suite, prompt)

    def _benchmark(self, query: str) -> State:
        state = self.state(query)
        if self.is_public and state.folder != self.defaults.get("folder"):
            raise SettingsError("This page is public, so it opens no folders of its machine.")
        return state

    def lesson(self, text: str, position: int | None = None) -> dict[str, Any]:
        """Return the words of a lesson, after a click on one of them if a position is given; raises `PromptError`."""
        lesson = text if position is None else toggle_lesson(text, position)
        return {"lesson": lesson, "words": [asdict(word) for word in read_lesson(lesson)]}

    def examples(self) -> list[dict[str, str]]:
        """Return images that come with heedful to learn from."""
        return examples()

    def teach(self, query: str, key: str, image: bytes) -> Job:
        """Return the job that teaches what a state says from an image; raises `SettingsError`."""
        state, read = self.state(query), read_upload(image)
        lesson = lesson_of(state, read, self.out)

        def work(say: Callable[[News], None], check: Callable[[], None]) -> None:
            say({"kind": "image", "file": str(lesson.image)})
            teach_lesson(self.models, state, lesson, read, say, check)

        return self.worker.submit(work, key)


def describe(error: BaseException) -> str:
    """Return what went wrong in a sentence or two; what nobody expected goes to the log, too."""
    if isinstance(error, HeedfulError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The memory was too small. Ask for fewer or smaller images at a time."
    log.error("An error that heedful does not know", exc_info=error)
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}".rstrip(": ") + " The terminal says where."
