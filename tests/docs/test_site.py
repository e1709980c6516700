"""The site: each page has its place, and links lead to pages of the site or to the host of the repository."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
HOST = "https://github.com/heedful/heedful/blob/main/"
RAW = "https://raw.githubusercontent.com/heedful/heedful/main/"


@pytest.fixture(scope="module")
def site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "tools" / "docs_site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_contents_once(site: ModuleType) -> None:
    contents = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    pages += [*site.PAGES.values(), *map(site.api_file, site.API)]
    assert sorted(contents) == sorted(pages)


@pytest.mark.parametrize(
    ("folder", "page", "link", "leads_to"),
    [
        ("", "index.md", f"{HOST}docs/teach.md#on-top", "teach.md#on-top"),
        ("", "index.md", f"{RAW}docs/images/grid.png", "images/grid.png"),
        ("", "index.md", "https://arxiv.org/abs/2301.13826", "https://arxiv.org/abs/2301.13826"),
        ("", "contributing.md", "docs/architecture.md", "architecture.md"),
        ("docs", "guidance.md", "../README.md#methods", "index.md#methods"),
        ("docs", "guidance.md", "../src/heedful/catalogue.py", f"{HOST}src/heedful/catalogue.py"),
        ("docs", "studies/overlap.md", "../results.md", "../results.md"),
        ("docs", "studies/overlap.md", "images/overlap.png", "images/overlap.png"),
        ("docs", "guidance.md", "#schedulers", "#schedulers"),
    ],
)  # fmt: skip
def test_links_are_turned(site: ModuleType, folder: str, page: str, link: str, leads_to: str) -> None:
    assert site.relink(f"[a]({link})", folder, page) == f"[a]({leads_to})"


def test_links_of_the_readme_lead_to_pages_of_the_site(site: ModuleType) -> None:
    text = site.relink((ROOT / "README.md").read_text(encoding="utf-8"), "", "index.md")
    own = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("https://")]
    made = {*site.PAGES.values()}
    assert len(own) > 20 and [link for link in own if link not in made and not (ROOT / "docs" / link).exists()] == []


def test_the_reference_has_what_is_public(site: ModuleType) -> None:
    assert {"guide", "teach", "Settings", "TeachingOptions"} <= set(site.public_names("heedful"))
    assert "SettingsError" in site.public_names("heedful.errors")
    for package in site.API:
        page = site.api_page(package, "What it is.")
        assert page.startswith(f"# `{package}`") and f"::: {package}.{site.public_names(package)[0]}" in page
