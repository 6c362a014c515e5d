"""Rankings as Jina and llama-server write them down (pure): what holds the words of the query comes first."""

from __future__ import annotations

from typing import Any

from tests.upstream.chat import UNKNOWN, Json, Shape, Turn


def answer(turn: Turn, shape: Shape, asked: Json) -> Json:
    documents, more = asked["documents"], UNKNOWN if shape.unknown else {}
    results: list[Json] = [
        {"index": index, "relevance_score": score(asked["query"], document)} | more
        for index, document in enumerate(documents)
    ]
    results.sort(key=lambda one: -one["relevance_score"])
    results = results[: asked.get("top_n") or len(results)]
    if asked.get("return_documents"):
        results = [one | {"document": {"text": text_of(documents[one["index"]])}} for one in results]
    said: Json = {"model": shape.model, "object": "list", "results": results}
    if shape.usage != "never":
        said["usage"] = {"prompt_tokens": 7, "total_tokens": 7} | more
    return said | more


def score(query: str, document: Any) -> float:
    words = query.split()
    return sum(word in text_of(document).split() for word in words) / len(words)


def text_of(document: Any) -> str:
    return document if isinstance(document, str) else str(document.get("text", ""))
