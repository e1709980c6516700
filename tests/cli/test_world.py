from pathlib import Path

import pytest
from typer.testing import CliRunner

from heedful.cli.main import app
from heedful.errors import ModelNotFound


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["world", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_card_says_how_the_model_was_made_and_what_it_cannot_do() -> None:
    printed = run("card")
    assert "How it was made" in printed
    assert "What it cannot do" in printed


def test_card_of_a_folder_without_one_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="heedful world train"):
        run("card", "--model", str(tmp_path))


@pytest.mark.usefixtures("drawn_sprites")
def test_trained_model_can_be_sampled(tmp_path: Path) -> None:
    assert "Model:" in run("train", "--out", str(tmp_path / "model"), "--miniature")
    assert (tmp_path / "model" / "training" / "denoiser" / "losses.json").is_file()
    run("sample", "--model", str(tmp_path / "model"), "--out", str(tmp_path / "sheet.png"))
    assert (tmp_path / "sheet.png").is_file()
