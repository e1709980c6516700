"""The page's server without a browser, in a process of its own: Gradio leaves event loops open where it is imported."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from heedful.app import server
from heedful.guidance import VIEWER
from tests.app.pages import page

pytestmark = pytest.mark.slow  # `make slow` is what installs everything that the page can use
NOTES = """\
import socket
find = socket.getaddrinfo
def noted(host, *rest, **more):
    open("hosts.txt", "a").write(f"{host}\\n")
    return find(host, *rest, **more)
socket.getaddrinfo = noted
"""


@dataclass(frozen=True)
class Answer:
    """What the page answered."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


@dataclass(frozen=True)
class Client:
    """Asks a page."""

    address: str
    folder: Path

    def ask(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Return the answer to a GET, or to a POST of JSON values or of bytes."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=120)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request("GET" if body is None else "POST", path, data, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    pytest.importorskip("gradio", reason="needs the extra `app`: pip install 'heedful[app]'")
    folder = tmp_path_factory.mktemp("page")
    (folder / "sitecustomize.py").write_text(NOTES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        with page(folder) as address:
            yield Client(address, folder)


def test_the_page_serves_the_viewer_of_notebooks() -> None:
    assert server.VIEWER == VIEWER and (VIEWER / "viewer.js").is_file()


def test_nothing_slow_is_imported_before_the_page_is_up() -> None:
    pytest.importorskip("gradio", reason="needs the extra `app`: pip install 'heedful[app]'")
    code = "import sys; from heedful.app import server, service; server.build(service.Service()); "
    code += "print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_the_page_allows_its_own_files_and_nothing_else(client: Client) -> None:
    for name, kind in (("", "text/html"), ("page/main.js", "text/javascript"), ("page/viewer.css", "text/css")):
        answer = client.ask(f"/{name}")
        assert answer.status == 200 and answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        text = answer.content.decode().replace("http://www.w3.org/", "")
        assert "http://" not in text and "https://" not in text
    for name in ("page/nothing.js", "page/..%2fserver.py", "page/%2e%2e/server.py"):
        assert client.ask(f"/{name}").status == 404


def test_questions_are_answered_or_refused_in_words(client: Client) -> None:
    assert client.ask("/api/about").json["defaults"]["method"] == "heedful"
    assert client.ask("/api/read", {"prompt": "a cat"}).json["concepts"] == ["cat"]
    for path, body, says in (
        ("read", {"prompt": ""}, "Expected a prompt"),
        ("toggle", {"prompt": "a cat", "position": 1}, "Click on a word"),
        ("copies", {"query": "promt=x"}, "got 'promt'"),
        ("steer", {"query": "steps=x", "key": "k"}, "a whole number for steps"),
    ):
        answer = client.ask(f"/api/{path}", body)
        assert answer.status == 400 and says in answer.json["error"]
    assert client.ask("/api/compare?view=compare").status == 400
    assert client.ask("/api/stop", {"key": "nobody"}).json == {"was_running": False}


def test_a_run_comes_as_lines_and_what_it_leaves_can_be_saved(client: Client) -> None:
    lines = client.ask("/api/see", {"query": "view=see&steps=2", "key": "see"}).content.split(b"\n")
    news = [json.loads(line) for line in lines if line]
    (look,) = [each for each in news if each["kind"] == "look"]
    assert news[-1] == {"kind": "done"}
    saved = client.ask(f"/api/looks/{look['name']}/animation.gif")
    assert saved.headers["content-type"] == "image/gif" and saved.content.startswith(b"GIF8")
    assert client.ask(f"/api/looks/{look['name']}/masks.json").json["categories"]
    assert "Look at it again" in client.ask("/api/looks/x/animation.gif").json["error"]


def test_pages_of_other_machines_are_not_answered(client: Client) -> None:
    for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}, {"Origin": "null"}):
        assert client.ask("/api/read", {"prompt": "a cat"}, **headers).status == 403
        assert client.ask("/api/about", **headers).status == 403
    for headers in ({"Origin": client.address}, {"Host": "localhost:7860"}):
        assert client.ask("/api/about", **headers).status == 200


def test_an_image_that_is_none_is_refused(client: Client) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for file, says in (("no", "none that can be read"), ("", "got none")):
        fields = {'"query"': "view=teach", '"key"': "k", '"image"; filename="x.png"': file}
        head = "--x\r\nContent-Disposition: form-data; name="
        parts = [f"{head}{name}\r\n\r\n{value}\r\n" for name, value in fields.items()]
        answer = client.ask("/api/teach", f"{''.join(parts)}--x--\r\n".encode(), **kind)
        assert answer.status == 400 and says in answer.json["error"]
    large = client.ask("/api/teach", b"", **kind, **{"Content-Length": "99000000"})
    assert large.status == 400 and "at most 50 MB" in large.json["error"]


def test_the_page_has_asked_for_no_other_machine(client: Client) -> None:
    """The last of this file, so that everything above has been asked for."""
    asked = set((client.folder / "hosts.txt").read_text().split())
    assert asked and asked <= {"127.0.0.1", "localhost", "None"}
