"""Every command that reads a file, given empty, binary, cut-off, huge, unreadable and wrongly typed ones."""

import contextlib
import io
import json
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from heedful import models, report, world
from heedful.cli.main import main
from heedful.errors import SettingsError
from tests.lab.test_audit import RECORDS
from tests.report.little_run import little_run
from tests.report.test_study_page import EVENNESS, STEPS

STOP = "Expected to stop here, before the work begins."


@dataclass(frozen=True)
class Slot:
    """A file that a command reads: where it lies, what it should hold, and the command."""

    file: str
    sample: bytes
    words: str
    """With F for the file, D for its folder, G for an image that is whole."""


def _png(size: int = 16) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((size, size), 90).convert("RGB").save(stream, "PNG")
    return stream.getvalue()


def _bomb() -> bytes:
    """A PNG whose head tells of 20000 x 20000 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


CARD = (world.WEIGHTS / "README.md").read_bytes()
FIGURES = (world.WEIGHTS / "figures.json").read_bytes()
TRIAL = _lines({"steps": 20, "guidance_scale": 3.0}, *map(asdict, RECORDS))
SEEN = {"prompt": "a cat", "seed": 0, "verdict": ["success"], "page": 1, "position": 1, "seen": "success"}
AUDIT = json.dumps({"shares": {"success": 1.0}, "images": [SEEN, SEEN | {"verdict": ["neglect"]}]}).encode()
LINE = {"prompt": "a cat and a dog", "concepts": ["cat", "dog"], "kind": "animals"}
GENEVAL = {
    "tag": "two_object",
    "include": [{"class": "cat", "count": 1}, {"class": "dog"}],
    "prompt": "a cat and a dog",
}
MANIFEST = {
    "prompt": "a <cat1> cat", "concepts": [{"placeholder": "<cat1>", "noun": "cat"}], "method": "disendiff",
    "weights": "custom-diffusion", "base": {}, "training": {},
}  # fmt: skip
SLOTS = {
    "prompts": Slot("prompts.txt", b"a cat\na dog\n", "generate --prompts F --out D/out"),
    "image": Slot("in.png", _png(), "generate cat --image F --mask-image G --out D/out"),
    "mask": Slot("in.png", _png(), "generate cat --image G --mask-image F --out D/out"),
    "lora": Slot("a.safetensors", b"\x02\0\0\0\0\0\0\0{}", "generate cat --lora F --out D/out"),
    "concepts": Slot("t/concepts.json", json.dumps(MANIFEST).encode(), "see cat --concepts-from D/t --out D/out"),
    "taught": Slot("in.png", _png(), "teach F --prompt P --no-prior-preservation --out D/out"),
    "taught mask": Slot("in.png", _png(), "teach G --mask F --prompt P --out D/out"),
    "suite": Slot("suite.txt", b"a cat\na dog\n", "bench run --suite F --out D/out"),
    "suite of JSON": Slot("suite.jsonl", _lines(LINE), "bench run --suite F --out D/out"),
    "geneval": Slot("a.jsonl", _lines(GENEVAL), "bench run --suite geneval --prompts F --out D/out"),
    "compbench": Slot("a_val.txt", b"a cat\n", "bench run --suite t2i-compbench --prompts F --out D/out"),
    "records": Slot("bench/records/cases-0.jsonl", b"", "bench report D/bench"),
    "run": Slot("bench/runs/RUN.json", b"", "bench report D/bench"),
    "records to go on": Slot(
        "bench/records/cases-0.jsonl", b"", "bench run --suite S --out D/bench --methods none --steps 1"
    ),
    "records to score": Slot("bench/records/cases-0.jsonl", b"", "bench add-score --scores world --out D/bench"),
    "image to score": Slot("bench/IMAGE", b"", "bench add-score --scores instance --out D/bench"),
    "card": Slot("README.md", CARD, "world card --model D"),
    "figures": Slot("figures.json", FIGURES, "world card --figures F"),
    "records to audit": Slot("two.jsonl", TRIAL, "world audit --records F --images 2 --out D/out"),
    "audit": Slot("audit.json", AUDIT, "world agreement F"),
    "study": Slot("retention.json", json.dumps(STEPS).encode(), "study page F D/page.md"),
    "evenness": Slot("evenness.json", json.dumps(EVENNESS).encode(), "study page F D/page.md"),
    "page": Slot("page.md", b"# Page\n", "study page D/study.json F"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
HUGE = (b"a" * 2_000_000, b"[" * 100_000, b'{"a":' * 100_000, b"\n" * 300_000, b"\xff" * 300_000, _bomb())
NO_FILE = ("absent", "folder", "loop")


@st.composite
def wrongly_typed(draw: Callable[[Any], Any], sample: bytes) -> bytes:
    """JSON, or lines of it, in which one value is another, or away."""
    rows = [json.loads(row) for row in sample.splitlines()] if sample.startswith(b"{") and b"}\n{" in sample else None
    tree = rows if rows is not None else json.loads(sample)
    spot, key = {"": tree}, ""
    for _ in range(draw(st.integers(0, 5))):
        inner: Any = spot[key]
        if not isinstance(inner, dict | list) or not inner:
            break
        spot, key = inner, draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner))))
    if isinstance(spot, dict) and key and draw(st.booleans()):
        del spot[key]
    else:
        spot[key] = draw(JSON)
        tree = spot[key] if key == "" else tree
    text = "".join(json.dumps(row) + "\n" for row in tree) if isinstance(tree, list) and rows else json.dumps(tree)
    return text.encode("utf-8", "surrogatepass")


def contents(sample: bytes) -> st.SearchStrategy[Any]:
    """What such a file may hold instead."""
    kinds = [
        st.sampled_from((b"", *HUGE, *NO_FILE)),
        st.binary(max_size=200),
        st.integers(0, len(sample)).map(lambda end: sample[:end]),
        st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
        JSON.map(lambda value: json.dumps(value).encode()),
    ]
    return st.one_of(*kinds, *([wrongly_typed(sample)] * 3 if sample.startswith(b"{") else []))


@dataclass(frozen=True)
class Bed:
    """A folder with everything that the commands read, which is laid out again only when a command changed it."""

    source: Path
    folder: Path

    def lay_out(self) -> None:
        """Make the folder as it was."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.source, self.folder)

    def find(self, name: str) -> Path:
        """Return where a slot's file lies."""
        run = next((self.source / "bench" / "runs").iterdir()).stem
        image = next((self.source / "bench").glob("none/*/0.png")).relative_to(self.source / "bench")
        return self.folder / name.replace("RUN", run).replace("IMAGE", image.as_posix())


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    """A little benchmark, its suite, an image, a page, and the figures of a study."""
    base = tmp_path_factory.mktemp("broken")
    source = base / "source"
    little_run(source / "bench", ["a cat and a dog"], range(2), ["none"], steps=1)
    shutil.copy(source / "bench" / "suite.jsonl", source / "world-two.jsonl")
    (source / "whole.png").write_bytes(_png())
    (source / "page.md").write_bytes(b"# Page\n")
    (source / "study.json").write_text(json.dumps(STEPS))
    made = Bed(source, base / "folder")
    made.lay_out()
    return made


