"""Draws images side by side, with a title, and a label for every row and column.

Prompts, methods and seeds are only labels here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Cell = Image.Image | Path | bytes | None
"""An image, the file of one or its bytes, or an empty cell."""

SMALLEST, LARGEST = 160, 512  # pixels of a tile's longer side: small images are enlarged, large ones reduced
_GAP, _MARGIN = 8, 16
_INK, _FAINT, _PAPER = (20, 20, 24), (96, 96, 104), (255, 255, 255)
_EMPTY = (238, 238, 240)
_TITLE, _LABEL = 20, 15  # font sizes in pixels


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What goes where: `cells[row][column]`, with one label per row and per column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    note: str = ""
    """A line under the title, smaller: the model, the settings."""


def compose(grid: Grid) -> Image.Image:
    """Draw `grid`. All tiles have the size of the first image, enlarged to at least 160 pixels."""
    tile = _tile_size(grid)
    label, title = ImageFont.load_default(_LABEL), ImageFont.load_default(_TITLE)
    rows = [_wrap(text, label, 220) for text in grid.rows]
    side = max((_width(line, label) for lines in rows for line in lines), default=0)
    left = _MARGIN + (side + _GAP * 2 if side else 0)
    across = len(grid.columns) * (tile[0] + _GAP) - _GAP
    # a long title may make the drawing wider than its tiles, up to a width that is still read comfortably
    wide = max(left + across + _MARGIN, min(_width(grid.title, title), 480) + 2 * _MARGIN)
    heading = _wrap(grid.title, title, wide - 2 * _MARGIN)
    notes = _wrap(grid.note, label, wide - 2 * _MARGIN) if grid.note else []
    columns = [_wrap(text, label, tile[0]) for text in grid.columns]
    names = max((len(lines) for lines in columns), default=0)
    top = _MARGIN + len(heading) * (_TITLE + 6) + len(notes) * (_LABEL + 5) + _GAP
    below = top + names * (_LABEL + 5) + _GAP // 2
    high = below + len(rows) * (tile[1] + _GAP) - _GAP + _MARGIN

    drawing = Image.new("RGB", (wide, high), _PAPER)
    pen = ImageDraw.Draw(drawing)
    _write(pen, (_MARGIN, _MARGIN), heading, title, _INK)
    _write(pen, (_MARGIN, _MARGIN + len(heading) * (_TITLE + 6)), notes, label, _FAINT)
    for column, lines in enumerate(columns):
        raised = (names - len(lines)) * (_LABEL + 5)  # short names stand right above their tiles
        _write(pen, (left + column * (tile[0] + _GAP), top + raised), lines, label, _INK)
    for row, cells in enumerate(grid.cells):
        y = below + row * (tile[1] + _GAP)
        _write(pen, (_MARGIN, y + (tile[1] - len(rows[row]) * (_LABEL + 5)) // 2), rows[row], label, _INK)
        for column, cell in enumerate(cells):
            corner = (left + column * (tile[0] + _GAP), y)
            if cell is None:
                pen.rectangle((*corner, corner[0] + tile[0] - 1, corner[1] + tile[1] - 1), fill=_EMPTY)
            else:
                drawing.paste(_fit(_open(cell), tile), corner)
    return drawing


def _tile_size(grid: Grid) -> tuple[int, int]:
    """Return width and height of every tile in pixels."""
    first = next((cell for cells in grid.cells for cell in cells if cell is not None), None)
    width, height = _open(first).size if first is not None else (SMALLEST, SMALLEST)
    longer = max(width, height)
    # a whole factor keeps enlarged pixels even
    factor = -(-SMALLEST // longer) if longer < SMALLEST else min(1.0, LARGEST / longer)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _open(cell: Image.Image | Path | bytes) -> Image.Image:
    if isinstance(cell, Image.Image):
        return cell.convert("RGB")
    with Image.open(BytesIO(cell) if isinstance(cell, bytes) else cell) as image:
        return image.convert("RGB")


def _fit(image: Image.Image, tile: tuple[int, int]) -> Image.Image:
    """Return `image` scaled into `tile`, its proportions kept, on an empty ground where it does not fill it."""
    factor = min(tile[0] / image.width, tile[1] / image.height)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    scaled = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
    if size == tile:
        return scaled
    ground = Image.new("RGB", tile, _EMPTY)
    ground.paste(scaled, ((tile[0] - size[0]) // 2, (tile[1] - size[1]) // 2))
    return ground


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _width(text: str, font: Font) -> int:
    return int(font.getlength(text)) + 1


def _wrap(text: str, font: Font, width: int) -> list[str]:
    """Return `text` in lines of at most `width` pixels, broken between words, or inside a word that is too long."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(f"{lines[-1]} {word}", font) <= width:
            lines[-1] = f"{lines[-1]} {word}"
            continue
        while _width(word, font) > width and len(word) > 1:
            keep = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(word[:n], font) <= width)
            lines.append(word[:keep])
            word = word[keep:]
        lines.append(word)
    return lines


def _write(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], lines: Sequence[str], font: Font, ink: tuple[int, int, int]
) -> None:
    size = font.size if isinstance(font, ImageFont.FreeTypeFont) else _LABEL
    for number, line in enumerate(lines):
        pen.text((corner[0], corner[1] + number * (int(size) + 5)), line, font=font, fill=ink)
