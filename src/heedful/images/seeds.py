"""Seeds as a person writes them: `0-3`, `0,5,7`, `0-3,8`."""

import re

from heedful.errors import SettingsError

_PART = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")
_LARGEST = 2**63 - 1  # torch.Generator.manual_seed takes no more on every device
_MOST = 1_000_000


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that `text` names, each once and in order of mention; a range holds both its ends.

    Raises `SettingsError` for anything else, also for a range that counts down.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise _not_seeds(text, f"{part.strip()!r} is no whole number and no range" if part.strip() else "a gap")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise _not_seeds(text, f"the range {first}-{last} counts down; write {last}-{first}")
        if last > _LARGEST:
            raise _not_seeds(text, f"{last} is larger than {_LARGEST}")
        if len(seeds) + last - first >= _MOST:
            raise _not_seeds(text, f"that is more than {_MOST} seeds")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return tuple(seeds)


def _not_seeds(text: str, reason: str) -> SettingsError:
    return SettingsError(f"Expected seeds such as 0-3 (from 0 to 3), 0,5,7 or 0-3,8, got {text!r}: {reason}.")
