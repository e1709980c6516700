"""Build the release, look into it, install it in a clean environment of each Python, and run the demo there.

    make release                         every Python from the classifiers that is on this machine
    make release PYTHONS="3.11 3.13"     these alone

Nothing is uploaded. Files come into dist/, environments and images into build/release/. torch is the same build that is
installed beside this script: a Python for which pip finds no such build is skipped with a word.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
WORK = ROOT / "build" / "release"
LARGEST = 60_000_000
"""Bytes of a file of the release."""
DEMO = ("generate", "a cat and a blue clock", "--compare", "none,attend-and-excite,heedful", "--seeds", "0-1")
IMAGES = 6

WHEEL_HAS = (
    "heedful/py.typed",
    "heedful/world/data/attend_and_excite.txt",
    "heedful/world/weights/sprites/unet/diffusion_pytorch_model.safetensors",
    "heedful/world/weights/crowded/unet/diffusion_pytorch_model.safetensors",
    "heedful/world/weights/joint/transformer/diffusion_pytorch_model.safetensors",
    "licenses/LICENSE",
    "licenses/LICENSES/OFL-1.1.txt",
    "entry_points.txt",
)
SDIST_HAS = (
    "pyproject.toml", "constraints.txt", "Makefile", "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE",
    "src/heedful/__init__.py", "tests/conftest.py", "docs/guidance.md", "examples/01_generate.py",
)  # fmt: skip
UNWANTED = re.compile(
    r"(^|/)(__pycache__|\.venv[^/]*|\.git|out|build|dist|\.pytest_cache)(/|$)|\.(py[co]|ckpt|bin|pt|pkl)$"
)


class NotReady(Exception):
    """The release is not as it should be."""


def project(root: Path = ROOT) -> dict[str, Any]:
    """Return the table [project] of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def check_versions(root: Path = ROOT) -> str:
    """Return the version; raises `NotReady` unless CITATION.cff has it too, and CHANGELOG.md a dated heading for it."""
    found = str(project(root)["version"])
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    if not re.search(rf"^version: {re.escape(found)}$", citation, re.MULTILINE):
        raise NotReady(f"CITATION.cff does not say 'version: {found}'.")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    dated = re.search(rf"^## \[{re.escape(found)}\] - (\d{{4}}-\d{{2}}-\d{{2}})$", changes, re.MULTILINE)
    if not dated:
        raise NotReady(f"CHANGELOG.md has no heading '## [{found}] - YYYY-MM-DD'.")
    if not re.search(rf"^date-released: {dated[1]}$", citation, re.MULTILINE):
        raise NotReady(f"CITATION.cff does not say 'date-released: {dated[1]}', the date of CHANGELOG.md.")
    return found


def supported_pythons(root: Path = ROOT) -> list[str]:
    """Return the versions of Python that the classifiers name, such as "3.11"."""
    named = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    return [found[1] for line in project(root)["classifiers"] if (found := named.fullmatch(line))]


def check_contents(names: Sequence[str], wanted: Sequence[str], label: str) -> None:
    """Raise `NotReady` if a name of `wanted` is not the end of one of `names`, or an unwanted file is among them."""
    absent = [name for name in wanted if not any(f"/{there}".endswith(f"/{name}") for there in names)]
    if absent:
        raise NotReady(f"{label} lacks {', '.join(absent)}.")
    unwanted = [name for name in names if UNWANTED.search(name)]
    if unwanted:
        raise NotReady(f"{label} holds {', '.join(unwanted[:5])}.")


def check_size(path: Path, largest: int = LARGEST) -> None:
    """Raise `NotReady` for a file of more than `largest` bytes."""
    if path.stat().st_size > largest:
        raise NotReady(f"{path.name} has {path.stat().st_size / 1e6:.1f} MB; at most {largest / 1e6:.0f} are expected.")


