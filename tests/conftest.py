"""What every test gets: no network, no accelerator settings, the same randomness every time."""

import os
import socket
from collections.abc import Iterator
from typing import Any

# Before anything imports huggingface_hub, which reads them once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker on every core: more threads would only wait for each other

# Before anything imports heedful: what jaxtyping's hook first meets inside a module of heedful it compiles once more in
# every process, which takes longer than many tests.
import diffusers  # noqa: F401
import pytest
import torch
from diffusers import FluxPipeline, PixArtAlphaPipeline, StableDiffusion3Pipeline, StableDiffusionPipeline  # noqa: F401
from hypothesis import settings
from PIL import Image, ImageDraw
from transformers import CLIPModel, CLIPProcessor, CLIPTextModelWithProjection, T5EncoderModel  # noqa: F401

# Deterministic: the same examples on every machine. No deadline: a busy machine is not a wrong result.
settings.register_profile("heedful", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("heedful")

_LOCAL = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")


class NetworkUse(RuntimeError):
    """A test tried to reach another machine."""


def _refuse(host: Any) -> None:
    if isinstance(host, bytes):
        host = host.decode()
    if host is not None and str(host) not in _LOCAL:
        raise NetworkUse(f"Tests run offline, but this one wants to reach {host!r}. Use the embedded world instead.")


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Break every socket that leads to another machine; local ones (Ray, processes) keep working."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            _refuse(address[0])
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family != socket.AF_UNIX:
            _refuse(address[0])
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        _refuse(host)
        return getaddrinfo(host, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed torch's global generator: a test that forgets its own gives the same numbers alone and in company."""

    torch.manual_seed(0)


@pytest.fixture
def drawn_sprites(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sprites drawn as polygons, a different one for each class: rendering without the emoji font."""
    from heedful.world import sprites
    from heedful.world.render import _placed
    from heedful.world.vocabulary import CLASSES

    def polygon(name: str) -> Image.Image:
        canvas = Image.new("RGBA", (96, 96))
        corners = 3 + CLASSES.index(name) % 6
        shade = 60 + 7 * CLASSES.index(name)
        pen = ImageDraw.Draw(canvas)
        pen.regular_polygon((48, 48, 44), corners, fill=(shade, 255 - shade, 120))
        pen.rectangle((36, 36, 48, 48), fill=(20, 20, 20))
        return canvas

    for cached in (sprites.sprite, _placed):
        cached.cache_clear()
    monkeypatch.setattr(sprites, "_glyph", polygon)
    yield
    for cached in (sprites.sprite, _placed):
        cached.cache_clear()
