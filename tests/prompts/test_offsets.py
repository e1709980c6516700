import pytest

from heedful.prompts.offsets import offsets_of_pieces


@pytest.mark.parametrize(
    ("text", "pieces", "parts"),
    [
        ("a red cat", ["▁a", "▁red", "▁c", "at"], ["a", "red", "c", "at"]),
        ("a  cat", ["▁a", "▁", "▁cat"], ["a", "", "cat"]),
        ("a 猫!", ["▁a", "▁", "<0xE7>", "<0x8C>", "<0xAB>", "!"], ["a", "", "猫", "猫", "猫", "!"]),
    ],
)
def test_pieces_are_found_one_after_the_other(text: str, pieces: list[str], parts: list[str]) -> None:
    offsets = offsets_of_pieces(text, pieces)
    assert offsets is not None
    assert [text[start:end] for start, end in offsets] == parts


@pytest.mark.parametrize("pieces", [["▁b"], ["▁a", "▁cat", "▁more"], ["▁a", "<0xE7>"]])
def test_pieces_that_are_not_in_the_text_are_noticed(pieces: list[str]) -> None:
    assert offsets_of_pieces("a cat", pieces) is None
