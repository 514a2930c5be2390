"""With POSI_NO_SKIPS=1 (as CI sets it), a test that was skipped for want of a package or program is a failure."""

from __future__ import annotations

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("POSI_NO_SKIPS") or reporter is None:
        return
    # Tests of real hosts run where a checkout is named, which CI has not.
    skipped = [report for report in reporter.stats.get("skipped", []) if "tests/hosts" not in report.nodeid]
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\n{len(skipped)} skipped outside tests/hosts: not allowed here", red=True)
