"""What a release must have before anything is built, and what its files and its demo must show."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checkout(folder: Path, *, citation: str = "0.2.0", date: str = "2026-11-28", heading: str | None = None) -> Path:
    (folder / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n', encoding="utf-8")
    (folder / "CITATION.cff").write_text(f"version: {citation}\ndate-released: 2026-11-28\n", encoding="utf-8")
    heading = heading or f"## [0.2.0] - {date}"
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n{heading}\n", encoding="utf-8")
    return folder


def test_this_checkout_says_one_version_everywhere(release: ModuleType) -> None:
    assert release.check_versions() == release.project()["version"]


def test_files_that_agree_give_their_version(release: ModuleType, tmp_path: Path) -> None:
    assert release.check_versions(checkout(tmp_path)) == "0.2.0"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"citation": "0.1.0"}, "CITATION.cff does not say 'version: 0.2.0'"),
        ({"heading": "## [0.2.0]"}, "CHANGELOG.md has no heading"),
        ({"date": "2026-11-29"}, "date-released: 2026-11-29"),
    ],
)
def test_files_that_disagree_are_refused(release: ModuleType, tmp_path: Path, wrong: Any, says: str) -> None:
    with pytest.raises(release.NotReady, match=says):
        release.check_versions(checkout(tmp_path, **wrong))


def test_pythons_are_those_of_the_classifiers(release: ModuleType) -> None:
    assert release.supported_pythons() == ["3.11", "3.12", "3.13"]


def test_a_python_is_found_by_its_number_and_another_is_not(release: ModuleType) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert release.find_python(here) == sys.executable
    assert release.find_python("3.999") is None


def test_pythons_on_which_the_wheel_was_not_tried_are_said_at_the_end(release: ModuleType) -> None:
    assert "tried on Python 3.11. NOT tried on Python 3.12, 3.13," in release.summary(
        "1.0.0", ["3.11", "3.12", "3.13"], ["3.11"]
    )
    assert "NOT" not in release.summary("1.0.0", ["3.11"], ["3.11"])


def test_contents_are_complete_and_clean(release: ModuleType) -> None:
    names = [f"heedful-0.2.0/{name}" for name in release.SDIST_HAS]
    release.check_contents(names, release.SDIST_HAS, "the sdist")
    with pytest.raises(release.NotReady, match=r"the sdist lacks .*Makefile"):
        release.check_contents([name for name in names if "Makefile" not in name], release.SDIST_HAS, "the sdist")


@pytest.mark.parametrize("name", ["a/.venv-lowest/x", "a/__pycache__/x.pyc", "out/demo/grid.png", "a/model.bin"])
def test_what_no_release_should_hold_is_named(release: ModuleType, name: str) -> None:
    with pytest.raises(release.NotReady, match=f"holds {name}"):
        release.check_contents([name], (), "the wheel")


def test_large_files_are_refused(release: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "heedful.whl").write_bytes(bytes(101))
    release.check_size(tmp_path / "heedful.whl", 101)
    with pytest.raises(release.NotReady, match="at most"):
        release.check_size(tmp_path / "heedful.whl", 100)


def demo(folder: Path, release: ModuleType, success: float, images: int) -> dict[str, Any]:
    files = [folder / f"{number}.png" for number in range(images)]
    for path in (*files, folder / "grid.png"):
        path.touch()
    return {
        "grid": str(folder / "grid.png"),
        "images": [{"file": str(path)} for path in files],
        "methods": [{"method": "none", "success": 0.5}, {"method": "heedful", "success": success}],
    }


def test_a_demo_without_a_right_image_is_refused(release: ModuleType, tmp_path: Path) -> None:
    release.check_demo(demo(tmp_path, release, 0.5, release.IMAGES))
    with pytest.raises(release.NotReady, match="loaded wrong"):
        release.check_demo(demo(tmp_path, release, 0.0, release.IMAGES))


def test_a_demo_that_lacks_an_image_is_refused(release: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(release.NotReady, match="6 images and a grid"):
        release.check_demo(demo(tmp_path, release, 0.5, release.IMAGES - 1))
    said = demo(tmp_path, release, 0.5, release.IMAGES)
    (tmp_path / "2.png").unlink()
    with pytest.raises(release.NotReady, match=r"missing: .*2\.png"):
        release.check_demo(said)
