"""The machine in neutral words: what a reader needs to judge the numbers, and no names."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    return f"{os.cpu_count()} cores ({_processor()}), {_system()}, Python {platform.python_version()}"


def busy() -> str:
    """What else it had to do when the run began; the less, the better the numbers."""
    return f"load average before the run {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)
