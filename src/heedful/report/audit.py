"""Contact sheets of judged images, and the list in which a person writes what is to be seen.

`heedful.lab.agreement` compares that list with the judge.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from heedful.errors import SettingsError
from heedful.files import write_atomic
from heedful.image_files import png_bytes
from heedful.lab import SUCCESS, Judged, faults_of
from heedful.report.markdown import with_interval

COLUMNS, ROWS = 8, 5
SCALE = 3
LIST = "audit.json"
_GAP, _LINE, _LINES = 10, 14, 4
_INK, _RIGHT, _WRONG, _PAPER = (20, 20, 24), (0, 110, 50), (170, 20, 20), (255, 255, 255)


def write_audit(judged: Sequence[Judged], shares: Mapping[str, float], folder: Path, *, blind: bool = False) -> Path:
    """Write pages of 8x5 images at three times their size and `audit.json`; return the path of the latter.

    Under each image stand its number, its prompt, and unless `blind` the verdict and its confidence. The list names
    prompt, seed, verdict, confidence, page and number (`position`) of every image, and has an empty field `seen`.
    `shares` says how often each kind of verdict comes. Raises `SettingsError` rather than replace a list in which
    something is seen.
    """
    target = folder / LIST
    if target.exists() and any(entry["seen"] for entry in json.loads(target.read_text(encoding="utf-8"))["images"]):
        raise SettingsError(
            f"Expected no verdicts of a person in {target}, found some, which would be lost. Choose another folder."
        )
    entries: list[dict[str, Any]] = []
    for number, start in enumerate(range(0, len(judged), COLUMNS * ROWS), start=1):
        part = judged[start : start + COLUMNS * ROWS]
        page = draw_page(part, f"page {number}", blind=blind)
        write_atomic(folder / f"page-{number:02}.png", png_bytes(page))
        entries += [_entry(one, number, position) for position, one in enumerate(part, start=1)]
    return write_atomic(target, json.dumps({"shares": dict(shares), "images": entries}, indent=1) + "\n")


def draw_page(judged: Sequence[Judged], title: str, *, blind: bool = False) -> Image.Image:
    """Draw up to 40 images, row by row, with what there is to say under each."""
    side = SCALE * judged[0].image.shape[1]
    width, height = side + _GAP, SCALE * judged[0].image.shape[0] + _LINES * _LINE + _GAP
    rows = -(-len(judged) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * width + _GAP, rows * height + 2 * _GAP + _LINE), _PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    pen.text((_GAP, _GAP // 2), title, font=font, fill=_INK)
    for index, one in enumerate(judged):
        left, top = _GAP + index % COLUMNS * width, 2 * _GAP + _LINE + index // COLUMNS * height
        image = Image.fromarray(np.ascontiguousarray(one.image))
        page.paste(image.resize((side, SCALE * image.height), Image.Resampling.BICUBIC), (left, top))
        below = top + SCALE * image.height + 2
        lines = textwrap.wrap(f"{index + 1}. {one.prompt}", 32)[:2]
        for number, line in enumerate(lines):
            pen.text((left, below + number * _LINE), line, font=font, fill=_INK)
        if not blind:
            said = f"{', '.join(faults_of(one.verdict)) or SUCCESS} ({one.verdict.confidence:.2f})"
            ink = _RIGHT if one.verdict.success else _WRONG
            for number, line in enumerate(textwrap.wrap(said, 32)[:2], start=len(lines)):
                pen.text((left, below + number * _LINE), line, font=font, fill=ink)
    return page


def agreement_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what `heedful.lab.agreement` found, as lines for a person."""

    def shown(figure: Mapping[str, Any] | None) -> str:
        return "-" if figure is None else f"{with_interval(figure)} of {figure['count']}"

    weighted = found["weighted_accuracy"]
    lines = [
        f"images looked at: {found['images']}, skipped: {found['skipped']}",
        f"accuracy on success or failure: {shown(found['accuracy'])}",
        f"the same, each verdict weighted by how often it comes: {'-' if weighted is None else f'{weighted:.3f}'}",
        f"Cohen's kappa: {shown(found['kappa'])}",
        f"false successes, of the judge's successes: {shown(found['false_successes'])}",
        f"false failures, of the judge's failures: {shown(found['false_failures'])}",
    ]
    for kind, row in found["by_kind"].items():
        lines.append(
            f"{kind}: {row['images']} images, success or failure agreed in {row['agreed']:.3f}, "
            f"{kind} seen in {row['named']:.3f}"
        )
    return lines


def _entry(one: Judged, page: int, position: int) -> dict[str, Any]:
    return {
        "prompt": one.prompt,
        "seed": one.seed,
        "verdict": faults_of(one.verdict) or [SUCCESS],
        "confidence": round(one.verdict.confidence, 4),
        "page": page,
        "position": position,
        "seen": "",
    }
