import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

from heedful.app import export_space
from heedful.app.export import requirements
from heedful.errors import OutputError, SettingsError
from heedful.options import ModelOptions
from tests.app.pages import Browser, needs_browser, page


def test_a_space_has_all_that_it_needs(tmp_path: Path) -> None:
    export_space(tmp_path / "space", ModelOptions(model="world:crowded"))
    card = SpaceCard((tmp_path / "space" / "README.md").read_text(encoding="utf-8"))
    assert card.data.sdk == "gradio" and re.fullmatch(r"\d+\.\d+(\.\d+)?", card.data.sdk_version)
    assert card.data.license == "apache-2.0" and "It runs on world:crowded." in card.text
    program = (tmp_path / "space" / "app.py").read_text()
    compile(program, "app.py", "exec")
    assert "world:crowded" in program and "is_public=True" in program
    asked = (tmp_path / "space" / "requirements.txt").read_text().split()
    assert asked == requirements() and any(line.startswith("torch==") for line in asked)
    assert any(line.startswith("gradio") for line in asked) and not any("pytest" in line for line in asked)
    code = "import heedful, importlib.metadata as m; print(heedful.__file__, m.version('heedful'))"
    found = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path / "space", text=True)
    assert str(tmp_path / "space" / "heedful") in found


def test_a_persons_files_and_a_model_of_this_machine_are_refused(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("mine")
    with pytest.raises(OutputError, match=r"without app\.py"):
        export_space(tmp_path)
    with pytest.raises(SettingsError, match="hub id or an embedded model"):
        export_space(tmp_path / "space", ModelOptions(model="/models/mine"))


@pytest.mark.slow
def test_a_space_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_browser()
    export_space(tmp_path / "space")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.1")
    with page(tmp_path / "space", command=("app.py",)) as address, Browser(address) as tab:
        tab.open("steps=3&seeds=0")
        assert "2 images in" in tab.run("steer")
        assert not tab.find("#teach [data-field=out]").is_displayed()
        tab.open("view=compare&folder=/etc")
        tab.until("document.querySelector('#compare .status').textContent.includes('public')")
        assert tab.asked_elsewhere() == []
