"""The page on a web server: Gradio's, which brings a link for others if one is asked for, and runs as a Space."""

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from heedful.app.jobs import Job
from heedful.app.service import Service, describe
from heedful.app.uploads import LARGEST_FILE, refuse_size
from heedful.errors import HeedfulError, require

_LOCAL = ("127.0.0.1", "localhost", "::1")
PAGE = Path(__file__).parent / "page"
VIEWER = Path(__file__).parents[1] / "steering" / "viewer"
"""What `heedful.guidance.VIEWER` names; to ask there would import torch, for which the page does not wait."""
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' data:; base-uri 'none'; form-action 'none'"
)
"""What the page may load: its own files, and nothing of another machine."""


def build(service: Service, *, is_local: bool = True) -> Any:
    """Return Gradio's server with the page and everything that it asks for; raises `MissingExtra` without Gradio.

    A local page answers to pages of this machine alone: any other page that a person has open could ask it, too.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    gradio = require("gradio", "app")
    guard = [_local_only()] if is_local else []
    server = gradio.Server(title="heedful", docs_url=None, redoc_url=None, openapi_url=None, dependencies=guard)
    _add_files(server)
    _add_questions(server, service)
    _add_downloads(server, service)
    _add_runs(server, service)
    return server


def _local_only() -> Any:
    """Return what refuses a question of another machine's page, or by a name that leads here by a trick."""
    from fastapi import Depends, HTTPException
    from starlette.requests import Request

    def check(request: Request) -> None:
        for name in ("host", "origin"):
            said = request.headers.get(name)
            if said is not None and urlsplit(said if "//" in said else f"//{said}").hostname not in _LOCAL:
                raise HTTPException(403, "This page is for its own machine alone.")

    return Depends(check)


def _add_files(server: Any) -> None:
    """Add the page itself."""
    from starlette.responses import Response

    files = {path.name: path for folder in (PAGE, VIEWER) for path in folder.iterdir()}

    def send(name: str) -> Response:
        if name not in files:
            return Response("There is no such file.", status_code=404)
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        path = files[name]
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=headers)

    server.add_api_route("/", lambda: send("index.html"), methods=["GET"], include_in_schema=False)
    server.add_api_route("/page/{name}", send, methods=["GET"], include_in_schema=False)


def _add_questions(server: Any, service: Service) -> None:
    """Add what is answered at once."""
    from anyio.to_thread import run_sync
    from starlette.requests import Request

    async def about() -> Any:
        return _answer(service.about)

    async def read(request: Request) -> Any:
        said = await request.json()
        return _answer(lambda: service.read(str(said["prompt"])))

    async def toggle(request: Request) -> Any:
        said = await request.json()
        return _answer(lambda: service.toggle(str(said["prompt"]), int(said["position"])))

    async def carry(request: Request) -> Any:
        said = await request.json()
        return _answer(lambda: service.carry(str(said["prompt"]), str(said["text"])))

    async def stop(request: Request) -> Any:
        said = await request.json()
        return _answer(lambda: {"was_running": service.worker.stop(str(said["key"]))})

    async def copies(request: Request) -> Any:
        said = await request.json()
        # in a thread: the first time, it imports torch
        return await run_sync(
            lambda: _answer(lambda: service.copies(*(str(said.get(name, "")) for name in ("query", "image", "out"))))
        )

    async def lesson(request: Request) -> Any:
        said = await request.json()
        position = None if said.get("position") is None else int(said["position"])
        return _answer(lambda: service.lesson(str(said["lesson"]), position))

    def examples() -> Any:
        return _answer(service.examples)

    def compare(request: Request) -> Any:
        return _answer(lambda: service.compare(request.url.query))

    def prompt_images(request: Request) -> Any:
        suite, prompt = (request.headers.get(f"x-{name}", "") for name in ("suite", "prompt"))
        return _answer(lambda: service.prompt_images(request.url.query, unquote(suite), unquote(prompt)))

    server.add_api_route("/api/compare", compare, methods=["GET"])
    server.add_api_route("/api/prompt", prompt_images, methods=["GET"])
    server.add_api_route("/api/about", about, methods=["GET"])
    server.add_api_route("/api/examples", examples, methods=["GET"])
    questions = {"read": read, "toggle": toggle, "carry": carry, "lesson": lesson, "copies": copies, "stop": stop}
    for name, answer in questions.items():
        server.add_api_route(f"/api/{name}", answer, methods=["POST"])


def _add_downloads(server: Any, service: Service) -> None:
    """Add what is saved as a file."""
    from starlette.responses import Response

    def animation(name: str, kind: str) -> Any:
        return _answer(lambda: Response(service.animation(name, kind.upper()), media_type=f"image/{kind}"))

    def masks(name: str) -> Any:
        return _answer(lambda: Response(service.masks(name), media_type="application/json"))

    server.add_api_route("/api/looks/{name}/animation.{kind}", animation, methods=["GET"])
    server.add_api_route("/api/looks/{name}/masks.json", masks, methods=["GET"])


def _add_runs(server: Any, service: Service) -> None:
    """Add what takes time: its answer is one line of JSON for each piece of news."""
    from anyio.to_thread import run_sync
    from starlette.requests import Request

    async def steer(request: Request) -> Any:
        said = await request.json()
        return _stream(request, lambda: service.steer(str(said["query"]), str(said["key"])))

    async def see(request: Request) -> Any:
        said = await request.json()
        return _stream(request, lambda: service.see(str(said["query"]), str(said["key"])))

    async def teach(request: Request) -> Any:
        size = int(request.headers.get("content-length") or 0)
        if size > LARGEST_FILE + 1_000_000:  # before it is read: the form is a little larger than its file
            return _answer(lambda: refuse_size(size))
        form = await request.form(max_files=1)
        dropped: Any = form.get("image")
        content = b"" if dropped is None or isinstance(dropped, str) else await dropped.read()
        return await run_sync(
            lambda: _stream(
                request, lambda: service.teach(str(form.get("query", "")), str(form.get("key", "")), content)
            )
        )

    server.add_api_route("/api/teach", teach, methods=["POST"])
    server.add_api_route("/api/steer", steer, methods=["POST"])
    server.add_api_route("/api/see", see, methods=["POST"])


def _answer(work: Callable[[], Any]) -> Any:
    """Return what `work` returns, a response or JSON values, or what was wrong with the question."""
    from starlette.responses import JSONResponse, Response

    try:
        answer = work()
        return answer if isinstance(answer, Response) else JSONResponse(answer)
    except HeedfulError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except Exception as error:
        return JSONResponse({"error": describe(error)}, status_code=500)


def _stream(request: Any, start: Callable[[], Job]) -> Any:
    """Return the news of a job as lines of JSON while they come; a job whose reader has gone is stopped."""
    from anyio.to_thread import run_sync
    from starlette.responses import JSONResponse, StreamingResponse

    try:
        job = start()
    except HeedfulError as error:
        return JSONResponse({"error": str(error)}, status_code=400)

    async def lines() -> AsyncIterator[str]:
        try:
            events = job.events()
            while True:
                news = await run_sync(next, events, _END)
                if news is _END or await request.is_disconnected():
                    return
                yield "\n" if news is None else json.dumps(news) + "\n"
        finally:
            job.stop()

    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"Cache-Control": "no-cache"})


_END = object()
