"""The faults that are put back: each stands in the sources as they are, and names a test that there is."""

import ast
import re
from pathlib import Path

import pytest
from mutations import FAULTS as FILE
from mutations import ROOT, Change, Fault, Outcome, WrongFault, read_faults

FAULTS = read_faults()


def _names(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_fault_can_be_put_back_into_the_sources_as_they_are(tmp_path: Path) -> None:
    for fault in FAULTS:
        for file in {change.file for change in fault.changes}:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes((ROOT / file).read_bytes())
        for change in fault.changes:
            change.apply(tmp_path)
            if change.file.endswith(".py"):
                ast.parse((tmp_path / change.file).read_text(encoding="utf-8"))


def test_every_fault_names_tests_that_there_are_and_says_something_of_its_own() -> None:
    known: dict[str, set[str]] = {}
    for fault in FAULTS:
        assert fault.tests and fault.changes, fault
        for test in fault.tests:
            file, _, name = test.partition("::")
            known.setdefault(file, _names(file))
            assert not name or name.partition("[")[0] in known[file], test
    assert len({fault.says for fault in FAULTS}) == len(FAULTS)


def test_the_page_counts_the_faults_of_each_part_of_the_list() -> None:
    _, *parts = re.split(r"^# --- (.*?) -+\n", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    counts = {name.lower(): text.count("[[fault]]") for name, text in zip(parts[::2], parts[1::2], strict=True)}
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").partition("| part of the list |")[2]
    assert {
        name.lower(): int(count) for name, count in re.findall(r"^\| (.*?) \| (\d+) \|$", page, re.MULTILINE)
    } == counts
    assert sum(counts.values()) == len(FAULTS)


def test_a_text_that_stands_nowhere_or_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    for was, times in (("two", 2), ("three", 0)):
        with pytest.raises(WrongFault, match=f"exactly once in a.py, found it {times} times"):
            Change("a.py", was, "x").apply(tmp_path)
    with pytest.raises(WrongFault, match=r"exactly once in b\.py, found it 0 times"):
        Change("b.py", "one", "x").apply(tmp_path)
    Change("a.py", "one", "x").apply(tmp_path)
    assert (tmp_path / "a.py").read_text() == "x\ntwo\ntwo\n"


def test_a_fault_is_caught_by_a_test_that_fails_and_not_by_a_program_that_cannot_be_read() -> None:
    assert Outcome(1, ("assert 1 == 2",), 0).is_caught
    assert not Outcome(1, ("NameError: name 'x' is not defined",), 0).is_caught
    assert not Outcome(0, (), 1).is_caught
    assert not Outcome(-1, ("The tests did not end.",), 0).is_caught
    assert not Outcome(2, ("ImportError",), 0).is_caught


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nsays = "A."\ntests = ["tests/a.py::b"]\n[[fault.change]]\nfile = "c.py"\nwas = "d"\nnow = "e"\n'
    )
    assert read_faults(file) == [Fault("A.", ("tests/a.py::b",), (Change("c.py", "d", "e"),))]
