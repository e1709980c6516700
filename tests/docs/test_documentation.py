"""README and docs are executed: python blocks in order, as one script a page, and every `heedful` command line."""

import re
import shlex
from pathlib import Path

import pytest

from heedful.cli.main import main
from heedful.models import Model

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# these take minutes or need a machine of their own; the tests of the world and of the benchmarks run them on miniatures
LONG = ("heedful world train", "heedful world evaluate", "heedful app", "python benchmarks/")


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def lines_of(block: str) -> list[str]:
    return [line for line in map(str.strip, block.splitlines()) if line and not line.startswith("#")]


def commands(page: Path) -> list[str]:
    return [line for block in blocks(page, "bash") for line in lines_of(block)]


def reading_order() -> list[Path]:
    """README, then the pages as the site lists them."""
    listed = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return [ROOT / "README.md", *(path for name in listed if (path := ROOT / "docs" / name).exists())]


def run_command(command: str, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if command.startswith(LONG):
        return
    assert command.startswith("heedful "), f"{page.name}: {command!r} is no command of heedful"
    with pytest.raises(SystemExit) as end:
        main(shlex.split(command)[1:])
    assert not end.value.code, f"{page.name}: {command}\n{capsys.readouterr().err}"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_of_the_page_runs(page: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_commands_of_the_page_run(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands run as they stand, but for the denoising steps that they leave to heedful: 5 instead of 20."""
    monkeypatch.setattr(Model, "steps", 5)
    for command in commands(page):
        run_command(command, page, capsys)


@pytest.mark.slow
def test_all_pages_run_one_after_the_other_in_one_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reader goes who keeps one folder: no page stumbles over what another has written."""
    monkeypatch.setattr(Model, "steps", 5)
    for page in reading_order():
        names: dict[str, object] = {"__name__": page.stem}
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language == "python":
                exec(compile(text, str(page), "exec"), names)
            for command in lines_of(text) if language == "bash" else ():
                run_command(command, page, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_links_of_the_readme_work_where_the_package_is_shown() -> None:
    """A registry shows the README without the repository, so links are absolute; what they name is there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [*re.findall(r"\]\(([^)]+)\)", text), *re.findall(r'src="([^"]+)"', text)]
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    here = re.compile(
        r"https://(?:github.com/heedful/heedful/(?:blob|tree)|raw.githubusercontent.com/heedful/heedful)/main/([^#]+)"
    )
    own = [found[1] for target in targets if (found := here.match(target))]
    assert len(own) > 20 and [name for name in own if not (ROOT / name).exists()] == []
