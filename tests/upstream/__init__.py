"""The scripted upstream: a model server over real sockets that misbehaves on request.

    with Upstream() as up:
        up.script("cut", cut=2.5)
        ...  # ask the gateway, whose target is up.base_url
        assert up.last.header("authorization") == "Bearer the-target's-key"

`scripts.py` has the table of what it can do, `delivery.How` every option of how an answer
travels. `python -m tests.upstream --port 0` runs it as a process.
"""

from tests.upstream.scripts import Raw
from tests.upstream.server import Upstream
from tests.upstream.wire import Connection, Seen

__all__ = ["Connection", "Raw", "Seen", "Upstream"]
