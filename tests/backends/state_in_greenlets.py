"""The state in a process whose threads gevent made greenlets; prints what it saw as one line of JSON.

Run by `test_state_writer.py`. A second connection, in this process, stands for another worker's.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from app.backends.state import open_store  # noqa: E402
from app.backends.state_sqlite import connected  # noqa: E402
from app.backends.state_writer import Writer  # noqa: E402
from tests.backends.state_lab import ROOM  # noqa: E402


def hundred_greenlets(writer: Writer) -> dict[str, Any]:
    def work(name: int) -> int:
        found = 0
        for number in range(20):
            key = f"{name}-{number}"
            writer.put(ROOM, {key: b"x" * 50})
            gevent.sleep(0)
            found += writer.get(ROOM, key) is not None
        return found

    running = [gevent.spawn(work, name) for name in range(100)]
    gevent.joinall(running, raise_error=True)
    return {"found": sum(one.get() for one in running), "written": 2000, "lost": writer.lost}


def a_locked_file(writer: Writer, path: Path) -> dict[str, Any]:
    """Another worker holds the file; a ticker shows whether the process goes on meanwhile."""
    writer.flush()
    other = connected(path)
    other.execute("BEGIN IMMEDIATE")
    writer.put(ROOM, {"queued": b"1"})
    kept = gevent.spawn(writer.delete, ROOM, "99-19")
    ticks = 0
    while ticks < 20:
        gevent.sleep(0.005)
        ticks += 1
    seen = writer.get(ROOM, "queued") == b"1" and not kept.ready()
    other.execute("COMMIT")
    other.close()
    deleted = kept.get(timeout=30)
    return {"ticks_while_locked": ticks, "queued_was_seen": seen, "kept_after_the_lock": deleted}


def a_broken_file(writer: Writer, path: Path) -> dict[str, Any]:
    path.write_bytes(b"no database" * 1000)
    path.with_name("state.db-wal").unlink(missing_ok=True)
    path.with_name("state.db-shm").unlink(missing_ok=True)
    writer.put(ROOM, {"after": b"new"})
    writer.flush()
    return {"after_the_break": (writer.get(ROOM, "after") or b"").decode()}


def main(home: Path) -> None:
    logging.disable()
    writer = Writer(open_store(home, ""))
    report = hundred_greenlets(writer) | a_locked_file(writer, home / "state.db")
    writer.close()
    again = Writer(open_store(home, ""))
    report |= a_broken_file(again, home / "state.db")
    again.close()
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
