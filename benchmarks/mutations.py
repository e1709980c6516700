"""Puts every fault of `faults.toml` back into a copy of heedful, and sees whether the tests that hold it fail.

    python benchmarks/mutations.py
    python benchmarks/mutations.py --only offload

Each fault is one that heedful once had, or one that would let such a fault in. All of the tests must pass without it;
with it, a test that is named with it must fail, and not because the program can no longer be read. Prints a line for
each fault, then how many were caught, and exits with 1 if any was not. docs/reliability.md quotes the figure.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FAULTS = Path(__file__).with_name("faults.toml")
_COPIED = ("src", "tests", "benchmarks", "docs", "examples", "pyproject.toml", "README.md", "CHANGELOG.md")
_PATIENCE = 300.0
"""Seconds for the tests of one fault; one that never ends is not caught."""
_UNREADABLE = ("NameError", "SyntaxError", "ImportError", "ModuleNotFoundError", "IndentationError")


class WrongFault(ValueError):
    """A fault that cannot be put back as it is written."""


@dataclass(frozen=True)
class Change:
    """A text of a file that stands for another."""

    file: str
    was: str
    now: str

    def apply(self, root: Path) -> None:
        """Change the file below `root`; raises `WrongFault` unless the text stands there exactly once."""
        path = root / self.file
        content = path.read_text(encoding="utf-8") if path.is_file() else ""
        if content.count(self.was) != 1 or self.was == self.now:
            raise WrongFault(
                f"Expected this text exactly once in {self.file}, found it {content.count(self.was)} times; write the "
                f"fault for the sources as they are:\n{self.was}"
            )
        path.write_text(content.replace(self.was, self.now), encoding="utf-8")


@dataclass(frozen=True)
class Fault:
    """A fault, how it is put back, and the tests of which one must fail then."""

    says: str
    tests: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Outcome:
    """What the tests said."""

    code: int
    """pytest's exit code; -1 if they did not end."""
    messages: tuple[str, ...]
    """The first line of what each test that failed raised."""
    skipped: int

    @property
    def is_caught(self) -> bool:
        """Whether a test failed for what it asks."""
        return self.code == 1 and any(not message.startswith(_UNREADABLE) for message in self.messages)


def read_faults(file: Path = FAULTS) -> list[Fault]:
    """Return the faults of a file."""
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["fault"]
    return [Fault(row["says"], tuple(row["tests"]), tuple(Change(**each) for each in row["change"])) for row in rows]


class _Listener:
    """Notes what fails and what is skipped."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.skipped = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.skipped += report.skipped
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.messages.append(str(report.longrepr if crash is None else crash.message).strip().splitlines()[0])


def _test(root: Path, tests: Sequence[str], answer: Connection) -> None:
    """Run tests in this process, which has not imported heedful, and send an `Outcome`."""
    import pytest

    os.chdir(root)
    sys.dont_write_bytecode = True
    paths = [str(root), str(root / "src")]
    sys.path[:0] = paths
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    listener = _Listener()
    options = ["-q", "-x", "-p", "no:cacheprovider", "-m", "slow or not slow"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of plugins that are imported here already
    with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        code = pytest.main([*options, *tests], plugins=[listener])
    answer.send(Outcome(int(code), tuple(listener.messages), listener.skipped))


def run_tests(root: Path, tests: Sequence[str], patience: float = _PATIENCE) -> Outcome:
    """Run tests of the copy at `root` in a process of their own, which has so many seconds."""
    forked = multiprocessing.get_context("fork")  # what is imported here need not be imported there
    ours, theirs = forked.Pipe()
    process = forked.Process(target=_test, args=(root, tests, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(patience) else Outcome(-1, ("The tests did not end.",), 0)
    except EOFError:
        return Outcome(-1, ("The process of the tests died.",), 0)
    finally:
        process.kill()
        process.join()


def copy_sources(folder: Path) -> Path:
    """Return a copy of the sources, their tests and what these read, in `folder`."""
    for name in _COPIED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / name)
    return folder


def _import_what_is_slow() -> None:
    """Import what is neither heedful's nor a plugin of pytest's, once for all processes."""
    diffusers, transformers = import_module("diffusers"), import_module("transformers")
    import_module("peft")
    for name in ("FluxPipeline", "StableDiffusion3Pipeline", "StableDiffusionPipeline"):  # imported when asked for
        getattr(diffusers, name)
    for name in ("CLIPModel", "T5EncoderModel"):
        getattr(transformers, name)


def main() -> None:
    """Put each fault back, say whether it is caught, and exit with 1 if one is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="Words that a fault's line, or the name of its test, must hold.")
    only = parser.parse_args().only
    faults = [fault for fault in read_faults() if only in f"{fault.says} {fault.tests}"]
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    _import_what_is_slow()
    caught = 0
    with tempfile.TemporaryDirectory() as folder:
        root = copy_sources(Path(folder))
        tests = sorted({test for fault in faults for test in fault.tests})
        whole = run_tests(root, tests, _PATIENCE * max(1, len(faults)))
        if whole.code or whole.skipped:
            sys.exit(f"Expected all tests to pass without a fault, got {whole}.")
        for fault in faults:
            whole_files = {change.file: (root / change.file).read_text(encoding="utf-8") for change in fault.changes}
            for change in fault.changes:
                change.apply(root)
            outcome = run_tests(root, fault.tests)
            for name, content in whole_files.items():
                (root / name).write_text(content, encoding="utf-8")
            caught += outcome.is_caught
            why = outcome.messages[0][:160] if outcome.messages else f"pytest ends with {outcome.code}"
            print(f"{'caught' if outcome.is_caught else 'NOT CAUGHT'}: {fault.says}\n    {why}", flush=True)
    print(f"{caught} of {len(faults)} faults are caught.")
    sys.exit(caught < len(faults))


if __name__ == "__main__":
    main()
