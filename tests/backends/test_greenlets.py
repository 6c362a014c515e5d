"""The relay's way out holds in a process that gevent has patched, as a worker is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-W", "error", "-o", "addopts=", *sys.argv[1:]]))
"""


@pytest.mark.full  # it takes too long for the quick run
def test_requests_connections_and_departures_are_what_they_are_elsewhere() -> None:
    here = Path(__file__).parent
    files = [here / name for name in ("test_http.py", "test_connecting.py", "../routes/test_departure.py")]
    ran = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT, *map(str, files)],
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
