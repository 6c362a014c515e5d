"""Values that a client carries for the gateway and cannot read, change or pass to somebody else.

A Responses client that keeps nothing here is given its reasoning sealed, and brings it back. The key is the
gateway's own: a file below LOCALCODE_HOME, or, where several machines share their state, one that they
agree on there. The cipher is loaded with the first value.
"""

from __future__ import annotations

import logging
import os
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from app.backends.state_store import FOR_EVER, Room, Store
from app.utils.codec import dumps, loads
from app.utils.responses_ids import SEALED

KEY_BYTES = 32
NONCE_BYTES = 12

Key: TypeAlias = Callable[[], bytes | None]

KEYS = Room("keys", most_rows=16, most_bytes=4096, seconds=FOR_EVER)

_log = logging.getLogger(__name__)


class Sealer:
    """Seals with the first of its keys that can be had, and opens with any of them."""

    def __init__(self, *keys: Key) -> None:
        self._keys = keys
        self._ciphers: dict[Key, Any] = {}

    @classmethod
    def of(cls, home: Path, store: Store) -> Sealer:
        """The gateway's sealer. While a shared store cannot be reached, this machine's key will do."""
        own = partial(key_in_file, home / "seal.key")
        return cls(partial(key_in_store, store), own) if store.shared else cls(own)

    def seal(self, value: dict[str, Any], owner: str = "") -> str:
        """The value as a text that only this gateway can open, and only for the same owner."""
        nonce = os.urandom(NONCE_BYTES)
        packed = zlib.compress(dumps(value), 1)
        sealed = next(self._ready()).encrypt(nonce, packed, _bound_to(owner))
        return SEALED + urlsafe_b64encode(nonce + sealed).decode()

    def open(self, text: Any, owner: str = "") -> dict[str, Any] | None:
        """What was sealed for this owner; None for anything else, whatever it is."""
        if not isinstance(text, str) or not text.startswith(SEALED):
            return None
        for cipher in self._ready():
            try:
                raw = urlsafe_b64decode(text[len(SEALED) :])
                packed = cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(owner))
            except Exception:  # no Base64, cut, changed, somebody else's: each has an error of its own
                continue
            return dict(loads(zlib.decompress(packed)))  # ours, for nobody else has the key
        return None

    def _ready(self) -> Iterator[Any]:
        """The ciphers of the keys that can be had."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        for key in self._keys:
            if key not in self._ciphers and (found := key()) is not None:
                self._ciphers[key] = AESGCM(found)
            if key in self._ciphers:
                yield self._ciphers[key]


def _bound_to(owner: str) -> bytes:
    return f"{SEALED}{owner}".encode()


def key_in_store(store: Store) -> bytes | None:
    """The key that all who share the store use; None while it cannot be asked."""
    return store.agree(KEYS, "seal", os.urandom(KEY_BYTES))


def key_in_file(path: Path) -> bytes:
    """The key in the file, which is made if it is not there; all who make it at once get the same.

    Where no file can be, a key for this process alone.
    """
    try:
        key = _made_once(path)
        if len(key) == KEY_BYTES:
            return key
        _log.warning("%s holds no key: it is replaced, and what was sealed before cannot be opened", path)
        os.unlink(path)
        return _made_once(path)
    except OSError as problem:
        _log.warning("%s cannot be used (%s): what is sealed now is lost with this process", path, problem)
        return os.urandom(KEY_BYTES)


def _made_once(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            _write(fresh, os.urandom(KEY_BYTES))
            os.link(fresh, path)  # whole or not at all, and only one of several succeeds
        except FileExistsError:
            pass
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_bytes()


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
