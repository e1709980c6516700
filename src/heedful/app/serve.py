"""`heedful app`: opens the page on this machine and keeps it open."""

import os
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from heedful.app.server import build
from heedful.app.service import Service
from heedful.errors import OutputError, require
from heedful.options import ModelOptions

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How the page is offered."""

    host: str | None = HOST
    """The address that it listens on; None for what Gradio's environment says, as on a Space."""
    port: int | None = None
    """None for the first free one from 7860 on."""
    share: bool = False
    """Whether Gradio makes a link that others can open, through a server of its own."""
    browser: bool = True
    """Whether the page is opened in a browser."""
    is_public: bool = False
    """Whether strangers use it, who may name no files of this machine."""
    out: Path = Path("out/app")
    """Where what is taught on the page goes."""


def serve(
    model: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    serving: Serving = Serving(),
    *,
    defaults: dict[str, Any] | None = None,
    on_open: Callable[[str], None] = lambda address: None,
) -> None:
    """Open the page and keep it open until it is interrupted; `on_open` is told its address.

    `defaults` are fields of the page's state that differ from the usual ones. Raises `MissingExtra` without Gradio, and
    `OutputError` for a port that is taken.
    """
    server, address = launch(
        Service(defaults_of(model) | (defaults or {}), serving.out, is_public=serving.is_public), serving
    )
    on_open(address)
    try:
        if serving.browser:
            webbrowser.open(address)
        Event().wait()
    finally:
        server.close()


def launch(service: Service, serving: Serving) -> tuple[Any, str]:
    """Start the web server in threads of its own; return what closes it, and the page's address.

    The model opens meanwhile. Raises as `serve`.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported, which reads it
    require("gradio", "app")
    server = build(service, is_local=serving.host == HOST and not serving.share)
    try:
        _, address, shared = server.launch(
            server_name=serving.host,
            server_port=serving.port,
            share=serving.share,
            quiet=True,
            prevent_thread_lock=True,
            ssr_mode=False,
            max_file_size="50mb",
        )
    except OSError as reason:
        raise OutputError(
            f"Expected a free port{'' if serving.port is None else f', got {serving.port}, which is taken'}: {reason} "
            "Take another, or name none."
        ) from reason
    service.warm_up()
    return server.blocks, shared or address


def defaults_of(model: ModelOptions) -> dict[str, Any]:
    """Return the model of a command as fields of the page's state."""
    return {
        "model": model.model,
        "device": model.device,
        "dtype": model.dtype,
        "scheduler": model.scheduler,
        "concepts_from": tuple(map(str, model.concepts_from)),
        "lora": model.lora,
    }
