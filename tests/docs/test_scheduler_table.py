"""The table of schedulers in docs/guidance.md says what the policies say."""

import re
from collections.abc import Iterable
from pathlib import Path

from heedful.guidance.levels import INTERVALS
from heedful.guidance.policy import POLICIES, REFUSED

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
        own = short(set(policy.schedulers) - set(REFUSED["one-pass"]))
        assert any(names == own and "refused" not in says for names, says in rows())


def test_every_scheduler_of_the_table_but_the_last_two_is_guided_by_the_scheme_prediction() -> None:
    names = [names for names, _ in rows()]
    assert set.union(*names[:-2]) == short(INTERVALS)
    assert [set(one) for one in names[-2:]] == [{"SCM"}, {"IPNDM"}]
    assert short(REFUSED["prediction"]) == {"SCM", "IPNDM"}
    assert short(REFUSED["select"]) == names[-1]


def test_refused_schedulers_are_called_refused_with_the_reason_of_the_error() -> None:
    refused = {name: says for names, says in rows() if "refused" in says for name in names}
    assert set(refused) == short(REFUSED["one-pass"]) | {"PNDM"}  # PNDM with its Runge-Kutta steps
    for name in ("SCMScheduler", "IPNDMScheduler"):
        assert REFUSED["one-pass"][name] in refused[name.removesuffix("Scheduler")]
