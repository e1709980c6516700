"""Which prompts a suite has, and what is said of files that are wrong."""

import json
from pathlib import Path

import pytest

from heedful.bench.suite_files import read_prompts, to_json
from heedful.bench.suites import SUITES, find_suite
from heedful.errors import SettingsError
from heedful.images import PromptLine
from heedful.prompts import Prompt
from heedful.world.instances import one_image_concepts
from heedful.world.tokenizer import build_tokenizer

COUNTS = {
    "attend-and-excite": 276,
    "world-single": 156,
    "world-two-development": 138,
    "world-two-report": 138,
    "world-three": 59,
    "world-three-development": 30,
    "world-three-report": 29,
    "one-image-concepts": 900,
    "one-image-concepts-three": 120,
    "one-image-concepts/cat-dog": 30,
}


def _write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_suite_of_ours_has_its_prompts_once_and_they_can_be_read(name: str, count: int) -> None:
    suite, tokenizer = find_suite(name), build_tokenizer()
    tokenizer.add_tokens(sorted({word for line in suite.lines for word in line.prompt.split() if word[0] == "<"}))
    assert suite.name == name and len({line.prompt for line in suite.lines}) == len(suite.lines) == count
    some = suite.lines[:: 7 if count > 300 else 1]
    concepts = {len(Prompt.parse(line.prompt, tokenizer, line.concepts).concepts) for line in some}
    several = {"one-image-concepts-three": {1, 2, 3, 4}} if "three" in name else {name: {1, 2, 3}}
    one = {1 if name == "world-single" else 3 if name.startswith("world-three") else 2}
    assert concepts == (several[name] if name.startswith("one-image") else one)
    assert all(line.kind for line in suite.lines)


@pytest.mark.parametrize(("half", "whole"), [("world-two", "attend-and-excite"), ("world-three", "world-three")])
def test_the_halves_make_up_the_whole(half: str, whole: str) -> None:
    development, report, whole = (
        {line.prompt for line in find_suite(name).lines} for name in (f"{half}-development", f"{half}-report", whole)
    )
    assert development | report == whole and not development & report


def test_the_kinds_of_attend_and_excite_are_as_published() -> None:
    kinds = [line.kind for line in find_suite("attend-and-excite").lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "animal-animal": 66, "animal-object": 144, "object-object": 66,
    }  # fmt: skip


def test_a_suite_of_one_image_concepts_is_that_of_its_pictures() -> None:
    names = [image.name for image in one_image_concepts()]
    parts = [line for name in names for line in find_suite(f"one-image-concepts/{name}").lines]
    assert tuple(parts) == find_suite("one-image-concepts").lines
    assert {line.kind: [each.kind for each in parts].count(line.kind) for line in parts} == {"both": 300, "alone": 600}
    with pytest.raises(SettingsError, match=r"Expected one of the parts cat-dog, .*'cat-bat'"):
        find_suite("one-image-concepts/cat-bat")


def test_the_background_of_a_prompt_is_no_concept() -> None:
    lines = {line.prompt: line.concepts for line in find_suite("one-image-concepts/cat-dog").lines}
    on_ground = next(text for text in lines if text.endswith("background") and "dog" in text and "cat" in text)
    assert lines[on_ground] == ("<cat1> cat", "<dog1> dog")


def test_a_limit_takes_the_first_prompts() -> None:
    suite = find_suite("world-three")
    assert suite.first(2).lines == suite.lines[:2] and suite.first(None) == suite
    with pytest.raises(SettingsError, match="Expected a limit of 1"):
        suite.first(0)


def test_a_text_file_is_a_suite(tmp_path: Path) -> None:
    file = _write(tmp_path / "mine.txt", "\ufeffa [cat]", "", "  a dog ", "a [cat]")
    assert find_suite(str(file)).name == "mine"
    assert find_suite(str(file)).lines == (PromptLine("a [cat]", "mine"), PromptLine("a dog", "mine"))


