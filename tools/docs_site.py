"""Hooks of MkDocs: pages that do not lie in docs/, and links that lead out of it.

README, CONTRIBUTING and CHANGELOG become pages; each room with a public list gets a page of the API reference, made
from its docstrings; a link to any other file of the repository leads to where it is hosted.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOSTS = ("https://github.com/heedful/heedful/blob/main/", "https://raw.githubusercontent.com/heedful/heedful/main/")
"""Where the files of the repository are read and shown."""

PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that lie at the root of the repository, and what they are called on the site."""

API = {
    "heedful": "Everything that `import heedful` offers.",
    "heedful.guidance": "Guide a pipeline while a block is open.",
    "heedful.attention": "Read attention: sites, maps, overlays, masks.",
    "heedful.losses": "Losses on maps, and what they are made of.",
    "heedful.prompts": "Prompts, concepts and their tokens.",
    "heedful.teaching": "Teach several concepts from one image.",
    "heedful.scores": "How well an image shows its prompt.",
    "heedful.bench": "Benchmarks that no kill can lose.",
    "heedful.world": "The embedded models.",
    "heedful.errors": "The family of errors.",
}
"""Packages whose public names are listed, with a sentence each."""

_LINK = re.compile(r"(\]\(|src=\")([^)\"\s]+)")


def api_file(package: str) -> str:
    """Return the path of a package's page in the reference."""
    return f"api/{package}.md"


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in docs/."""
    from mkdocs.structure.files import File  # the tests of the links do without MkDocs

    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=relink(text, "", page)))
    for package, says in API.items():
        files.append(File.generated(config, api_file(package), content=api_page(package, says)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the links of a page in docs/ that lead out of it."""
    source = page.file.src_uri
    return markdown if source in PAGES.values() or source.startswith("api/") else relink(markdown, "docs", source)


def api_page(package: str, says: str) -> str:
    """Return the reference of a package: its docstring, then each public name."""
    lines = [f"# `{package}`", "", says, ""]
    members = public_names(package)
    options = "    options:\n      members: false\n      show_root_heading: false\n      show_root_toc_entry: false"
    lines += [f"::: {package}", options, ""]
    for member in members:
        lines += [f"::: {package}.{member}", ""]
    return "\n".join(lines)


def public_names(package: str) -> list[str]:
    """Return what a package lists in `__all__`, or the classes and functions of a module, from its source alone."""
    path = ROOT / "src" / Path(*package.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    if not listed:
        return [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    modules = {"losses", "methods", "teaching_methods", "world"}  # packages, which have pages or lists of their own
    return [name for name in listed[0] if name not in modules and not name.startswith("__")]


def relink(text: str, folder: str, page: str) -> str:
    """Return Markdown whose links lead to pages of the site, or to the host of the repository.

    `folder` is where the file lies in the repository, `page` what it is called below it or on the site.
    """
    return _LINK.sub(lambda found: found[1] + _target(found[2], folder, page), text)


def _target(link: str, folder: str, page: str) -> str:
    path, hash_sign, anchor = link.partition("#")
    hosted = next((path.removeprefix(host) for host in HOSTS if path.startswith(host)), None)
    if hosted is None and (not path or "://" in path or path.startswith("mailto:")):
        return link
    beside = posixpath.dirname(posixpath.join(folder, page))
    file = posixpath.normpath(posixpath.join(beside, path)) if hosted is None else hosted
    if file not in PAGES and not file.startswith("docs/"):
        return f"{HOSTS[0]}{file}{hash_sign}{anchor}"
    target = PAGES.get(file, file.removeprefix("docs/"))
    return posixpath.relpath(target, posixpath.dirname(page) or ".") + hash_sign + anchor
