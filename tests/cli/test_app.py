import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call


def test_without_gradio_it_says_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = call("app", "--no-browser")
    assert result.code == 1 and "pip install 'heedful[app]'" in result.err and result.out == ""


def test_it_writes_a_space(call: Call, tmp_path: Path) -> None:
    result = call("app", "--export", str(tmp_path / "space"), "--model", "world:joint")
    assert result.code == 0 and result.out.strip() == str(tmp_path / "space")
    assert "world:joint" in (tmp_path / "space" / "app.py").read_text()


def test_a_folder_with_files_of_a_persons_own_is_left_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert call("app", "--export", str(tmp_path)).code == 2
    assert (tmp_path / "README.md").read_text() == "mine"
