"""What pipelines write around a prompt before their tokenizer reads it: chat templates, instructions."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """A text around a prompt, and what the denoiser sees of its tokens."""

    before: str = ""
    after: str = ""
    dropped: tuple[int, int] = (0, 0)
    """The tokens from the first of these indices up to, without, the second are not shown to the denoiser."""
    adds_special: bool = True
    """Whether the tokenizer adds its special tokens to the whole; False if the template has written them."""
    from_end: bool = False
    """Whether more tokens than these may stand before the prompt, such as those of an image, so that its own are
    counted from the end."""

    def seen(self, positions: Sequence[int]) -> list[int]:
        """Return those of `positions` that the denoiser sees."""
        first, end = self.dropped
        return [*positions[:first], *positions[end:]]

    def inside(self, start: int, end: int, length: int) -> tuple[int, int] | None:
        """Return where the characters `start` to `end` of the whole text stand in a prompt of `length` characters.

        None if none of them is of the prompt.
        """
        begin = len(self.before)
        low, high = max(start - begin, 0), min(end - begin, length)
        return None if low >= high and (self.before or self.after) else (low, high)


NO_TEMPLATE = Template()
