"""What the package promises in public, and that importing it does nothing else."""

import importlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType

SRC = Path(__file__).parents[2] / "src"
PACKAGES = sorted(".".join(path.parent.relative_to(SRC).parts) for path in SRC.rglob("__init__.py"))


def test_exported_members_exist_once_and_are_documented() -> None:
    undocumented: list[str] = []
    for name in PACKAGES:
        package = importlib.import_module(name)
        exported: list[str] = list(getattr(package, "__all__", []))
        assert len(exported) == len(set(exported)), name
        things = {member: getattr(package, member) for member in exported}
        undocumented += [
            f"{name}.{member}"
            for member, thing in things.items()
            if isinstance(thing, type | FunctionType | ModuleType) and not thing.__doc__
        ]
    assert undocumented == []


def test_every_public_name_of_a_package_is_exported() -> None:
    """A name that can be imported from a package is promised by its `__all__`, or begins with an underscore."""
    unpromised: list[str] = []
    for name in PACKAGES:
        package = importlib.import_module(name)
        unpromised += [
            f"{name}.{member}"
            for member, thing in vars(package).items()
            if not member.startswith("_")
            and str(getattr(thing, "__module__", "")).startswith("heedful")
            and member not in getattr(package, "__all__", [])
        ]
    assert unpromised == []


def test_importing_heedful_prints_nothing_and_needs_no_extra() -> None:
    extras = "ray peft matplotlib spacy"
    code = f"import sys, heedful; print([m for m in {extras!r}.split() if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
    assert result.stderr == ""


def test_the_version_is_that_of_the_installed_package() -> None:
    assert importlib.import_module("heedful").__version__ == version("heedful")
