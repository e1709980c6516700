import re
from dataclasses import dataclass
from typing import ClassVar

import pytest

from heedful.errors import SettingsError
from heedful.references import BIBTEX, cite


@dataclass(frozen=True)
class OfOnePaper:
    citations: ClassVar[tuple[str, ...]] = ("chefer2023attend",)


@dataclass(frozen=True)
class OfTwoPapers:
    citations: tuple[str, ...] = ("agarwal2023astar", "chefer2023attend")


def _cited(*things: object) -> list[str]:
    return re.findall(r"^@\w+\{(\w+),", cite(*things), flags=re.MULTILINE)


@pytest.mark.parametrize("key", BIBTEX)
def test_every_entry_is_well_formed_bibtex(key: str) -> None:
    entry = BIBTEX[key]
    assert re.match(rf"@\w+\{{{key},\n", entry)
    assert entry.count("{") == entry.count("}")
    assert {"title", "author", "year"} <= set(re.findall(r"^  (\w+) *=", entry, flags=re.MULTILINE))


def test_each_paper_is_cited_once_in_order_and_heedful_last() -> None:
    assert _cited(OfTwoPapers(), OfOnePaper(), OfOnePaper, "song2021ddim") == [
        "agarwal2023astar",
        "chefer2023attend",
        "song2021ddim",
        "heedful",
    ]


def test_what_has_no_paper_adds_nothing() -> None:
    assert _cited(lambda maps: maps, object()) == ["heedful"]
    assert _cited("heedful") == ["heedful"]


def test_an_unknown_reference_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"chefer2023attend.*'nobody2020'"):
        cite("nobody2020")
