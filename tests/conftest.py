"""What holds for the whole run: signals as a terminal gives them, and no skipped tests where CI says so."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_configure() -> None:
    """A shell starts background jobs with ctrl-C ignored, and what they start inherits that: undo it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With POSI_NO_SKIPS=1, a test that was skipped for want of a package or program is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("POSI_NO_SKIPS") or reporter is None:
        return
    # Tests of real hosts run where a checkout is named, which CI has not.
    skipped = [report for report in reporter.stats.get("skipped", []) if "tests/hosts" not in report.nodeid]
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\n{len(skipped)} skipped outside tests/hosts: not allowed here", red=True)
