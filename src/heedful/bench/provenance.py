"""What a run says of itself: versions, the state of the sources, and what it ran on."""

import os
import platform
import secrets
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from heedful.images import VERSIONS

_PACKAGE = Path(__file__).parents[2]


def run_name(now: datetime | None = None) -> str:
    """Return a name for a run that sorts by time and that no other run has."""
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"


def provenance(device: str) -> dict[str, Any]:
    """Return versions, git state, hardware and the time, as plain JSON values."""
    return {
        "versions": VERSIONS | {"python": platform.python_version()},
        "git": git_state(_PACKAGE),
        "hardware": {
            "device": device,
            "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
            "machine": platform.machine(),
            "system": platform.system(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit that the sources in `folder` stand at and whether they differ from it.

    None if git does not know these sources, as in an installed package, or if there is no git.
    """
    known = _git(folder, "ls-files", "--error-unmatch", "__init__.py")
    commit = _git(folder, "rev-parse", "HEAD")
    if known is None or commit is None:
        return None
    return {"commit": commit, "is_dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no", "."))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
