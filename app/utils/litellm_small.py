"""How embeddings, rankings and texts to complete are put to LiteLLM, and what its answers are worth. Pure.

An OpenAI-compatible target is sent the body as it is, as far as LiteLLM has a way for that: for
rankings it has a list of fields. All other providers are asked by name, from lists of what may
be asked: an unknown keyword could be an order to LiteLLM itself.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

from app.types import Answer, Body, DialectName, Target
from app.utils.chat_request import is_control
from app.utils.litellm_request import NO_KEY, Ask, addressed

_OTHER_NAMES = {"cohere_chat": "cohere", "ollama_chat": "ollama"}
"""LiteLLM's providers whose name stands for their chat alone."""

_EMBEDDING_FIELDS = frozenset({"input", "dimensions", "input_type", "task_type", "title", "truncate"})
_RERANK_FIELDS = frozenset(
    {"query", "documents", "top_n", "rank_fields", "return_documents", "max_chunks_per_doc"}
    | {"max_tokens_per_doc", "instruction"}
)
_VLLM_FIELDS = frozenset({"truncate_prompt_tokens", "truncation_side", "max_tokens_per_query"})
_BOOKKEEPING = frozenset({"user"})
"""Goes where the provider has it, and is no reason to refuse anything."""

_KNOW_OPENAI = frozenset({"azure"})
"""Providers that take OpenAI's `encoding_format` and `user`."""


def asked(wire: DialectName, body: Body, target: Target, via: str) -> Ask:
    """How a request of one of the small APIs is put to LiteLLM."""
    if wire == "rerank":
        return _ranking(body, target, via)
    if target.litellm_provider is None:
        return _as_it_is(wire, body, target, via)
    return _embedding(body, target, via)


def _as_it_is(wire: DialectName, body: Body, target: Target, via: str) -> Ask:
    """For an OpenAI-compatible target: `extra_body` overrides what LiteLLM makes of the named fields."""
    fields = {
        key: value for key, value in body.items() if key not in ("model", "stream") and not is_control(key)
    }
    ignored = tuple(key for key in body if is_control(key))
    words = {**addressed(target, via), "api_key": target.api_key or NO_KEY, "extra_body": fields}
    if wire == "embeddings":
        # Else the OpenAI SDK asks for base64, whatever the client wants.
        words |= {"input": ["-"], "encoding_format": "float"}
        return Ask("embedding", words, ignored)
    # Else ids of OpenAI's chat models are asked by chat.
    words |= {"model": f"text-completion-openai/{target.model}", "prompt": "-"}
    return Ask("text_completion", words | ({"stream": True} if body.get("stream") else {}), ignored)


def _embedding(body: Body, target: Target, via: str) -> Ask:
    provider = target.litellm_provider or ""
    kept, ignored = _sorted(body, _EMBEDDING_FIELDS)
    if provider in _KNOW_OPENAI:
        kept |= {"encoding_format": "float"} | {key: body[key] for key in _BOOKKEEPING if body.get(key)}
    words = {**_named(target, via), **kept}
    if "api_base" in words and provider == "cohere_chat":
        words["api_base"] = f"{words['api_base'].removesuffix('/chat')}/embed"
    # Bedrock's Titan is asked once for each text.
    texts = len(body["input"]) if provider == "bedrock" and isinstance(body["input"], list) else 1
    return Ask("embedding", words, ignored, texts)


def _ranking(body: Body, target: Target, via: str) -> Ask:
    compatible = target.litellm_provider is None
    kept, ignored = _sorted(body, _RERANK_FIELDS | (_VLLM_FIELDS if compatible else frozenset()))
    words = {"return_documents": None, **_named(target, via), **kept}  # LiteLLM's default is true
    words["headers"] = words["extra_headers"]  # here it looks for them under this name only
    if compatible:
        words |= {"model": f"hosted_vllm/{target.model}", "api_key": target.api_key or NO_KEY}
    elif "api_base" in words and target.litellm_provider == "cohere_chat":
        words["api_base"] = _root(words["api_base"])
    return Ask("rerank", words, ignored)


def _named(target: Target, via: str) -> dict[str, Any]:
    provider = target.litellm_provider or ""
    return {**addressed(target, via), "model": f"{_OTHER_NAMES.get(provider, provider)}/{target.model}"}


def _sorted(body: Body, known: frozenset[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields that go by name, and the names of those that go nowhere."""
    kept = {key: value for key, value in body.items() if key in known and value is not None}
    asked_for_otherwise = {"model", "encoding_format"}
    return kept, tuple(key for key in body if key not in known and key not in asked_for_otherwise)


def _root(base: str) -> str:
    """Cohere's address without the version and path of its chat."""
    return base.removesuffix("/chat").removesuffix("/v1").removesuffix("/v2")


# ─── answers ─────────────────────────────────────────────────────────────────────────────────────


def answered(wire: DialectName, translated: Answer, raw: Any, body: Body) -> Answer:
    """A provider's answer where it has the client's shape, else LiteLLM's without what it made up."""
    return _vectors(translated, raw, body) if wire == "embeddings" else _ranked(translated, raw)


def _vectors(translated: Answer, raw: Any, body: Body) -> Answer:
    own = isinstance(raw, dict) and isinstance(raw.get("data"), list)
    data = raw["data"] if own else translated.get("data") or ()
    packed = body.get("encoding_format") == "base64"
    vectors = [{**one, "embedding": _as_asked(one.get("embedding"), packed)} for one in data]
    if own:
        return {**raw, "data": vectors}
    usage = translated.get("usage") or {}
    told = {key: usage.get(key) for key in ("prompt_tokens", "total_tokens")} if _counts(raw) else None
    return {"object": "list", "data": vectors, **({"usage": told} if told else {})}


def _as_asked(vector: Any, packed: bool) -> Any:
    """A vector in the form that the client asked for: only some providers know base64."""
    if packed and isinstance(vector, list):
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    if not packed and isinstance(vector, str):
        data = b64decode(vector)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    return vector


def _ranked(translated: Answer, raw: Any) -> Answer:
    """LiteLLM makes up an id, and bills tokens as searches."""
    if not isinstance(raw, dict) or isinstance(raw.get("results"), list):
        return raw if isinstance(raw, dict) else {"results": translated.get("results")}
    told = {key: raw[key] for key in ("id", "usage", "meta") if key in raw}
    return {**told, "results": translated.get("results")}


def _counts(raw: Any) -> bool:
    """Whether a provider's JSON tells how many tokens it read; else LiteLLM counts them itself."""
    return any("token" in key.lower() or "eval_count" in key for key in _keys(raw))


def _keys(value: Any) -> Iterator[str]:
    """The names of all fields. Vectors are not looked through: they are long."""
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        for one in value:
            yield from _keys(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _keys(one)
