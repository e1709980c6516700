"""The page's server without a browser; these need Gradio, and are skipped where it is not installed."""

import asyncio
import gc
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from heedful.app import Serving, server
from heedful.app.serve import launch
from heedful.app.service import Service
from heedful.guidance import VIEWER

pytest.importorskip("gradio", reason="needs the extra `app`: pip install 'heedful[app]'")

from starlette.testclient import TestClient  # comes with Gradio

# `make slow` is what installs Gradio
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module", autouse=True)
def closed_loops() -> Iterator[None]:
    """Close the event loops that Gradio opens when it is imported and leaves open."""
    yield
    for each in gc.get_objects():
        if isinstance(each, asyncio.AbstractEventLoop) and not each.is_running() and not each.is_closed():
            each.close()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Any]:
    yield TestClient(server.build(service), base_url="http://127.0.0.1:7860")


def test_the_page_serves_the_viewer_of_notebooks() -> None:
    assert server.VIEWER == VIEWER and (VIEWER / "viewer.js").is_file()


def test_nothing_slow_is_imported_before_the_page_is_up() -> None:
    code = "import sys; from heedful.app import server, service; server.build(service.Service()); "
    code += "print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_the_page_allows_its_own_files_and_nothing_else(client: Any) -> None:
    for name, kind in (("", "text/html"), ("page/main.js", "text/javascript"), ("page/viewer.css", "text/css")):
        answer = client.get(f"/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "http://" not in answer.text.replace("http://www.w3.org/", "") and "https://" not in answer.text
    for name in ("page/nothing.js", "page/..%2fserver.py", "page/%2e%2e/server.py"):
        assert client.get(f"/{name}").status_code == 404


def test_questions_are_answered_or_refused_in_words(client: Any) -> None:
    assert client.get("/api/about").json()["defaults"]["method"] == "heedful"
    assert client.post("/api/read", json={"prompt": "a cat"}).json()["concepts"] == ["cat"]
    for path, body, says in (
        ("read", {"prompt": ""}, "Expected a prompt"),
        ("toggle", {"prompt": "a cat", "position": 1}, "Click on a word"),
        ("copies", {"query": "promt=x"}, "got 'promt'"),
        ("steer", {"query": "steps=x", "key": "k"}, "a whole number for steps"),
    ):
        answer = client.post(f"/api/{path}", json=body)
        assert answer.status_code == 400 and says in answer.json()["error"]
    assert client.get("/api/compare?view=compare").status_code == 400
    assert client.post("/api/stop", json={"key": "nobody"}).json() == {"was_running": False}


def test_a_run_comes_as_lines_and_what_it_leaves_can_be_saved(client: Any) -> None:
    lines = client.post("/api/see", json={"query": "view=see&steps=2", "key": "see"}).text.split("\n")
    news = [json.loads(line) for line in lines if line]
    (look,) = [each for each in news if each["kind"] == "look"]
    assert news[-1] == {"kind": "done"}
    saved = client.get(f"/api/looks/{look['name']}/animation.gif")
    assert saved.headers["content-type"] == "image/gif" and saved.content.startswith(b"GIF8")
    assert client.get(f"/api/looks/{look['name']}/masks.json").json()["categories"]
    assert "Look at it again" in client.get("/api/looks/x/animation.gif").json()["error"]


def test_opening_the_page_reaches_no_other_machine(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    find = socket.getaddrinfo

    def noted(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return find(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    opened, address = launch(service, Serving(browser=False))
    try:
        with urlopen(address + "/api/about", timeout=20) as answer:
            assert json.load(answer)["is_public"] is False
    finally:
        opened.close()
    assert address.startswith("http://127.0.0.1:")
    assert set(asked) <= {"127.0.0.1", "localhost", None}


def test_pages_of_other_machines_are_not_answered(client: Any, service: Service) -> None:
    for headers in ({"origin": "https://example.org"}, {"host": "example.org"}, {"origin": "null"}):
        assert client.post("/api/read", json={"prompt": "a cat"}, headers=headers).status_code == 403
        assert client.get("/api/about", headers=headers).status_code == 403
    for headers in ({"origin": "http://127.0.0.1:7860"}, {"host": "localhost:7860"}):
        assert client.get("/api/about", headers=headers).status_code == 200
    shared = TestClient(server.build(service, is_local=False), base_url="https://example.org")
    assert shared.get("/api/about", headers={"origin": "https://example.org"}).status_code == 200


def test_an_image_that_is_none_is_refused(client: Any) -> None:
    answer = client.post("/api/teach", data={"query": "view=teach", "key": "k"}, files={"image": ("x.png", b"no")})
    assert answer.status_code == 400 and "none that can be read" in answer.json()["error"]
    answer = client.post("/api/teach", data={"query": "view=teach", "key": "k"})
    assert answer.status_code == 400 and "got none" in answer.json()["error"]
