import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from heedful.errors import OutputError
from heedful.files import make_folder, sync_folders, write_atomic, write_parts


@pytest.mark.parametrize("content", ["Grüße\nzwei\r\n", "", b"\x00\xff"])
def test_a_file_holds_exactly_what_was_written(tmp_path: Path, content: str | bytes) -> None:
    path = write_atomic(tmp_path / "new" / "folder" / "file", content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_writing_again_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "a long first text")
    write_atomic(path, "short")
    assert path.read_text() == "short"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException, stage: str
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupt(*_: object) -> None:
        raise interruption

    monkeypatch.setattr(os, stage, interrupt)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_parts_are_written_in_order_and_not_at_all_if_one_is_missing(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "file", iter(["Grü", "ße\n".encode(), ""]))
    assert path.read_text(encoding="utf-8") == "Grüße\n"

    def broken() -> Iterator[str]:
        yield "new"
        raise ValueError("no second part")

    with pytest.raises(ValueError, match="no second part"):
        write_parts(path, broken())

    def unreadable() -> Iterator[bytes]:
        yield (tmp_path / "no such image").read_bytes()

    with pytest.raises(FileNotFoundError, match="no such image"):  # and not that the file cannot be written
        write_parts(path, unreadable())
    assert path.read_text(encoding="utf-8") == "Grüße\n"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_where_a_folder_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        write_atomic(tmp_path / "taken" / "file", "x")
    with pytest.raises(OutputError, match=r"Expected a folder that can be written, got .*taken"):
        make_folder(tmp_path / "taken")


def test_a_folder_is_made_once_and_stays_empty(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a" / "b")
    assert make_folder(folder) == folder
    assert os.listdir(folder) == []


def test_looking_whether_a_folder_can_be_written_leaves_nothing_even_if_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    for module in (os, Path):
        monkeypatch.setattr(module, "unlink", killed)
    with suppress(SystemExit):
        make_folder(tmp_path / "a")
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        make_folder(tmp_path)


def test_a_folder_that_is_gone_while_it_is_written_to_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone to stay while it is written to \(no such file"):
        sync_folders([tmp_path / "gone"])
