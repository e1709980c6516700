"""Imports run downward only. The floors are drawn in docs/architecture.md."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
FLOORS: tuple[tuple[str, ...], ...] = (
    ("adam", "errors", "files", "references", "shapes"),
    ("prompts", "world"),
    ("attention",),
    ("losses",),
    ("guidance", "personalization"),
    ("evaluation",),
    ("report",),
    ("cli", "app", "__main__", "__init__"),
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
TOP = len(FLOORS) - 1
FILES = sorted(SRC.rglob("*.py"))
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


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_imports_run_downward(path: Path) -> None:
    part = _part(_module(path))
    assert part in FLOOR_OF, f"{path} stands on no floor: give it one here and in docs/architecture.md"
    for module in filter(_is_ours, _imported(_tree(path))):
        other = _part(module)
        if other == part or part == "__init__":
            continue
        assert FLOOR_OF[other] <= FLOOR_OF[part], (
            f"{path.name} (floor {FLOOR_OF[part]}) imports {module}, which is above"
        )
        is_neighbour = FLOOR_OF[other] == FLOOR_OF[part]
        assert not is_neighbour or FLOOR_OF[part] in (0, TOP), f"{path.name} imports its neighbour {module}"


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_functions_import_nothing_but_what_is_slow(path: Path) -> None:
    """Optional extras go through errors.require; the commands and the page may import late, for a quick start."""
    if FLOOR_OF.get(_part(_module(path))) == TOP:
        return
    functions = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {module for function in functions for module in _imported(function)}
    assert {module for module in late if module.split(".")[0] not in HEAVY} == set()


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_annotations_stay_checkable(path: Path) -> None:
    """Postponed annotations are strings, and strings are not shape-checked."""
    assert "__future__" not in set(_imported(_tree(path)))


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
