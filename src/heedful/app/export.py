"""The page as a Hugging Face Space: a folder with all that it needs, heedful itself included."""

import re
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from heedful.errors import SettingsError
from heedful.folders import OutputFolder
from heedful.options import ModelOptions

_PACKAGE = Path(__file__).parents[1]
_EXTRAS = ("app", "report", "train")
"""Those that the page can use."""
_APP = '''\
"""The page of heedful, for everyone who opens this Space."""

from heedful.app import Serving, serve
from heedful.options import ModelOptions

if __name__ == "__main__":
    serve(ModelOptions(model={model!r}), Serving(host=None, browser=False, is_public=True), on_open=print)
'''
_CARD = """\
---
{header}
---

# heedful

See where a text-to-image model looks while an image forms, steer it so that every concept of the prompt gets heeded,
and teach it several concepts from one image.

{what}

Run the same page on your own machine: `pip install 'heedful[app]'`, then `heedful app`.
"""
_EMBEDDED = "It runs on a small embedded model, which is trained on sprites and needs no GPU."


def export_space(folder: Path, model: ModelOptions = ModelOptions()) -> None:  # noqa: B008 - frozen
    """Write the page as a Space to `folder`: app.py, requirements.txt, README.md, and heedful itself.

    Visitors may name no files of its machine. Raises `OutputError` for files there that heedful has not made,
    and `SettingsError` for a model that lies on this machine alone.
    """
    from heedful.models import is_path

    if model.model is not None and not model.model.startswith("world:") and is_path(model.model):
        raise SettingsError(
            f"Expected a model that a Space can open, got the folder {model.model} of this machine. "
            "Name a hub id or an embedded model."
        )
    output = OutputFolder(folder)
    what = _EMBEDDED if model.model is None else f"It runs on {model.model}."
    files = {
        "app.py": _APP.format(model=model.model),
        "requirements.txt": "\n".join(requirements()) + "\n",
        "README.md": _card(what),
    }
    inside = sorted(path for path in _PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = {f"heedful/{path.relative_to(_PACKAGE).as_posix()}": path for path in inside}
    info = f"heedful-{version('heedful')}.dist-info/METADATA"  # importlib.metadata says the version by it
    with output.locked():
        output.claim(*files, *names, info)
        output.write(
            {
                **{name: path.read_bytes() for name, path in names.items()},
                info: f"Metadata-Version: 2.4\nName: heedful\nVersion: {version('heedful')}\n",
                **files,
            }
        )


def _card(what: str) -> str:
    """Return the card of the Space, whose header says how it is started."""
    from huggingface_hub import SpaceCard, SpaceCardData  # the page is there before the hub's library is

    header = SpaceCardData(
        title="heedful",
        sdk="gradio",
        sdk_version=_version("gradio") or "6.31.0",
        python_version="3.11",
        app_file="app.py",
        license="apache-2.0",
        emoji="👀",
        colorFrom="blue",
        colorTo="yellow",
        short_description="See, steer and teach the attention of image models",
    )
    return SpaceCard(_CARD.format(header=header.to_yaml(), what=what)).content


def requirements() -> list[str]:
    """Return what heedful and its page need, in the versions that are installed here, a line each."""
    lines = []
    for said in distribution("heedful").requires or []:
        needed, _, condition = said.partition(";")
        extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", condition)
        name = re.split(r"[\[<>=!~ ]", needed, maxsplit=1)[0]
        if extra is not None and extra[1] not in _EXTRAS:
            continue
        here = _version(name)
        lines.append(f"{name}=={here.partition('+')[0]}" if here else needed.strip())
    return sorted(dict.fromkeys(lines), key=str.casefold)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