@pytest.fixture(scope="module")
def nothing_is_made() -> Iterator[None]:
    """The embedded model is opened once, and nothing is painted, scored or taught.

    Where the broken file is a part of what is loaded on top of the model, the real opening reads it, onto the same
    pipeline.
    """

    def stop(*_: object, **__: object) -> None:
        raise SettingsError(STOP)

    draw, drawn = report.plot, {}

    def draw_once(found: dict[str, Any], path: Path) -> Path:
        """Draw the same figures once: a plot takes a second, and most pages here stand next to the same one."""
        key = json.dumps(found)
        if key not in drawn:
            drawn[key] = draw(found, path).read_bytes()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(drawn[key])
        return path

    opened, detector, tokenizer = models.open_model(), world.load_detector(), models.load_tokenizer()
    really_open = models.open_model

    def open_once(options: models.ModelOptions) -> models.Model:
        return really_open(options) if options.lora or options.concepts_from else opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "load", lambda folder=None, **options: opened.pipe)
        patch.setattr(world, "load_detector", lambda folder=None: detector)
        patch.setattr(models, "open_model", open_once)
        patch.setattr(models, "load_tokenizer", lambda name=None, **kwargs: tokenizer)
        for name in ("heedful.images.make_plan", "heedful.cli.learning.teach", "heedful.bench.describe_run"):
            patch.setattr(name, stop)
        patch.setattr("heedful.lab.audit.judge_again", stop)
        patch.setattr(report, "plot", draw_once)
        yield


@pytest.mark.parametrize("name", SLOTS)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.usefixtures("nothing_is_made")
def test_a_broken_file_is_refused_in_a_sentence_and_nothing_changes(name: str, bed: Bed, data: st.DataObject) -> None:
    slot, folder = SLOTS[name], bed.folder
    file = bed.find(slot.file)
    whole = file.read_bytes() if file.is_file() else None
    content = data.draw(contents(slot.sample or whole or b""))
    try:
        _put(file, content)
        before = _files(folder)
        stands_for = {"F": file, "G": folder / "whole.png", "S": folder / "world-two.jsonl", "P": "a <cat1> cat"}
        words = [str(stands_for.get(word, word.replace("D", str(folder)))) for word in slot.words.split()]

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            main(words)

        said = err.getvalue()
        assert end.value.code in (0, 1, 2), said
        assert "Traceback" not in said and "--debug shows where" not in said, said
        if end.value.code:
            assert "Error: " in said or "Not scored: " in said, said
            after = _uncut(before, _files(folder))
            # 1 says that some images were scored and some were not: what was there stays, and figures are added
            assert before == (after if end.value.code == 2 else {name: after.get(name) for name in before})
    finally:
        bed.lay_out()


def _put(file: Path, content: bytes | str) -> None:
    file.unlink(missing_ok=True)
    file.parent.mkdir(exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "folder":
        file.mkdir()
    elif content == "loop":
        file.symlink_to(file.name)


def _uncut(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files after a command, with what a run cuts off as left by a kill: half a line, half a batch of 2."""
    for name, content in after.items():
        rest = before.get(name, b"")[len(content) :] if name.startswith("bench/records/") else b""
        if before.get(name, b"").startswith(content) and rest.count(b"\n") < 2:
            after[name] = content + rest
    return after


def _files(folder: Path) -> dict[str, bytes]:
    """Every file by its path, but those by which runs keep each other away."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".heedful" not in path.parts
    }
