"""o200k, the vocabulary of OpenAI's models, counting texts for all the others too (`utils.tokens_families`).

tiktoken would fetch it; LiteLLM ships it, so it is read from there, without importing LiteLLM.
It takes 0.5 s and 50 MB, and so is loaded when the first count is asked for, and not before.

tiktoken releases the GIL, but a greenlet that encodes lets no other one run. So under gevent both
loading and encoding happen in threads of the system: a count of 80 kB would hold up all streams
of the worker for 15 ms.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.util import find_spec
from math import ceil
from typing import TypeAlias, TypeVar

from app.backends.recent import Recent

Encode: TypeAlias = Callable[[str], Sequence[object]]

NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""What tiktoken calls the file: the SHA-1 of the address it is published at."""
DIGEST = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""The SHA-256 that tiktoken expects of it."""

# How o200k cuts text before it looks for tokens (tiktoken_ext/openai_public.py).
PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

WHOLE = 4_000_000
"""Characters of a request that are counted in full, about a million tokens; of more, a sample."""
PIECES, PIECE = 64, 256
"""So many at most, none of them shorter: a token that is cut counts twice."""
TEXTS = 20_000
"""Counts that are remembered: tools and system prompts come again with every turn."""
SHORT = 64

T = TypeVar("T")


class Tokenizer:
    """Counts texts. Made without loading anything."""

    def __init__(self, load: Callable[[], Encode] | None = None) -> None:
        self._load = load or load_o200k
        self._loading = threading.Lock()
        self._encode: Encode | None = None
        self._counts: Recent[tuple[int, int], int] = Recent(TEXTS)

    @property
    def is_loaded(self) -> bool:
        return self._encode is not None

    def counts(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text. Raises OSError and ValueError where the vocabulary is not to be had."""
        encode = self._ready()
        share = min(1.0, WHOLE / max(1, sum(map(len, texts))))
        known = {text: self._counts.get(_key(text)) for text in texts}
        new = [text for text, count in known.items() if count is None]
        if new:
            found = beside(lambda: [_count(encode, text, share) for text in new])
            known.update(zip(new, found, strict=True))
            for text, count in zip(new, found, strict=True):
                if len(text) >= SHORT and share == 1.0:
                    self._counts.put(_key(text), count)
        return [known[text] or 0 for text in texts]

    def _ready(self) -> Encode:
        with self._loading:
            if self._encode is None:
                self._encode = beside(self._load)
            return self._encode


def _key(text: str) -> tuple[int, int]:
    """Instead of the text, of which nothing is kept."""
    return len(text), hash(text)


def _count(encode: Encode, text: str, share: float) -> int:
    """The tokens of a text, of which only a share is looked at, in pieces spread over it."""
    if share == 1.0:
        return len(encode(text))
    looked_at = max(1, int(len(text) * share))
    number = min(PIECES, ceil(looked_at / PIECE))
    size, step = looked_at // number, max(1, len(text) // number)
    pieces = [text[start : start + size] for start in range(0, len(text), step)]
    return round(sum(len(encode(piece)) for piece in pieces) * len(text) / sum(map(len, pieces)))


def beside(work: Callable[[], T]) -> T:
    """What `work` gives, done where it holds up no greenlet."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    done: T = importlib.import_module("gevent").get_hub().threadpool.apply(work)
    return done


def load_o200k() -> Encode:
    """The encoder, from LiteLLM's copy of the vocabulary. Raises OSError and ValueError."""
    spec = find_spec("litellm")
    folder = next(iter(spec.submodule_search_locations or ()), "") if spec else ""
    with open(os.path.join(folder, "litellm_core_utils", "tokenizers", NAME), "rb") as file:
        data = file.read()
    if sha256(data).hexdigest() != DIGEST:
        raise ValueError("the vocabulary that LiteLLM ships is another one than expected")
    ranks = {b64decode(token): int(rank) for token, rank in map(bytes.split, data.splitlines())}
    tiktoken = importlib.import_module("tiktoken")
    encoding = tiktoken.Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    encoding._mergeable_ranks = {}  # a third of the memory, kept for what is not done here
    encode: Encode = encoding.encode_ordinary
    return encode