def test_a_jsonl_file_is_a_suite_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = (PromptLine("a\u2028cat"), PromptLine("a blue clock", "single", ("clock",)))
    file = _write(tmp_path / "mine.jsonl", *(to_json(line) for line in rows))
    assert read_prompts(file) == rows


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "line 2 of .*: it is no JSON|line 2 of .*, but it is no JSON"),
        ('["a cat"]', 'line 2 .* has no text "prompt"'),
        ({"text": "a cat"}, 'has no text "prompt"'),
        ({"prompt": " "}, 'has no text "prompt"'),
        ({"prompt": "a cat", "concept": ["cat"]}, "unknown field 'concept'; known are prompt, concepts, kind"),
        ({"prompt": "a cat", "concepts": "cat"}, "not a list of texts"),
        ({"prompt": "a cat", "kind": 3}, "not a text"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: object, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read_prompts(_write(tmp_path / "mine.jsonl", {"prompt": "a dog"}, row))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    for file, why in (
        (tmp_path / "absent.txt", "cannot be read"),
        (_write(tmp_path / "mine.csv", "a cat"), r"ends in .txt \(one per line\) or .jsonl"),
        (_write(tmp_path / "empty.txt"), "Expected at least one prompt"),
    ):
        with pytest.raises(SettingsError, match=why):
            read_prompts(file)
    with pytest.raises(SettingsError, match=r"Expected one of the suites attend-and-excite, .*, or a file of prompts"):
        find_suite("attend")


def test_geneval_is_read_from_the_users_copy(tmp_path: Path) -> None:
    """Lines in the form of its evaluation_metadata.jsonl, with classes of ours."""
    file = _write(
        tmp_path / "evaluation_metadata.jsonl",
        {"tag": "single_object", "include": [{"class": "clock", "count": 1}], "prompt": "a photo of a clock"},
        {
            "tag": "color_attr",
            "include": [
                {"class": "cat", "count": 1, "color": "red"},
                {"class": "teddy bear", "count": 1, "color": "blue"},
            ],
            "prompt": "a red cat and a blue teddy bear",
        },
        {
            "tag": "counting",
            "include": [{"class": "dog", "count": 3}],
            "exclude": [{"class": "dog", "count": 4}],
            "prompt": "a photo of three dogs",
        },
    )
    lines = find_suite("geneval", file).lines
    assert lines == find_suite("geneval", tmp_path).lines
    assert [(line.kind, line.concepts) for line in lines] == [
        ("single_object", ("clock",)),
        ("color_attr", ("red cat", "blue teddy+bear")),
        ("counting", None),
    ]
    prompt = Prompt.parse(lines[1].prompt, build_tokenizer(), lines[1].concepts)
    assert [(one.noun, [m.text for m in one.modifiers]) for one in prompt.concepts] == [
        ("cat", ["red"]),
        ("teddy bear", ["blue"]),
    ]
    with pytest.raises(SettingsError, match='no list "include"'):
        find_suite("geneval", _write(tmp_path / "other.jsonl", {"prompt": "a cat"}))


def test_t2i_compbench_is_read_from_the_users_copy(tmp_path: Path) -> None:
    _write(tmp_path / "color_val.txt", "a green bench and a blue bowl", "a blue bench and a green bowl")
    _write(tmp_path / "numeracy_val.txt", "two cats")
    _write(tmp_path / "color_train.txt", "a red car")
    kinds = [line.kind for line in find_suite("t2i-compbench", tmp_path).lines]
    assert kinds == ["color", "color", "numeracy"]
    assert len(find_suite("t2i-compbench", tmp_path / "color_val.txt").lines) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match=r"such as color_val.txt"):
        find_suite("t2i-compbench", tmp_path / "empty")


def test_only_suites_that_are_not_ours_want_a_copy(tmp_path: Path) -> None:
    for name in (name for name, origin in SUITES.items() if origin.make is None):
        with pytest.raises(SettingsError, match=rf"your copy of the prompts of {name}.*Name its file or folder"):
            find_suite(name)
    with pytest.raises(SettingsError, match="which has its own"):
        find_suite("world-three", tmp_path)
