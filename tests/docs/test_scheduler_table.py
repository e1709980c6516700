"""The table of schedulers in docs/guidance.md says what the policies say."""

import re
from collections.abc import Iterable
from pathlib import Path

from heedful.steering.levels import INTERVALS
from heedful.steering.policy import POLICIES, REFUSED

PAGE = Path(__file__).parents[2] / "docs" / "guidance.md"


def rows() -> list[tuple[set[str], str]]:
    """The schedulers of each row of the table, and what the row says of them."""
    table = PAGE.read_text(encoding="utf-8").partition("## Schedulers")[2]
    lines = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    return [(set(re.findall(r"`(\w+)`", names)), says) for names, says in lines]


def short(names: Iterable[str]) -> set[str]:
    """Names of classes as the page writes them."""
    return {name.removesuffix("Scheduler").removesuffix("Discrete") for name in names}


def test_each_policy_has_a_row() -> None:
    for policy in POLICIES:
        assert any(names == short(policy.schedulers) and "refused" not in says for names, says in rows())


def test_every_scheduler_of_the_table_but_the_last_is_guided_by_the_scheme_prediction() -> None:
    *others, (last, says) = rows()
    assert {name for names, _ in others for name in names} == short(INTERVALS)
    assert last == short(REFUSED["prediction"]) == short(REFUSED["select"])
    assert all(reason in says for reason in REFUSED["select"].values())


def test_refused_schedulers_are_called_refused() -> None:
    refused = {name for names, says in rows() if "refused" in says for name in names}
    assert refused == short(REFUSED["exact"]) | {"PNDM"}  # PNDM with its Runge-Kutta steps
