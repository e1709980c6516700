"""Opens a result in the program that the system shows such files with."""

import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

from heedful.cli.console import tell


def open_file(path: Path) -> None:
    """Open an image or a page in the system's viewer; say so where there is none."""
    if not _open(path.resolve()):
        tell(f"Note: this system has no viewer that heedful could open {path} with.")


def _open(path: Path) -> bool:
    if sys.platform == "win32":
        os.startfile(path)
        return True
    if sys.platform == "darwin":
        return _start("open", path)
    # without a display, a browser of the terminal would take the terminal
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display and (_start("xdg-open", path) or webbrowser.open(path.as_uri()))


def _start(program: str, path: Path) -> bool:
    """Start a program that lives on after this one; whether there is such a program."""
    found = shutil.which(program)
    if found is None:
        return False
    quiet = subprocess.DEVNULL
    subprocess.Popen([found, str(path)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    return True
