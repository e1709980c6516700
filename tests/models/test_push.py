"""Uploading, against a stub of the hub's interface on this machine."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import ModelError, SettingsError
from heedful.models.push import push_folder

NAME = "me/taught"


class Hub(BaseHTTPRequestHandler):
    """Takes a repository and a commit of small files, and remembers them on its server."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append((self.path, self.headers.get("Authorization")))
        if server.refuses:
            return self._answer({"error": "no right to write"}, 403)
        if self.path.endswith("/api/repos/create"):
            server.repository = json.loads(body)
            return self._answer({"url": f"{server.address}/{NAME}", "id": NAME, "name": NAME})
        if "/preupload/" in self.path:
            paths = [each["path"] for each in json.loads(body)["files"]]
            files = [{"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for path in paths]
            return self._answer({"files": files})
        if "/commit/" in self.path:
            lines = [json.loads(line)["value"] for line in body.decode().splitlines()]
            server.files = {line["path"]: b64decode(line["content"]) for line in lines if "content" in line}
            return self._answer({"commitUrl": f"{server.address}/{NAME}/commit/1", "commitOid": "1", "success": True})
        return self._answer({"errors": [], "warnings": []})

    def _answer(self, value: Any, code: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.files, server.repository, server.refuses = [], {}, {}, False
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_stub")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    for name in ("README.md", "concepts.json", "validation/10.png", "class_images/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_only_what_was_named_is_uploaded_to_a_private_repository(hub: Any, taught: Path) -> None:
    address = push_folder(taught, NAME, ["README.md", "*.json", "validation/10.png"])
    assert address == f"{hub.address}/{NAME}" and "private" in hub.repository.values()
    assert hub.files == {name: name.encode() for name in ("README.md", "concepts.json", "validation/10.png")}
    assert {token for _, token in hub.asked} == {"Bearer hf_stub"}


def test_a_refusal_says_where_the_folder_is_and_a_bad_name_asks_nobody(hub: Any, taught: Path) -> None:
    with pytest.raises(SettingsError, match="owner/name"):
        push_folder(taught, "taught", ["*"])
    assert hub.asked == []
    hub.refuses = True
    with pytest.raises(ModelError, match=r"is whole in .* logged in"):
        push_folder(taught, NAME, ["*"])
