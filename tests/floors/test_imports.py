"""Imports run downward only. The floors are drawn in docs/architecture.md."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "adam",
        "catalogue",
        "errors",
        "fields",
        "files",
        "folders",
        "identity",
        "image_files",
        "options",
        "references",
        "shapes",
        "whole_models",
    ),
    ("prompts", "world"),
    ("attention",),
    ("losses",),
    ("steering", "teaching"),
    ("guidance",),
    ("models",),
    ("scores",),
    ("images",),
    ("bench", "lab"),
    ("report",),
    ("app", "cli", "__main__", "__init__"),
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
TOP = len(FLOORS) - 1
FILES = sorted(SRC.rglob("*.py"))
ROOMS = sorted(path.parent.name for path in SRC.glob("heedful/*/__init__.py"))
# rooms inside a room, with a front door of their own
INNER_ROOMS = {"heedful.guidance.methods", "heedful.world.training"}
LARGEST_SHARE = 0.15
# Imports inside functions: what is slow to import, where a command such as --help should not wait for it.
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "safetensors"}


def _part(module: str) -> str:
    """The file or folder right under heedful that a module belongs to; the package itself is __init__."""
    return module.split(".")[1] if "." in module else "__init__"


def _module(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _exists(module: str) -> bool:
    path = SRC.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a piece of code imports; `from heedful import losses` imports heedful.losses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner.startswith("heedful.") and _exists(inner) else str(node.module)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "heedful"


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_file_stands_on_a_floor() -> None:
    assert {part for path in FILES if (part := _part(_module(path))) not in FLOOR_OF} == set(), (
        "give them a floor here and in docs/architecture.md"
    )


def test_imports_run_downward() -> None:
    upward: list[str] = []
    for path in FILES:
        part = _part(_module(path))
        others = {_part(module) for module in _imported(_tree(path)) if _is_ours(module)} - {part}
        if part == "__init__":
            continue
        for other in others:
            is_neighbour = FLOOR_OF[other] == FLOOR_OF[part] and FLOOR_OF[part] not in (0, TOP)
            if FLOOR_OF[other] > FLOOR_OF[part] or is_neighbour:
                upward.append(f"{_module(path)} (floor {FLOOR_OF[part]}) imports {other} (floor {FLOOR_OF[other]})")
    assert upward == []


def _door(module: str) -> str:
    """The front door through which others come to a module: its room, or the module itself right under heedful."""
    inner = [room for room in INNER_ROOMS if module == room or module.startswith(room + ".")]
    return inner[0] if inner else ".".join(module.split(".")[:2])


def test_every_room_stands_on_a_floor_and_every_floor_is_there() -> None:
    assert set(ROOMS) == {name for name in FLOOR_OF if (SRC / "heedful" / name).is_dir()}
    assert {name for name in FLOOR_OF if not _exists(f"heedful.{name}")} == set()


def test_rooms_are_entered_by_their_front_door() -> None:
    """Another room's names come from its `__init__`, which says what it promises."""
    past: list[str] = []
    for path in FILES:
        own = _module(path)
        if own in ("heedful", "heedful.__main__"):
            continue
        nodes = list(ast.walk(_tree(path)))
        named = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
        named += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        for module in filter(_is_ours, named):
            door = _door(module)
            if door != _door(own) and not own.startswith(door + ".") and module != door:
                past.append(f"{own} imports {module} past its front door: export it from {door}")
    assert past == []


def test_no_room_holds_too_much() -> None:
    lines: dict[str, int] = {}
    for path in FILES:
        room = _part(_module(path))
        lines[room] = lines.get(room, 0) + len(path.read_text(encoding="utf-8").splitlines())
    whole = sum(lines.values())
    large = {room: count for room, count in lines.items() if count > LARGEST_SHARE * whole}
    assert not large, f"rooms with more than {LARGEST_SHARE:.0%} of {whole} lines: {large}; open them"


def test_functions_import_nothing_but_what_is_slow() -> None:
    """Optional extras go through errors.require; the commands and the page may import late, for a quick start."""
    late: list[str] = []
    for path in FILES:
        if FLOOR_OF.get(_part(_module(path))) == TOP:
            continue
        functions = [n for n in ast.walk(_tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        modules = {module for function in functions for module in _imported(function)}
        late += [f"{_module(path)}: {module}" for module in modules if module.split(".")[0] not in HEAVY]
    assert late == []


def test_annotations_stay_checkable() -> None:
    """Postponed annotations are strings, and strings are not shape-checked."""
    assert [_module(path) for path in FILES if "__future__" in set(_imported(_tree(path)))] == []


def test_nothing_imports_itself_in_a_circle() -> None:
    top_level = {
        _module(path): {
            module
            for node in _tree(path).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in _imported(node)
            if _is_ours(module)
        }
        - {_module(path)}
        for path in FILES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "imports run in a circle: " + " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for other in sorted(top_level.get(module, ())):
            visit(other, (*path, module))
        done.add(module)

    for module in top_level:
        visit(module, ())
