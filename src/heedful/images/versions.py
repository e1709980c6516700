"""What images are made with, so that images of other versions do not join in silence."""

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_MAKERS = ("attention", "guidance", "images", "losses", "models", "prompts")
"""The rooms whose code decides what an image looks like."""


def _sources() -> str:
    """Return 12 hexadecimal digits that change with the code that makes images: versions say nothing of a checkout."""
    digest = sha256()
    for path in sorted(path for room in _MAKERS for path in (_PACKAGE / room).rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


VERSIONS = {name: version(name) for name in ("heedful", "torch", "diffusers", "transformers")} | {"sources": _sources()}
"""What images are made with; written into each."""
