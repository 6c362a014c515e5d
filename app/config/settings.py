"""The gateway's own settings: from the command line, the environment and `.env`, in this order.

`.env` never changes the process's environment; what both hold comes from the environment. A wrong value is
refused with the variable's name, what was found and the mend. `VARIABLES` lists every variable there is.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from app.config.catalog import ConfigError, Problem
from app.utils.addresses import is_loopback
from app.utils.state_url import passwords_in, state_url_problem

T = TypeVar("T")

MEGABYTE = 1024 * 1024
WORKER_CLASSES = ("gevent", "gthread")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS = ("auto", "console", "json")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the gateway runs; what it serves is in the catalog."""

    host: str = "127.0.0.1"
    port: int = 4242
    config: Path = Path("opencode.json")
    workers: int = 1
    worker_class: str = "gevent"
    log_level: str = "INFO"
    log_format: str = "auto"
    home: Path = field(default_factory=lambda: Path("~/.localcode").expanduser())
    state_url: str = field(default="", repr=False)
    """Where several processes or machines keep what they share (`redis://…`); empty: SQLite in `home`."""
    api_keys: frozenset[bytes] = frozenset()
    """SHA-256 of each key that a client may come in with; none: no key is asked for."""
    cors_origins: tuple[str, ...] = ()
    insecure: bool = False
    max_body: int = 32 * MEGABYTE
    graceful_timeout: int = 30
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`.env` under the process's own variables: what `{env:NAME}` means."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """The clients' keys where they are known as text, to be masked wherever they turn up."""
    instance: str = field(default_factory=lambda: secrets.token_hex(6))
    """Names this gateway to itself, so that a request that comes back is known."""
    notes: tuple[Problem, ...] = ()

    @property
    def own_addresses(self) -> tuple[tuple[str, int], ...]:
        """Where this gateway listens, for a catalog that must not lead back to it."""
        return ((self.host, self.port),)

    def refuse_open_door(self) -> None:
        """Raises ConfigError if other machines could use the providers' keys without a key of their own."""
        if is_loopback(self.host) or self.api_keys or self.insecure:
            return
        raise ConfigError(
            "LOCALCODE_HOST",
            f"{self.host} can be reached from other machines, and who reaches it uses your providers' keys",
            "set LOCALCODE_API_KEYS, or listen on 127.0.0.1, or say --insecure if a proxy asks for keys",
        )


def read_settings(environ: Mapping[str, str], dotenv_path: Path | None = None, **overrides: Any) -> Settings:
    """The settings of this process. `overrides` are Settings' own names; None is not given."""
    environment = {**(read_dotenv(dotenv_path) if dotenv_path else {}), **environ}
    values: dict[str, Any] = {}
    for variable, (name, convert) in VARIABLES.items():
        place, value = variable, environment.get(variable, "").strip()
        if overrides.get(name) is not None:
            place, value = f"--{name.replace('_', '-')}", str(overrides[name])
        if value:
            values[name] = convert(place, value)
    digests, plain = values.pop("api_keys", (frozenset(), frozenset()))
    return Settings(
        **values,
        api_keys=digests,
        secrets=plain | passwords_in(values.get("state_url", "")),
        environment=environment,
        notes=tuple(note for name in environment for note in _misspelt(name)),
    )


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none if there is no file. ConfigError names a line that is none."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # costs start-up time, and many have no such file
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8-sig") as stream:
            bad = next((binding.original for binding in parse_stream(stream) if binding.error), None)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"it cannot be read: {error}") from None
    if bad:
        raise ConfigError(
            f"{path}:{bad.line}", "this is no line of the form NAME=value", "mend it or take it out"
        )
    values = dotenv_values(path, encoding="utf-8-sig")
    return {name: value for name, value in values.items() if value is not None}


# --- one function for each kind of value: (place, text) -> value


def _host(place: str, value: str) -> str:
    host = value.removeprefix("[").removesuffix("]")
    if not re.fullmatch(r"[\w.:%-]+", host):
        raise ConfigError(place, f"{value!r} is no host", "for example 127.0.0.1 or 0.0.0.0")
    return host


def _number(least: int, most: int, mend: str) -> Callable[[str, str], int]:
    def convert(place: str, value: str) -> int:
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            raise ConfigError(place, f"{value!r} is no whole number from {least} to {most}", mend)
        return int(value)

    return convert


