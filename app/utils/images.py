"""Every URL in a request that somebody might fetch, and what becomes of it. Pure.

A client's URL is a door: whoever fetches it does so from inside the network. LiteLLM
fetches pictures itself for some providers, and so do local model servers. The rules:

    data:                       passes everywhere
    http(s)                     passes to a relayed target on a public host, which fetches it out there;
                                otherwise it is refused, or fetched by the gateway under guard where
                                the alias says `options.localcode.fetchImages` (pictures only)
    gs:                         passes to Gemini and Vertex: Google reads its own storage
    any other scheme, a path    refused everywhere: `file:` is read by local servers, and no provider
                                needs the rest

Base64 without `data:` and the ids of uploaded files are no URLs and pass.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from app.errors import BadRequest
from app.types import Body, Target
from app.utils.addresses import is_loopback
from app.utils.preview import preview

Path: TypeAlias = tuple[str | int, ...]
Fate: TypeAlias = Literal["pass", "fetch"]

OPTION = "options.localcode.fetchImages"

# Fields of content parts whose text is a URL, in the dialects that reach a chat body.
_ALWAYS = frozenset(
    {"url", "uri", "image_url", "video_url", "audio_url", "file_url", "file_uri", "fileUri", "document_url"}
)
# Fields that may be one, but are base64 or an id as a rule.
_PERHAPS = frozenset({"file_id", "file_data", "data", "image", "video", "audio", "source", "file"})

_IMAGE_KEYS = frozenset({"image_url", "image"})
_IMAGE_TYPES = frozenset({"image_url", "input_image", "image"})

# What a model or a search said: a URL in there is text, whatever it leads to. Of each type of item the
# fields that hold no more than that; everything else in it is looked into, for the client names the type.
_CALL = frozenset({"input", "arguments", "action"})
_ORIGIN = frozenset({"url", "source"})
_SAID: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use"), _CALL),
    **dict.fromkeys(("function_call", "custom_tool_call", "mcp_call", "mcp_approval_request"), _CALL),
    **dict.fromkeys(("web_search_call", "local_shell_call", "shell_call", "computer_call"), _CALL),
    **dict.fromkeys(("search_result", "web_search_result", "web_fetch_result"), _ORIGIN),
    **dict.fromkeys(("url_citation", "web_search_result_location", "search_result_location"), _ORIGIN),
}
_NOTHING: frozenset[str] = frozenset()

_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*):", re.IGNORECASE)
_BLANKS = re.compile(r"[\x00-\x20\x7f]+")

# Where the provider reads a scheme from its own storage.
_OWN_STORAGE: Mapping[str, frozenset[str]] = {"gs": frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})}

_LOCAL_NAMES = (".local", ".lan", ".internal", ".intranet", ".home", ".corp", ".home.arpa", ".localdomain")


@dataclass(frozen=True, slots=True)
class Place:
    """A URL in a body: where it stands, and whether it is a picture's."""

    path: Path
    url: str
    is_image: bool

    @property
    def name(self) -> str:
        """The path as an error's `param` shows it: `messages[0].content[1].image_url.url`."""
        first, *rest = self.path
        steps = (f"[{step}]" if isinstance(step, int) else f".{preview(step)}" for step in rest)
        return preview(str(first) + "".join(steps))


def to_fetch(body: Body, target: Target) -> list[Place]:
    """The pictures that the gateway has to fetch. Raises BadRequest for a URL that may not pass."""
    return [place for place in urls_in(body) if fate(place, target) == "fetch"]


def urls_in(body: Body) -> Iterator[Place]:
    """Every URL in the messages, those of tools' results included.

    Of Responses: in the input. Of Rerank: in query and documents.
    """
    messages = body.get("messages")
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            for key, value in message.items():
                if isinstance(value, dict | list) and key not in ("tool_calls", "function_call"):
                    yield from _within(value, ("messages", number, key), False)
    if isinstance(items := body.get("input"), list):
        yield from _within(items, ("input",), False)
    for key in ("query", "documents"):
        if isinstance(given := body.get(key), dict | list):
            yield from (place for place in _within(given, (key,), False) if not _is_data(place))


