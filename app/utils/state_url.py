"""What `LOCALCODE_STATE_URL` may say, and how it may be shown. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

MEND = "write redis://host:6379/0, rediss://user:password@host:6379/0 or unix:///path/redis.sock?db=0"

# What may stand behind the question mark. redis-py takes more, such as time limits, which are ours to set.
OPTIONS = frozenset(
    {"db", "username", "password", "client_name", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
)


def is_shared(url: str) -> bool:
    """Whether the state is kept where other machines may reach it too."""
    return bool(url)


def state_url_problem(url: str) -> str | None:
    """What is wrong with a URL and how to mend it, without the password in it; None for one that is right.

    The empty one is right, too: the state is then in a file below LOCALCODE_HOME.
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
        wrong = _wrong(parts)
    except ValueError:  # a port that is none, a bracket that is not closed
        wrong = "it is no URL"
    return f"{wrong}: {MEND}" if wrong else None


def _wrong(parts: SplitResult) -> str | None:
    if parts.scheme not in ("redis", "rediss", "unix"):
        return f"state can be kept in Redis, and {parts.scheme or 'a URL without scheme'!r} is none"
    if any(letter.isspace() for letter in parts.geturl()):
        return "there is a blank in it"
    if parts.scheme == "unix":
        return _wrong_socket(parts) or _wrong_options(parts)
    if not parts.hostname or parts.port == 0:
        return "it names no host" if not parts.hostname else "port 0 is none"
    database = parts.path.strip("/")
    if database and not _is_number(database):
        return "behind the host stands the number of a database, and nothing else"
    return _wrong_options(parts)


def _wrong_socket(parts: SplitResult) -> str | None:
    return None if len(parts.path) > 1 else "it names no socket"


def _wrong_options(parts: SplitResult) -> str | None:
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in OPTIONS:
            return f"{name!r} cannot be set in it"
        if name == "db" and not _is_number(value):
            return "'db' is the number of a database"
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def passwords_in(url: str) -> set[str]:
    """The passwords in a URL, as they stand there and as they are meant."""
    parts = urlsplit(url)
    found = {parts.password or ""} | {
        option.removeprefix("password=")
        for option in parts.query.split("&")
        if option.startswith("password=")
    }
    return {form for password in found - {""} for form in (password, unquote(password))}


def shown(url: str) -> str:
    """The URL without whoever is named in it: for logs."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return f"{parts.scheme}://{place}{parts.path}"