def _one_of(choices: tuple[str, ...], fold: Callable[[str], str]) -> Callable[[str, str], str]:
    def convert(place: str, value: str) -> str:
        if fold(value) not in choices:
            raise ConfigError(place, f"{value!r} is not known", f"it is one of {', '.join(choices)}")
        return fold(value)

    return convert


def _level(value: str) -> str:
    return {"WARN": "WARNING", "CRITICAL": "ERROR"}.get(value.upper(), value.upper())


def _path(place: str, value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ConfigError(
            place, f"{value!r} names an unknown home directory", "write the whole path"
        ) from None


def _flag(place: str, value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ConfigError(place, f"{value!r} is neither yes nor no", "write 1 or 0")


def _megabytes(place: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", value, re.ASCII) or float(value) <= 0:
        raise ConfigError(place, f"{value!r} is no number of megabytes above 0", "for example 32")
    return int(float(value) * MEGABYTE)


def _origins(place: str, value: str) -> tuple[str, ...]:
    origins = tuple(filter(None, (origin.strip().rstrip("/") for origin in value.split(","))))
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s,]+", origin):
            raise ConfigError(place, f"{origin!r} is no origin", 'for example "http://localhost:3000", or *')
    return origins


def _state_url(place: str, value: str) -> str:
    if problem := state_url_problem(value):
        raise ConfigError(place, problem, "or leave it empty: then it is SQLite in LOCALCODE_HOME")
    return value


def _keys(place: str, value: str) -> tuple[frozenset[bytes], frozenset[str]]:
    """The digests of the keys, and those keys that are known as text."""
    path = _path(place, value) if value.startswith(("~", "/", "./", "../")) else Path(value)
    if "," not in value and (path.is_file() or value.startswith(("~/", "/", "./", "../"))):
        return _digests(place, path), frozenset()
    keys = frozenset(filter(None, (key.strip() for key in value.split(","))))
    if not keys or any(not re.fullmatch(r"[\x21-\x7e]+", key) for key in keys):
        raise ConfigError(
            place,
            "a key is empty or holds a blank or a letter that no header may have",
            "key1,key2 or a file",
        )
    return frozenset(sha256(key.encode()).digest() for key in keys), keys


def _digests(place: str, path: Path) -> frozenset[bytes]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            place, f"the file {path} cannot be read: {reason}", "see docs/configuration.md"
        ) from None
    found = set()
    for number, line in enumerate(lines, 1):
        if words := line.partition("#")[0].split():
            if not re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
                raise ConfigError(f"{path}:{number}", "this is no SHA-256 in hexadecimal", HOW_TO_HASH)
            found.add(bytes.fromhex(words[0]))
    if not found:
        raise ConfigError(str(path), "it holds no key, so nobody could come in", HOW_TO_HASH)
    return frozenset(found)


HOW_TO_HASH = "a line is what `printf %s KEY | shasum -a 256` prints"

VARIABLES: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "LOCALCODE_HOST": ("host", _host),
    "LOCALCODE_PORT": ("port", _number(1, 65535, "for example 4242")),
    "LOCALCODE_CONFIG": ("config", _path),
    "LOCALCODE_WORKERS": ("workers", _number(1, 256, "1 is right for one machine's agents")),
    "LOCALCODE_WORKER_CLASS": ("worker_class", _one_of(WORKER_CLASSES, str.lower)),
    "LOCALCODE_LOG_LEVEL": ("log_level", _one_of(LOG_LEVELS, _level)),
    "LOCALCODE_LOG_FORMAT": ("log_format", _one_of(LOG_FORMATS, str.lower)),
    "LOCALCODE_HOME": ("home", _path),
    "LOCALCODE_STATE_URL": ("state_url", _state_url),
    "LOCALCODE_API_KEYS": ("api_keys", _keys),
    "LOCALCODE_CORS_ORIGINS": ("cors_origins", _origins),
    "LOCALCODE_INSECURE": ("insecure", _flag),
    "LOCALCODE_MAX_BODY_MB": ("max_body", _megabytes),
    "LOCALCODE_GRACEFUL_TIMEOUT": ("graceful_timeout", _number(0, 86400, "seconds, for example 30")),
}


def _misspelt(name: str) -> Iterator[Problem]:
    """A note on a variable that is none of ours and looks as if it were meant to be."""
    if name.startswith("LOCALCODE_") and name not in VARIABLES:
        for close in get_close_matches(name, VARIABLES, 1, 0.9):
            yield Problem(name, "there is no such setting", f"did you mean {close}?", fatal=False)
