"""The tests stand as `src/` does: a folder per room, and in it a file per module, or one named after a fact."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
SRC = TESTS.parent / "src" / "heedful"
ROOMS = sorted(path.parent for path in SRC.glob("*/__init__.py"))
# Folders that test what no single room does alone.
ACROSS = {"benchmarks", "docs", "end_to_end", "floors", "parity", "properties", "tools"}
# Files that test what no single module does alone.
FACTS = {
    "app/test_browser.py",
    "attention/test_joint_attention.py",
    "attention/test_self_attention.py",
    "attention/test_text_columns.py",
    "bench/test_killed.py",
    "cli/test_bad_input.py",
    "cli/test_broken_files.py",
    "cli/test_help.py",
    "cli/test_interrupted.py",
    "cli/test_other_commands.py",
    "cli/test_taught_concepts.py",
    "guidance/test_adapted.py",
    "guidance/test_checkpoint.py",
    "guidance/test_compiled.py",
    "guidance/test_every_pipeline.py",
    "guidance/test_keep_self_attention.py",
    "guidance/test_offloaded.py",
    "guidance/test_one_pass.py",
    "guidance/test_own_loop.py",
    "guidance/test_pipelines.py",
    "guidance/test_precision.py",
    "guidance/test_quantised_weights.py",
    "guidance/test_select.py",
    "teaching/test_processes.py",
    "world/test_held_out_renders.py",
}


def _names(folder: Path) -> set[str]:
    """What files of tests may be named after: the modules of a folder, and the rooms and folders of modules in it."""
    return {path.stem for path in folder.rglob("*.py")} | {path.parent.name for path in folder.rglob("__init__.py")}


def _belongs(path: Path, names: set[str]) -> bool:
    name = path.stem.removeprefix("test_")
    return any(f"{name}_".startswith(f"{one}_") or f"{one}_".startswith(f"{name}_") for one in names)


def _short(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def test_every_room_has_a_folder_of_tests_and_every_other_folder_says_why_it_is_there() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    assert folders == {room.name for room in ROOMS} | ACROSS


def test_a_file_of_tests_is_named_after_a_module_of_its_room_or_a_fact() -> None:
    """`test_guide.py` and `test_guide_input.py` belong to `guide.py`, and `test_sprites.py` to `sprites_in_colour.py`.

    Those right under `tests/` belong to a module right under heedful, or to a file of tests that others share.
    """
    strays = {
        _short(path)
        for room in ROOMS
        for path in (TESTS / room.name).rglob("test_*.py")
        if not _belongs(path, _names(room))
    }
    assert strays - FACTS == set(), "rename them, or add them to FACTS"
    shared = {path.stem for folder in (TESTS, SRC) for path in folder.glob("*.py") if not path.name.startswith("test_")}
    assert [_short(path) for path in TESTS.glob("test_*.py") if not _belongs(path, shared)] == [], "into their room"


def test_the_list_of_facts_names_files_that_are_there_and_no_modules() -> None:
    assert FACTS - {_short(path) for path in TESTS.rglob("test_*.py")} == set()
    assert {name for name in FACTS if _belongs(TESTS / name, _names(SRC / name.split("/")[0]))} == set()