def _is_data(place: Place) -> bool:
    """Whether it only says where a document to be ranked comes from; parts of it are fetched, this is not."""
    return place.path[0] == "documents" and len(place.path) == 3 and place.path[-1] in ("url", "uri")


def _within(value: Any, path: Path, is_image: bool, field: str = "") -> Iterator[Place]:
    """The URLs in a value; `field` is the one that it stands in, in a list perhaps."""
    if isinstance(value, str):
        if field in _ALWAYS or (field in _PERHAPS and _looks_like_url(field, value)):
            yield Place(path, value, is_image)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _within(one, (*path, number), is_image, field)
    elif isinstance(value, dict):
        kind = value.get("type", field if field == "url_citation" else None)
        kind = kind if isinstance(kind, str) else ""
        said = _SAID.get(kind, _NOTHING)
        is_image = is_image or kind in _IMAGE_TYPES
        for key, one in value.items():
            if key not in said or (said is _ORIGIN and not isinstance(one, str)):
                yield from _within(one, (*path, key), is_image or key in _IMAGE_KEYS, key)


def _looks_like_url(key: str, text: str) -> bool:
    """Whether a text that is base64 or an id as a rule is a URL (or, for an id, a path) after all.

    Base64 may begin with slashes, and nothing opens a file for it.
    """
    text = _cleaned(text[:300])
    return bool(_SCHEME.match(text)) or (key == "file_id" and text[:1] in ("/", ".", "~", "\\"))


def fate(place: Place, target: Target) -> Fate:
    """What becomes of a URL on its way to a target. Raises BadRequest where it may not pass."""
    scheme = scheme_of(place.url)
    if scheme == "data" or target.mock_response is not None:
        return "pass"
    if target.litellm_provider in _OWN_STORAGE.get(scheme, ()):
        return "pass"
    if scheme not in ("http", "https"):
        what = f"a URL of scheme '{preview(scheme)}'" if scheme else "something that is no URL"
        raise _refused(place, f"holds {what}: only data: and http(s): are taken")
    if target.carrier == "relay" and not is_local(urlsplit(target.base_url).hostname or ""):
        return "pass"
    if not target.fetch_images:
        raise _refused(
            place,
            f"holds an http(s) URL, which would be fetched from inside the gateway's network: send the data "
            f"itself as a data: URL, or allow it for '{target.alias}' with {OPTION}",
        )
    if not place.is_image:
        raise _refused(
            place, f"holds the URL of something that is no picture, and {OPTION} is for pictures only"
        )
    return "fetch"


def scheme_of(url: str) -> str:
    """The scheme in lower case, whatever blanks and control characters hide it; "" where there is none."""
    found = _SCHEME.match(_cleaned(url[:300]))
    return found[1].lower() if found else ""


def _cleaned(text: str) -> str:
    """As lenient readers of URLs take it: without blanks and control characters."""
    return _BLANKS.sub("", text)


def is_local(host: str) -> bool:
    """Whether a host is this machine or in its own network, as far as the name tells."""
    host = host.strip("[]").lower().rstrip(".")
    if not host or is_loopback(host):
        return True
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)


def replaced(body: Body, found: Mapping[Path, str]) -> Body:
    """A new body with these texts at these places; what lies on no way to one is shared with the old."""
    made: Body = _replaced(body, found, ())
    return made


def _replaced(value: Any, found: Mapping[Path, str], path: Path) -> Any:
    if path in found:
        return found[path]
    if not any(one[: len(path)] == path for one in found):
        return value
    if isinstance(value, list):
        return [_replaced(one, found, (*path, number)) for number, one in enumerate(value)]
    return {key: _replaced(one, found, (*path, key)) for key, one in value.items()}


def _refused(place: Place, why: str) -> BadRequest:
    return BadRequest(f"'{place.name}' {why}", param=place.name, code="url_not_allowed")
