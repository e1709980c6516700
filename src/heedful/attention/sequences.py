"""Where image and text stand in what one attention site looks at, and how its attention is read from there."""

from dataclasses import dataclass
from typing import Literal

from heedful.attention.sites import Site
from heedful.attention.tap import Compute, joint_attention, mean_attention, ragged_attention, word_attention
from heedful.errors import SettingsError

TextPlace = Literal["keys", "after image", "before image"]
"""Where a site's text is: it alone is looked at (cross-attention), or it stands after or before the image's own
positions in one sequence in which all look at all (joint attention)."""


@dataclass(frozen=True)
class Sequences:
    """The positions of one site, all counted."""

    text_place: TextPlace
    cells: int
    """Positions of the image that is made."""
    all_cells: int
    """With those of other images, which stand after them, and with padding."""
    tokens: int
    """Positions of the text, padding included."""
    registers: int = 0
    """Positions before the text that belong to neither."""
    row_tokens: tuple[int, ...] = ()
    """Where the image follows at once upon each row's own text: the positions of that text."""

    @property
    def keys(self) -> int:
        """How many positions are looked at."""
        if self.text_place == "keys":
            return self.tokens
        return self.registers + (max(self.row_tokens) if self.row_tokens else self.tokens) + self.all_cells

    @property
    def image(self) -> slice:
        """The image that is made, in joint attention."""
        start = 0 if self.text_place == "after image" else self.registers + self.tokens
        return slice(start, start + self.cells)

    @property
    def text(self) -> slice:
        """The text, in joint attention."""
        start = self.all_cells if self.text_place == "after image" else self.registers
        return slice(start, start + self.tokens)

    def compute(self, site: Site) -> Compute:
        """Return how the attention between image and text is computed at a site.

        Raises `SettingsError` for rows of the text where there are none that can be read.
        """
        if site.rows == "text" and (self.text_place == "keys" or self.row_tokens):
            why = "no token looks at the image" if self.text_place == "keys" else "each row has its own length of text"
            raise SettingsError(
                f'Expected rows of the image at {site.name}, where {why}, got rows="text". Leave rows out, or take a '
                "model with joint attention over padded text, such as Stable Diffusion 3 or FLUX."
            )
        if self.text_place == "keys":
            return mean_attention
        if self.row_tokens:
            return ragged_attention(self.row_tokens, self.cells, self.tokens)
        return (word_attention if site.rows == "text" else joint_attention)(self.image, self.text)
