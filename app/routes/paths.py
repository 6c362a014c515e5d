"""Paths as clients spell them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Wsgi: TypeAlias = Callable[[dict[str, Any], Any], Iterable[bytes]]

_SLASHES = re.compile("/{2,}")
_TWICE = re.compile("^(?:/v1){2,}(?=/|$)")


def as_meant(wsgi: Wsgi) -> Wsgi:
    """Takes `//` for `/`, and `/v1/v1` for `/v1`: some clients add to a base URL what it has already.

    Of two slashes werkzeug would send them elsewhere, by a page of HTML, and not all of them go there. Who
    gives Claude Code the `/v1` that others want is told by it that there is something wrong with the model.
    """

    def served(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if "//" in path or path.startswith("/v1/v1"):
            environ["PATH_INFO"] = _TWICE.sub("/v1", _SLASHES.sub("/", path))
        return wsgi(environ, start_response)

    return served
