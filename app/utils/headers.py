"""Which headers mean something here, and which may go upstream. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

# Of a client's headers these go on to a relayed target: who the client is and which conversation it
# belongs to. A list of what may pass, not of what may not: an unknown header could be a key, or, like
# llama-server's X-Conversation-Id, change what the target does.
_PASSING = frozenset(
    {
        "user-agent",
        "x-session-id",
        "x-session-affinity",
        "x-title",
        "http-referer",
        "originator",
        "session-id",
        "thread-id",
        "openai-beta",
        "anthropic-beta",
        "anthropic-version",
    }
)
_PASSING_PREFIXES = ("x-opencode-", "x-stainless-", "x-codex-")
_SECRET = re.compile("auth|key|token|secret|cookie|password")

_SESSION = ("x-session-id", "x-session-affinity", "x-claude-code-session-id", "session-id", "thread-id")

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")


def headers_in(environ: Mapping[str, Any]) -> dict[str, str]:
    """A WSGI request's headers, names in lower case; not the type and length of its body.

    Read at once, for each look into werkzeug's view of them costs as much as all of this.
    """
    return {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def as_value(text: str) -> str:
    """A text as it may stand in a header: what is no visible ASCII, percent-encoded."""
    return quote(text, safe=_VISIBLE)


_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))


def passing(headers: Mapping[str, str]) -> dict[str, str]:
    """The client's headers that may go upstream. Names are in lower case, here and in what follows."""
    return {name: value for name, value in headers.items() if _may_pass(name)}


def _may_pass(name: str) -> bool:
    return name in _PASSING or (name.startswith(_PASSING_PREFIXES) and not _SECRET.search(name))


def session_of(headers: Mapping[str, str]) -> str | None:
    """The id of the agent's conversation, from whichever header it uses for it."""
    for name in _SESSION:
        value = headers.get(name)
        if value and _SANE_ID.fullmatch(value):
            return value
    return None


def sane_id(value: str | None) -> str | None:
    """A client's request id if it can stand in a log line and a header, else None."""
    return value if value and _SANE_ID.fullmatch(value) else None
