"""Paths as clients spell them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Wsgi: TypeAlias = Callable[[dict[str, Any], Any], Iterable[bytes]]

_SLASHES = re.compile("/{2,}")


def single_slashes(wsgi: Wsgi) -> Wsgi:
    """Takes `//` for `/`: some clients add `/chat/completions` to a base URL that ends in a slash.

    werkzeug would send them elsewhere, by a page of HTML, and not all of them go there.
    """

    def served(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "//" in environ["PATH_INFO"]:
            environ["PATH_INFO"] = _SLASHES.sub("/", environ["PATH_INFO"])
        return wsgi(environ, start_response)

    return served
