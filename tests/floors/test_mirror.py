"""The tests stand as `src/` does: a folder per room, and in it a file per module, or one named after a fact."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent for path in (ROOT / "src" / "heedful").glob("*/__init__.py"))
# Files that test what no single module does alone.
FACTS = {
    "attention/test_joint_attention.py",
    "attention/test_self_attention.py",
    "bench/test_killed.py",
    "bench/test_plan.py",
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
    "guidance/test_one_pass.py",
    "guidance/test_own_loop.py",
    "guidance/test_pipelines.py",
    "guidance/test_precision.py",
    "teaching/test_processes.py",
    "world/test_held_out_renders.py",
    "world/test_worlds.py",
}


def test_every_room_has_a_folder_of_tests() -> None:
    assert [room.name for room in ROOMS if not any((ROOT / "tests" / room.name).glob("test_*.py"))] == []


def test_a_file_of_tests_is_named_after_a_module_of_its_room_or_a_fact() -> None:
    """`test_plan.py` and `test_plan_input.py` belong to `plan.py`, and `test_sprites.py` to `sprites_in_colour.py`."""
    strays: list[str] = []
    for room in ROOMS:
        modules = {path.parent.name if path.stem == "__init__" else path.stem for path in room.rglob("*.py")}
        for path in (ROOT / "tests" / room.name).rglob("test_*.py"):
            name = path.stem.removeprefix("test_")
            belongs = any(f"{name}_".startswith(f"{one}_") or f"{one}_".startswith(f"{name}_") for one in modules)
            if not belongs:
                strays.append(path.relative_to(ROOT / "tests").as_posix())
    assert set(strays) - FACTS == set(), "rename them, or add them to FACTS"


def test_the_list_of_facts_names_files_that_are_there_and_no_modules() -> None:
    there = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert FACTS - there == set()
