"""A pytest plugin: one line of JSON per test as it ends, implementations in turn, and an end when time is up.

VOCABSEG_TEST_REPORT names the file, VOCABSEG_TEST_SECONDS the time, VOCABSEG_TEST_IMPLEMENTATIONS whose tests run.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from typing import Any

import pytest

_NAMES = os.environ.get("VOCABSEG_TEST_IMPLEMENTATIONS", "triton cubin").split()
_IMPLEMENTATION = re.compile(rf"\[(?:.*-)?(\w+/(?:{'|'.join(_NAMES)}))\b")


class Report:
    def __init__(self, path: str, seconds: float) -> None:
        self._path, self._end = path, time.monotonic() + seconds

    @pytest.hookimpl(trylast=True)  # after -k has taken its tests away
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Tests of those implementations only; the n-th of every implementation before the next of any."""
        items[:] = [item for item in items if implementation(item.nodeid)]
        turn: Counter[str] = Counter()
        order = {}
        for item in items:
            name = implementation(item.nodeid)
            order[item.nodeid] = (turn[name], name)
            turn[name] += 1
        items.sort(key=lambda item: order[item.nodeid])
        self._write({"selected": len(items)})

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        said = str(report.longrepr)[-500:] if report.failed else ""
        test, name = report.nodeid.removeprefix("tests/ops/"), implementation(report.nodeid)
        self._write({"test": test, "implementation": name, "outcome": report.outcome, "said": said})

    def pytest_runtest_protocol(self, item: Any) -> None:
        if time.monotonic() > self._end:
            item.session.shouldstop = "the time for kernels is up"

    def _write(self, line: dict[str, Any]) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def implementation(nodeid: str) -> str:
    """``pamr/triton`` of ``test_pamr.py::test_one[pamr/triton-3]``; empty for tests of no implementation."""
    found = _IMPLEMENTATION.search(nodeid)
    return found[1] if found else ""


def pytest_configure(config: Any) -> None:
    report, seconds = os.environ["VOCABSEG_TEST_REPORT"], float(os.environ["VOCABSEG_TEST_SECONDS"])
    config.pluginmanager.register(Report(report, seconds), "vocabseg_report")