def build(number: str) -> tuple[Path, Path]:
    """Build sdist and wheel into dist/, check them, and return the paths of both."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT))
    sdist, wheel = DIST / f"heedful-{number}.tar.gz", DIST / f"heedful-{number}-py3-none-any.whl"
    _run(sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel))
    with tarfile.open(sdist) as archive:
        check_contents(archive.getnames(), SDIST_HAS, sdist.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    check_contents(names, WHEEL_HAS, wheel.name)
    outside = sorted({name.partition("/")[0] for name in names} - {"heedful", f"heedful-{number}.dist-info"})
    if outside:
        raise NotReady(f"{wheel.name} installs {', '.join(outside)} beside heedful.")
    for path in (sdist, wheel):
        check_size(path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    return sdist, wheel


def try_wheel(wheel: Path, number: str, python: str) -> bool:
    """Install the wheel in a clean environment of `python` and run the demo; return False where that cannot be."""
    found = find_python(python)
    if found is None:
        print(f"Python {python}: skipped, it is not on this machine.")
        return False
    home, out = WORK / f"python{python}", WORK / f"images{python}"
    for folder in (home, out):
        shutil.rmtree(folder, ignore_errors=True)
    _run(found, "-m", "venv", str(home))
    pip, torch = (str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"), f"torch=={version('torch')}"
    if subprocess.run([*pip, torch], check=False, stderr=subprocess.DEVNULL).returncode:
        print(f"Python {python}: skipped, pip finds no {torch} for it.")
        shutil.rmtree(home)
        return False
    _run(*pip, str(wheel))
    said = _run(str(home / "bin" / "heedful"), *DEMO, "--out", str(out), "--json", cwd=WORK, capture=True)
    check_demo(json.loads(said))
    _run(str(home / "bin" / "python"), "-c", f"import heedful; assert heedful.__version__ == {number!r}", cwd=WORK)
    print(f"Python {python}: installed, {IMAGES} images made.")
    shutil.rmtree(home)
    return True


def check_demo(said: dict[str, Any]) -> None:
    """Raise `NotReady` unless the demo has written its grid and its images, some of `heedful` being right.

    A model that is loaded wrong makes images too, but none of them is right.
    """
    absent = [path for path in (said["grid"], *(image["file"] for image in said["images"])) if not Path(path).is_file()]
    if absent or len(said["images"]) != IMAGES:
        raise NotReady(f"The demo was to write {IMAGES} images and a grid; missing: {', '.join(absent) or 'some'}.")
    success = {line["method"]: line["success"] for line in said["methods"]}
    if not success["heedful"]:
        raise NotReady(f"No image of the method heedful is right: {success}. Is a model loaded wrong?")


def summary(number: str, pythons: Sequence[str], tried: Sequence[str]) -> str:
    """Return what is said at the end: on which Pythons the wheel was tried, and on which of those asked for not."""
    left = [python for python in pythons if python not in tried]
    not_tried = f" NOT tried on Python {', '.join(left)}, for the reasons above." if left else ""
    return f"heedful {number} is ready in {DIST}, tried on Python {', '.join(tried)}.{not_tried} Nothing was uploaded."


def find_python(number: str) -> str | None:
    """Return a command that runs Python `number`, or None: from the path, or from pyenv."""
    here = f"python{number}"
    names = [sys.executable, here, *map(str, sorted(Path.home().glob(f".pyenv/versions/{number}.*/bin/{here}")))]
    for name in names:
        command = [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            continue
        if said == number:
            return name
    return None


def _run(*command: str, cwd: Path = ROOT, capture: bool = False) -> str:
    """Run a command that must succeed, without this shell's PYTHONPATH; return what it printed, if captured."""
    cwd.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    stdout = subprocess.PIPE if capture else None
    done = subprocess.run(command, cwd=cwd, env=environment, check=False, stdout=stdout, text=True)
    if done.returncode:
        raise NotReady(f"This failed: {' '.join(command)}")
    return done.stdout or ""


def main() -> None:
    """Make the release, or say in a sentence why it is not ready."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", help="such as 3.11; without any, all that are supported")
    pythons = parser.parse_args().pythons or supported_pythons()
    try:
        number = check_versions()
        _, wheel = build(number)
        tried = [python for python in pythons if try_wheel(wheel, number, python)]
        if not tried:
            raise NotReady("There is no Python on which the wheel could be tried.")
    except NotReady as fault:
        sys.exit(f"Not ready: {fault}")
    print(summary(number, pythons, tried))


if __name__ == "__main__":
    main()
