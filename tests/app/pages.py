"""A real browser on the real page: `heedful app` in a process of its own, and Debian's Chromium, without a window.

Import as `from tests.app.pages import ...`.
"""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LONG = 180.0
"""Seconds that something may take on a machine that has other things to do."""
SHOTS = os.environ.get("HEEDFUL_SCREENSHOTS")
"""A folder for screenshots that outlives the tests; without it they go to the folder of the test."""


def needs_browser() -> None:
    """Skip where Gradio, Selenium or Chromium is not installed, and say what to install."""
    pytest.importorskip("gradio", reason="needs the extra `app`: pip install 'heedful[app]'")
    pytest.importorskip("selenium", reason="needs the extra `browser`: pip install 'heedful[browser]'")
    if shutil.which("chromedriver") is None or shutil.which("chromium") is None:
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")


@contextmanager
def page(
    folder: Path, *options: str, command: tuple[str, ...] = ("-m", "heedful", "app", "--no-browser")
) -> Iterator[str]:
    """Open the page in a process of its own that works in `folder`; yield its address."""
    words = [sys.executable, *command, *options]
    with (folder / "page.log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("http"), (folder / "page.log").read_text()
        yield line.rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=20)


class Browser:
    """A tab of a browser, and what tests do with it."""

    def __init__(self, address: str, width: int = 1280, height: int = 900, *, is_dark: bool = False):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
            options.add_argument(f"--{word}")
        options.add_argument(f"--window-size={width},{height}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.address, self.width = address, width
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def open(self, query: str = "") -> None:
        """Open the page at a link, and wait until it can be used."""
        self.driver.get(f"{self.address}/?{query}")
        self.until("document.documentElement.dataset.ready === 'yes'")

    def ask(self, script: str, *arguments: Any) -> Any:
        """Return the value of an expression of JavaScript."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def until(self, script: str, seconds: float = LONG) -> None:
        """Wait until an expression is true; fails with what the page says then."""
        end = time.monotonic() + seconds
        while not self.ask(script):
            said = self.ask("[...document.querySelectorAll('.status')].map((it) => it.textContent).join(' | ')")
            assert time.monotonic() < end, f"{script} did not come true; the page says: {said}"
            time.sleep(0.05)

    def find(self, selector: str) -> Any:
        """Return the first element of a CSS selector."""
        from selenium.webdriver.common.by import By

        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def press_with_control(self, key: str) -> None:
        """Press a key while Control is held down."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()

    def run(self, view: str) -> str:
        """Press the button of a view, wait for the end of its run, and return what the page says then."""
        self.find(f"#{view} .primary").click()
        self.until(f"!document.querySelector('#{view} form .primary').disabled")
        return self.status(view)

    def status(self, view: str) -> str:
        """Return what a view says."""
        return str(self.ask("document.querySelector(arguments[0]).textContent", f"#{view} .status"))

    def images(self) -> list[bytes]:
        """Return the images of Steer in their order, as files."""
        sources = self.ask("[...document.querySelectorAll('#steer .pair img')].map((it) => it.src)")
        return [base64.b64decode(source.partition(",")[2]) for source in sources]

    def shoot(self, folder: Path, name: str) -> None:
        """Write a screenshot of the whole page, and fail if the page is wider than the window."""
        assert self.ask("document.documentElement.scrollWidth") <= self.width, f"{name} is wider than the window"
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
        target = Path(SHOTS) if SHOTS else folder
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def errors(self) -> list[str]:
        """Return what the browser complained of."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def asked_elsewhere(self) -> list[str]:
        """Return every address on another machine that the page asked for."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return [url for url in found if not re.match(rf"{re.escape(self.address)}/|data:|blob:|about:|chrome:", url)]


def run_command(folder: Path, command: str) -> None:
    """Run a copied command as a shell would, in `folder`."""
    words = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(words, check=False, cwd=folder, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stderr


Open = Callable[..., Browser]
