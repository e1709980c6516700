"""Prints what the length test found over the soft limit, which is no failure."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed")
    long = [text for report in reports for name, text in report.user_properties if name == "over the soft limit"]
    if long:
        terminalreporter.section("files that want splitting (over 300 lines)")
        for line in long:
            terminalreporter.line(str(line))
