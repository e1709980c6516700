"""A folder of results: one writer, all files or none, nobody's own files replaced, no way out of it."""

import json
from pathlib import Path

import pytest

from heedful import files, folders
from heedful.errors import OutputError
from heedful.folders import OWN, OutputFolder


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    other = OutputFolder(tmp_path / "out").locked()
    with folder.locked(), pytest.raises(OutputError, match=r"another one writes there \(process \d+ on "), other:
        pytest.fail("two writers")
    with folder.locked():
        pass  # the lock is gone


def test_a_lock_that_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / OWN / "lock").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"got a folder\. Move it away"), OutputFolder(tmp_path).locked():
        pass


def test_a_lock_of_another_user_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folders.FileLock, "acquire", forbidden)
    with pytest.raises(OutputError, match=r"permission denied.*may belong to another user"):
        OutputFolder(tmp_path).locked().__enter__()


def test_a_persons_own_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text("mine")
    folder = OutputFolder(tmp_path)
    with folder.locked(), pytest.raises(OutputError, match="where heedful has not made it"):
        folder.claim("grid.png", "metadata.jsonl")
    assert (tmp_path / "metadata.jsonl").read_text() == "mine" and folder.claimed() == set()


def test_a_file_that_was_claimed_before_is_ours(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.locked():
        folder.claim("metadata.jsonl")
        folder.write({"metadata.jsonl": "one"})
    with folder.locked():
        folder.claim("metadata.jsonl", "grid.png")
    assert folder.claimed() == {"metadata.jsonl", "grid.png"}


def test_files_appear_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = OutputFolder(tmp_path)

    def dies(self: OutputFolder) -> None:
        raise SystemExit("killed")

    with folder.locked():
        monkeypatch.setattr(OutputFolder, "_commit", dies)
        with pytest.raises(SystemExit):
            folder.write({"a/0.png": b"0", "a/1.png": b"1"})
        monkeypatch.undo()
        assert not (tmp_path / "a").exists()
    with folder.locked():  # both were whole, so the next run lets them take their names
        assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == {"0.png": b"0", "1.png": b"1"}
    assert not list(folder.parts.iterdir())


def test_what_a_kill_left_half_written_is_cleared(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.parts.mkdir(parents=True)
    (folder.parts / ".1-2.part").write_bytes(b"half")
    with folder.locked():
        assert not list(folder.parts.iterdir())


@pytest.mark.parametrize("name", [OWN, f"{OWN}/parts"])
def test_a_link_in_place_of_heedfuls_own_folder_empties_no_other(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.tex").write_text("years")
    link = tmp_path / "out" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    with pytest.raises(OutputError, match="a link, which is not followed"), OutputFolder(tmp_path / "out").locked():
        pass
    assert [path.name for path in victim.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["lock", "holder", "files.json"])
def test_a_link_in_place_of_heedfuls_own_file_changes_no_other(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("years")
    own = tmp_path / "out" / OWN
    own.mkdir(parents=True)
    (own / name).symlink_to(victim)
    folder = OutputFolder(tmp_path / "out")
    with pytest.raises(OutputError, match="Links out of a folder of results are not followed"), folder.locked():
        folder.claim("grid.png")
    assert victim.read_text() == "years"


def test_a_commit_of_somebody_else_leads_nowhere(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    folder.parts.mkdir(parents=True)
    (folder.parts / "0.whole").write_bytes(b"evil")
    (tmp_path / "out" / OWN / "commit.json").write_text(json.dumps({"0.whole": "../.bashrc"}))
    with pytest.raises(OutputError, match="a way out of it"), folder.locked():
        pass
    assert not (tmp_path / ".bashrc").exists()


def test_a_method_that_is_a_link_to_another_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = OutputFolder(tmp_path / "out")
    with folder.locked():
        (tmp_path / "out" / "none").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OutputError, match="a way out of it"):
            folder.write({"none/0.png": b""})
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("name", ["holder", "files.json", "commit.json"])
def test_a_part_of_a_file_that_a_kill_left_is_removed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    replace = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if target.name == name:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(files, "_remove_quietly", lambda path: None)  # a kill lets nobody tidy up
        with pytest.raises(KeyboardInterrupt), OutputFolder(tmp_path).locked():
            OutputFolder(tmp_path).claim("a.txt")
            OutputFolder(tmp_path).write({"a.txt": "whole"})
    assert list(tmp_path.rglob("*.part"))
    with OutputFolder(tmp_path).locked():
        pass
    assert not list(tmp_path.rglob("*.part"))
