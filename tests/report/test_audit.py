import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.errors import SettingsError
from heedful.lab.audit import Judged, agreement
from heedful.report.audit import agreement_lines, draw_page, write_audit
from heedful.world.judge import Verdict

SHARES = {"success": 0.5, "neglect": 0.5}


def judged(seed: int, *faults: str) -> Judged:
    flags = {fault: fault in faults for fault in ("neglect", "leakage", "hybrid", "duplicate", "extra")}
    picture = np.full((64, 64, 3), seed, dtype=np.uint8)
    return Judged("a purple chair and a orange backpack", seed, picture, Verdict(**flags, confidence=0.81234))


IMAGES = [judged(seed, *(() if seed % 2 else ("neglect", "hybrid"))) for seed in range(43)]


def test_every_image_stands_where_the_list_says_at_three_times_its_size(tmp_path: Path) -> None:
    path = write_audit(IMAGES, SHARES, tmp_path)
    listed = json.loads(path.read_text())
    assert listed["shares"] == SHARES
    assert sorted(page.name for page in tmp_path.glob("*.png")) == ["page-01.png", "page-02.png"]
    assert len(listed["images"]) == 43
    assert listed["images"][41] == {
        "prompt": "a purple chair and a orange backpack",
        "seed": 41,
        "verdict": ["success"],
        "confidence": 0.8123,
        "page": 2,
        "position": 2,
        "seen": "",
    }
    assert listed["images"][40]["verdict"] == ["neglect", "hybrid"]
    page = np.asarray(Image.open(tmp_path / "page-01.png"))
    for position in (1, 8, 9, 40):
        rows, columns = np.nonzero((page == position - 1).all(axis=-1))
        assert len(rows) >= 192 * 192
        row, column = divmod(position - 1, 8)
        assert row * 258 < np.median(rows) < (row + 1) * 258
        assert column * 202 < np.median(columns) < (column + 1) * 202 + 10


def test_a_blind_page_does_not_show_the_verdict() -> None:
    right, wrong = judged(120), judged(120, "leakage")
    assert draw_page([right], "page 1", blind=True) == draw_page([wrong], "page 1", blind=True)
    assert draw_page([right], "page 1") != draw_page([wrong], "page 1")


def test_what_a_person_saw_is_never_replaced(tmp_path: Path) -> None:
    path = write_audit(IMAGES[:2], SHARES, tmp_path)
    write_audit(IMAGES[:3], SHARES, tmp_path)
    path.write_text(path.read_text().replace('"seen": ""', '"seen": "success"', 1))
    with pytest.raises(SettingsError, match="Choose another folder"):
        write_audit(IMAGES[:2], SHARES, tmp_path)
    assert len(json.loads(path.read_text())["images"]) == 3


def test_a_filled_list_is_read_back(tmp_path: Path) -> None:
    path = write_audit(IMAGES[:4], SHARES, tmp_path)
    listed = json.loads(path.read_text())
    for entry, seen in zip(listed["images"], ("neglect", "success", "success", ""), strict=True):
        entry["seen"] = seen
    path.write_text(json.dumps(listed))
    lines = "\n".join(agreement_lines(agreement(path)))
    assert "images looked at: 3, skipped: 1" in lines
    assert "false failures, of the judge's failures: 0.500" in lines
    assert "hybrid: 2 images, success or failure agreed in 0.500, hybrid seen in 0.000" in lines
