"""A file over 300 lines wants splitting (the list is printed after the run); over 400 it is refused."""

from collections.abc import Callable
from pathlib import Path

from heedful import errors

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for folder in ("src", "tests", "examples", "benchmarks", "tools") for path in (ROOT / folder).rglob("*.py")
)
HARD, SOFT = 400, 300


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_short_enough_to_read(record_property: Callable[[str, object], None]) -> None:
    lines = {str(path.relative_to(ROOT)): _lines(path) for path in FILES}
    for name, count in lines.items():
        if count > SOFT:
            record_property("over the soft limit", f"{name}: {count} lines")
    assert {name: count for name, count in lines.items() if count > HARD} == {}, "split them where they know two things"


def test_contributing_fits_on_two_screens() -> None:
    assert _lines(ROOT / "CONTRIBUTING.md") <= 80


def test_the_tests_see_the_sources_of_this_folder() -> None:
    assert errors.__file__ is not None and Path(errors.__file__).is_relative_to(ROOT / "src")
