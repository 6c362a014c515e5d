"""No URL of a client's is followed behind anybody's back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from app.errors import BadRequest
from app.types import Target
from app.utils.images import is_local, replaced, to_fetch, urls_in

DATA = "data:image/png;base64,aGVsbG8="
HTTP = "http://example.com/a.png"

RELAY = Target("alias", "p", "m", "https://api.example.com/v1")
LOCAL = Target("alias", "p", "m", "http://127.0.0.1:8080/v1")
GEMINI = Target("alias", "p", "m", carrier="litellm", litellm_provider="gemini")
MOCK = Target("alias", "p", "m", carrier="fixed", mock_response="Hi")
FETCHING = Target("alias", "p", "m", carrier="litellm", litellm_provider="gemini", fetch_images=True)
FETCHING_LOCAL = Target("alias", "p", "m", "http://10.0.0.5/v1", fetch_images=True)


def saying(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {
        "model": "m",
        "messages": [{"role": "system", "content": "Hi"}, {"role": role, "content": list(parts)}],
    }


def picture(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"type": "image_url", "image_url": {"url": HTTP, "detail": "low"}}, "image_url.url"),
        ({"type": "image_url", "image_url": HTTP}, "image_url"),
        ({"type": "input_image", "image_url": HTTP}, "image_url"),
        ({"type": "input_image", "file_id": HTTP}, "file_id"),
        ({"type": "image", "source": {"type": "url", "url": HTTP}}, "source.url"),
        ({"type": "image", "image": HTTP}, "image"),
        ({"type": "document", "source": {"type": "url", "url": HTTP}}, "source.url"),
        ({"type": "file", "file": {"file_id": HTTP}}, "file.file_id"),
        ({"type": "file", "file": {"file_data": HTTP}}, "file.file_data"),
        ({"type": "input_file", "file_url": HTTP}, "file_url"),
        ({"type": "video_url", "video_url": {"url": HTTP}}, "video_url.url"),
        ({"type": "audio_url", "audio_url": {"url": HTTP}}, "audio_url.url"),
        ({"type": "input_audio", "input_audio": {"data": HTTP, "format": "wav"}}, "input_audio.data"),
        ({"type": "never_heard_of", "deep": [{"er": {"url": HTTP}}]}, "deep[0].er.url"),
        ({"fileData": {"fileUri": HTTP}}, "fileData.fileUri"),
        ({"type": "tool_result", "content": [picture(HTTP)]}, "content[0].image_url.url"),
    ],
)
@pytest.mark.parametrize("role", ["user", "tool", "assistant"])
def test_a_url_is_found_in_every_kind_of_part(part: dict[str, Any], where: str, role: str) -> None:
    found = list(urls_in(saying({"type": "text", "text": f"see {HTTP}"}, part, role=role)))

    assert [place.url for place in found] == [HTTP]
    assert found[0].name == f"messages[1].content[1].{where}"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "file:///etc/passwd"},
        {"type": "file", "file": {"file_id": "file-abc123"}},
        {"type": "file", "file": {"file_data": "aGVsbG8="}},
        {"type": "input_audio", "input_audio": {"data": "/9j/4AAQSkZJRgABAQ==", "format": "wav"}},
        {"type": "image", "source": {"type": "base64", "data": "//uQxAAAAA=="}},
    ],
    ids=["text", "file id", "base64", "base64 with a slash first", "base64 with two"],
)
def test_text_ids_and_base64_are_no_urls(part: dict[str, Any]) -> None:
    assert to_fetch(saying(part), GEMINI) == []


@pytest.mark.parametrize("target", [RELAY, LOCAL, GEMINI, MOCK, FETCHING])
def test_data_passes_everywhere(target: Target) -> None:
    assert to_fetch(saying(picture(DATA), picture("DATA:image/gif;base64,R0lG")), target) == []


@pytest.mark.parametrize("target", [RELAY, MOCK])
def test_http_passes_where_nobody_inside_fetches_it(target: Target) -> None:
    assert to_fetch(saying(picture(HTTP)), target) == []


@pytest.mark.parametrize(
    "target", [LOCAL, GEMINI, Target("alias", "p", "m", "https://api.example.com", carrier="litellm")]
)
def test_http_is_refused_where_somebody_inside_would_fetch_it(target: Target) -> None:
    with pytest.raises(BadRequest, match=r"options\.localcode\.fetchImages") as caught:
        to_fetch(saying(picture(HTTP)), target)

    assert caught.value.param == "messages[1].content[0].image_url.url"
    assert HTTP not in str(caught.value)


@pytest.mark.parametrize("target", [FETCHING, FETCHING_LOCAL])
def test_http_is_fetched_where_the_alias_allows_it(target: Target) -> None:
    found = to_fetch(saying(picture(DATA), picture(HTTP), {"type": "image", "image": HTTP}), target)

    assert [place.path for place in found] == [
        ("messages", 1, "content", 1, "image_url", "url"),
        ("messages", 1, "content", 2, "image"),
    ]


def test_only_pictures_are_fetched() -> None:
    with pytest.raises(BadRequest, match="no picture"):
        to_fetch(saying({"type": "video_url", "video_url": {"url": HTTP}}), FETCHING)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        " FILE:///etc/passwd",
        "fi\tle:///etc/passwd",
        "ftp://example.com/a.png",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "s3://bucket/a.png",
        "javascript:alert(1)",
        "/etc/passwd",
        "//127.0.0.1/a.png",
        "../a.png",
        "a.png",
        "",
    ],
)
@pytest.mark.parametrize("target", [RELAY, LOCAL, GEMINI, FETCHING])
def test_other_schemes_and_paths_are_refused_everywhere(url: str, target: Target) -> None:
    with pytest.raises(BadRequest):
        to_fetch(saying(picture(url)), target)


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("file_id", "file:///etc/passwd"),
        ("file_id", "/etc/passwd"),
        ("file_id", "../../etc/passwd"),
        ("file_data", "file:///etc/passwd"),
    ],
)
def test_a_path_in_a_file_s_place_is_refused(url: str, field: str) -> None:
    with pytest.raises(BadRequest):
        to_fetch(saying({"type": "file", "file": {field: url}}), GEMINI)


def test_google_reads_its_own_storage_and_nobody_else_does() -> None:
    assert to_fetch(saying(picture("gs://bucket/a.png")), GEMINI) == []
    with pytest.raises(BadRequest, match="'gs'"):
        to_fetch(saying(picture("gs://bucket/a.png")), RELAY)


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": None}, {"messages": ["Hi", None]}, {"messages": [{"role": "user", "content": None}]}],
)
def test_odd_bodies_hold_no_urls(body: dict[str, Any]) -> None:
    assert list(urls_in(body)) == []


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param({"documents": [{"image": HTTP}]}, ["documents[0].image"], id="a picture to be ranked"),
        pytest.param(
            {"documents": ["a", {"content": [{"type": "image_url", "image_url": {"url": HTTP}}]}]},
            ["documents[1].content[0].image_url.url"],
            id="a part of a document",
        ),
        pytest.param({"query": {"image": HTTP}}, ["query.image"], id="a picture that asks"),
        pytest.param({"documents": [{"text": "a", "url": HTTP}]}, [], id="where a document comes from"),
        pytest.param({"query": HTTP, "documents": [HTTP]}, [], id="texts"),
        pytest.param({"prompt": HTTP, "input": [HTTP]}, [], id="texts of the other small APIs"),
    ],
)
def test_the_pictures_of_a_ranking_are_found_and_what_is_only_said_is_not(
    body: dict[str, Any], names: list[str]
) -> None:
    assert [place.name for place in urls_in(body)] == names


def test_the_arguments_of_tool_calls_are_not_read() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"url": "file:///x"}}}

    assert list(urls_in({"messages": [{"role": "assistant", "tool_calls": [call]}]})) == []


IMAGE = {"type": "image", "source": {"type": "url", "url": HTTP}}
NAMED = [
    "tool_use",
    "server_tool_use",
    "mcp_tool_use",
    "search_result",
    "web_search_result",
    "web_fetch_result",
    "url_citation",
    "web_search_result_location",
    "function_call",
    "custom_tool_call",
    "web_search_call",
    "local_shell_call",
    "mcp_call",
    "reasoning",
    "thinking",
]


@pytest.mark.parametrize("kind", NAMED)
def test_no_type_that_a_client_names_hides_a_picture(kind: str) -> None:
    body = saying({"type": kind, "content": [IMAGE]}, {"type": kind, "image_url": {"url": HTTP}})

    assert [place.name for place in urls_in(body)] == [
        "messages[1].content[0].content[0].source.url",
        "messages[1].content[1].image_url.url",
    ]


@pytest.mark.parametrize(
    "part",
    [
        {
            "type": "tool_use",
            "id": "t",
            "name": "fetch",
            "input": {"url": HTTP, "image": {"url": "file:///x"}},
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"url": HTTP}},
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": {"url": HTTP}},
        {"type": "mcp_call", "name": "f", "arguments": {"uri": HTTP}, "output": HTTP},
        {"type": "web_search_call", "action": {"type": "open_page", "url": HTTP}},
        {"type": "search_result", "source": HTTP, "title": "t", "content": [{"type": "text", "text": HTTP}]},
        {"type": "web_search_tool_result", "content": [{"type": "web_search_result", "url": HTTP}]},
        {"type": "text", "text": "a", "citations": [{"type": "web_search_result_location", "url": HTTP}]},
        {"type": "output_text", "text": "a", "annotations": [{"type": "url_citation", "url": HTTP}]},
        {"type": "text", "annotations": [{"type": "url_citation", "url_citation": {"url": HTTP}}]},
    ],
    ids=lambda part: part["type"],
)
def test_what_a_model_or_a_search_said_is_text(part: dict[str, Any]) -> None:
    assert list(urls_in(saying(part))) == []


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"type": "image_url", "image_url": [HTTP]}, "image_url[0]"),
        ({"type": "image_url", "image_url": {"url": [[HTTP]]}}, "image_url.url[0][0]"),
        ({"type": "search_result", "source": {"type": "url", "url": HTTP}}, "source.url"),
        ({"type": ["image"], "image_url": HTTP}, "image_url"),
        ({"type": {}, "image_url": HTTP}, "image_url"),
        ({"type": None, "source": {"type": [], "url": HTTP}}, "source.url"),
    ],
    ids=repr,
)
def test_neither_lists_nor_odd_types_hide_a_url(part: dict[str, Any], where: str) -> None:
    found = list(urls_in(saying(part)))

    assert [place.name for place in found] == [f"messages[1].content[0].{where}"]


def test_a_place_s_name_is_short_whatever_its_fields_are_called() -> None:
    body = saying({"x" * 10_000: {"url": "file:///x"}})

    assert len(next(urls_in(body)).name) < 200


def test_a_replaced_body_is_new_and_shares_what_did_not_change() -> None:
    body = saying({"type": "text", "text": "Hi"}, picture(HTTP))
    before = copy.deepcopy(body)

    made = replaced(body, {("messages", 1, "content", 1, "image_url", "url"): DATA})

    assert body == before
    assert made["messages"][1]["content"][1]["image_url"]["url"] == DATA
    assert made["messages"][0] is body["messages"][0]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("api.example.com", False),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("10.1.2.3", True),
        ("192.168.1.5", True),
        ("100.64.0.1", True),
        ("169.254.169.254", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("llama", True),
        ("box.local", True),
        ("gpu.lan.", True),
        ("", True),
    ],
)
def test_a_host_is_local_as_far_as_its_name_tells(host: str, local: bool) -> None:
    assert is_local(host) is local
