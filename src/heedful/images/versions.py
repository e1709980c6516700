"""What images are made with, so that images of other versions do not join in silence."""

from importlib.metadata import version

from heedful.guidance import Method
from heedful.identity import code_of, sources_of

_MAKERS = ("attention", "guidance", "images", "losses", "models", "prompts", "steering")
"""The rooms whose code decides what an image looks like."""

VERSIONS = {name: version(name) for name in ("heedful", "torch", "diffusers", "transformers")} | {
    "sources": sources_of(*_MAKERS)
}
"""What images are made with; written into each."""
_SAID = {"sources": "other sources of heedful", "code": "another implementation of the method"}


def versions_of(method: Method) -> dict[str, str]:
    """Return what images of `method` are made with, its own code among it where that is not heedful's."""
    code = code_of(method)
    return VERSIONS | ({} if code is None else {"code": code})


def version_changes(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return in words how the versions of `then` differ from those of `now`: images of both may differ."""
    return [
        _SAID.get(name, f"{name} {then.get(name)}, now {now.get(name)}")
        for name in (*VERSIONS, "code")
        if then.get(name) != now.get(name)
    ]
