"""Control calls against a scripted HTTP: model lists in all shapes, refusals, and what must never be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from requests_mock import Mocker

from app.backends.probe import (
    Missing,
    NoAnswer,
    Unchecked,
    ids_of,
    list_models,
    missing_ids,
    probe,
    probe_all,
)
from app.types import Target

KEY = "sk-canary-key-0001"


def target(alias: str = "m", **values: Any) -> Target:
    given = {
        "provider": "p",
        "model": "wire-1",
        "base_url": "https://api.example/v1",
        "api_key": KEY,
    } | values
    return Target(alias=alias, **given)


@pytest.mark.parametrize(
    ("one", "address", "headers"),
    [
        pytest.param(
            target(), "https://api.example/v1/models", {"authorization": f"Bearer {KEY}"}, id="OpenAI"
        ),
        pytest.param(
            target(carrier="litellm", litellm_provider="gemini", base_url="https://g.example/v1beta"),
            "https://g.example/v1beta/models?pageSize=1000",
            {"x-goog-api-key": KEY},
            id="Gemini",
        ),
        pytest.param(
            target(carrier="litellm", litellm_provider="anthropic", base_url="https://a.example"),
            "https://a.example/v1/models?limit=1000",
            {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
            id="Anthropic",
        ),
        pytest.param(
            target(litellm_provider="cohere_chat", base_url="https://c.example/v2/chat"),
            "https://c.example/v1/models?page_size=1000",
            {"authorization": f"Bearer {KEY}"},
            id="Cohere",
        ),
        pytest.param(
            target(litellm_provider="ollama_chat", base_url="http://127.0.0.1:11434", api_key=""),
            "http://127.0.0.1:11434/api/tags",
            {},
            id="Ollama",
        ),
        pytest.param(
            target(headers={"Authorization": "Token own", "x-org": "1"}),
            "https://api.example/v1/models",
            {"authorization": "Token own", "x-org": "1"},
            id="headers of one's own",
        ),
    ],
)
def test_a_list_is_asked_for_as_the_provider_wants_it(
    requests_mock: Mocker, one: Target, address: str, headers: dict[str, str]
) -> None:
    requests_mock.get(address, json={"data": [{"id": "wire-1"}]})

    assert list_models(one) == ["wire-1"]
    sent = requests_mock.request_history[0]
    assert {name: sent.headers[name] for name in headers} == headers
    assert KEY not in sent.url
    assert ("authorization" in sent.headers) is ("authorization" in headers)


def test_keys_of_netrc_are_kept_out(
    requests_mock: Mocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.example login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    requests_mock.get("https://api.example/v1/models", json={"data": []})

    list_models(target())
    list_models(target(api_key=""))

    first, second = requests_mock.request_history
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in second.headers


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        ({"object": "list", "data": [{"id": "a"}, {"id": "b"}]}, ["a", "b"]),
        ({"models": [{"name": "models/gemini-3", "displayName": "x"}]}, ["models/gemini-3"]),
        ({"models": [{"name": "qwen:8b", "model": "qwen:8b"}], "data": [{"id": "qwen"}]}, ["qwen"]),
        ([{"id": "a"}, "b", {"object": "model"}, 5], ["a", "b"]),
        ({"data": []}, []),
        ({"data": {"id": "a"}}, None),
        ({"error": "x"}, None),
        ("a", None),
        (None, None),
    ],
)
def test_a_list_is_read_in_every_shape(answer: Any, ids: list[str] | None) -> None:
    assert ids_of(answer) == ids


@pytest.mark.parametrize(
    ("one", "reply", "why"),
    [
        (
            target(key_variable="MY_KEY"),
            {"status_code": 401, "text": KEY},
            "api.example refuses the key of MY_KEY (HTTP 401)",
        ),
        (target(), {"status_code": 403}, "api.example refuses the key (HTTP 403)"),
        (target(api_key=""), {"status_code": 401}, "api.example wants a key (HTTP 401)"),
        (target(), {"status_code": 404}, "has no model list there; is the base URL right? (HTTP 404)"),
        (target(), {"status_code": 500, "text": "<html>"}, "api.example gives no model list (HTTP 500)"),
        (target(), {"text": "<html>"}, "something that is not JSON"),
        (target(), {"text": "[" * 100_000}, "something that is not JSON"),
        (target(), {"json": {"ok": True}}, "something that is no model list"),
        (target(), {"content": b" " * (9 * 1024 * 1024)}, "too long"),
        (target(), {"exc": requests.ConnectionError(f"no {KEY}")}, "api.example cannot be reached"),
        (target(), {"exc": requests.ConnectTimeout}, "api.example does not answer in time"),
        (target(), {"exc": requests.exceptions.SSLError(KEY)}, "a TLS certificate that is not accepted"),
        (target(), {"exc": requests.exceptions.ProxyError(KEY)}, "through the proxy"),
        (target(), {"exc": requests.exceptions.InvalidHeader(KEY)}, "cannot be reached"),
    ],
)
def test_why_there_is_no_list_is_said_in_our_own_words(
    requests_mock: Mocker, one: Target, reply: dict[str, Any], why: str
) -> None:
    requests_mock.get("https://api.example/v1/models", **reply)

    with pytest.raises(NoAnswer) as caught:
        list_models(one)

    assert why in str(caught.value)
    assert KEY not in str(caught.value)


def test_another_path_of_the_same_host_is_followed(requests_mock: Mocker) -> None:
    requests_mock.get("https://api.example/v1/models", status_code=308, headers={"location": "/v1/models/"})
    requests_mock.get("https://api.example/v1/models/", json={"data": [{"id": "a"}]})

    assert list_models(target()) == ["a"]


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/v1/models",
        "http://api.example/v1/models",
        "//evil.example/",
        "https://api.example:444/",
    ],
)
def test_another_host_is_not_followed(requests_mock: Mocker, location: str) -> None:
    requests_mock.get("https://api.example/v1/models", status_code=302, headers={"location": location})

    with pytest.raises(NoAnswer, match="not followed"):
        list_models(target())

    assert len(requests_mock.request_history) == 1


def test_going_round_in_circles_ends(requests_mock: Mocker) -> None:
    requests_mock.get("https://api.example/v1/models", status_code=302, headers={"location": "/v1/models"})

    with pytest.raises(NoAnswer, match="without end"):
        list_models(target())


@pytest.mark.parametrize("provider", ["bedrock", "vertex_ai", "azure"])
def test_a_cloud_has_no_list_to_ask_for(provider: str) -> None:
    with pytest.raises(NoAnswer, match=f"{provider} has no model list"):
        list_models(target(carrier="litellm", litellm_provider=provider, base_url=""))


def test_the_proxy_of_the_environment_is_not_asked_for_this_machine(
    requests_mock: Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    for base in ("http://127.0.0.1:8080/v1", "https://api.example/v1"):
        requests_mock.get(f"{base}/models", json={"data": []})
        list_models(target(base_url=base))

    local, remote = requests_mock.request_history
    assert not local.proxies
    assert remote.proxies["https"] == "http://proxy.example:3128"


# --- probe


def test_a_probe_says_whether_a_target_answers_and_how_fast(requests_mock: Mocker) -> None:
    requests_mock.get("https://api.example/v1/models", json={"data": []})

    result = probe(target())

    assert result.ok
    assert result.why is None
    assert result.latency_ms is not None


def test_a_probe_says_why_a_target_does_not_answer(requests_mock: Mocker) -> None:
    requests_mock.get("https://api.example/v1/models", status_code=503)

    assert probe(target()).why == "api.example gives no model list (HTTP 503)"


def test_what_cannot_be_called_is_not_asked(requests_mock: Mocker) -> None:
    assert probe(target(unavailable="K is not set")).why == "K is not set"
    assert probe(target(mock_response="hi", base_url="")).ok
    assert requests_mock.request_history == []


def test_all_targets_are_probed_and_each_list_is_asked_for_once(requests_mock: Mocker) -> None:
    requests_mock.get("https://api.example/v1/models", json={"data": []})
    requests_mock.get("https://other.example/v1/models", status_code=500)
    targets = {
        "a": target("a"),
        "b": target("b"),
        "other": target("other", base_url="https://other.example/v1"),
        "another key": target("another key", api_key="sk-another-0001"),
        "off": target("off", unavailable="K is not set"),
    }

    found = probe_all(targets)

    assert list(found) == list(targets)
    assert [found[alias]["reachable"] for alias in targets] == [True, True, False, True, False]
    assert found["other"]["why"] == "other.example gives no model list (HTTP 500)"
    assert "latency_ms" in found["a"]
    assert len(requests_mock.request_history) == 3
    assert probe_all({}) == {}


# --- check --online


def test_wire_ids_that_are_gone_are_named_with_those_like_them(requests_mock: Mocker) -> None:
    requests_mock.get(
        "https://api.example/v1/models", json={"data": [{"id": "glm-5.1"}, {"id": "glm-5"}, {"id": "x"}]}
    )
    requests_mock.get(
        "https://g.example/v1beta/models?pageSize=1000", json={"models": [{"name": "models/gemini-3"}]}
    )
    gemini = {"litellm_provider": "gemini", "carrier": "litellm", "base_url": "https://g.example/v1beta"}
    targets = {
        "old": target("old", model="glm-4.7"),
        "new": target("new", model="glm-5"),
        "gemini": target("gemini", model="gemini-3", **gemini),
        "gone": target("gone", model="gemini-2", **gemini),
        "echo": target("echo", mock_response="hi", base_url=""),
        "off": target("off", unavailable="K is not set"),
    }

    found = missing_ids(targets)

    assert found.missing == (
        Missing("old", "glm-4.7", ("glm-5.1", "glm-5")),
        Missing("gone", "gemini-2", ("gemini-3",)),
    )
    assert (found.unchecked, found.checked) == ((), 4)


def test_a_list_that_cannot_be_had_is_said_once(requests_mock: Mocker) -> None:
    requests_mock.get("https://api.example/v1/models", exc=requests.ConnectTimeout)

    found = missing_ids({"a": target("a"), "b": target("b")})

    assert found.unchecked == (Unchecked(("a", "b"), "api.example does not answer in time"),)
    assert (found.missing, found.checked) == ((), 0)


@pytest.mark.parametrize(
    ("base", "ids", "gone"),
    [
        ("http://127.0.0.1:8080/v1", ["/models/x.gguf"], False),
        ("http://127.0.0.1:8080/v1", ["x", "y"], True),
        ("https://api.example/v1", ["x"], True),
    ],
)
def test_a_llama_server_with_one_model_answers_to_any_name(
    requests_mock: Mocker, base: str, ids: list[str], gone: bool
) -> None:
    requests_mock.get(f"{base}/models", json={"data": [{"id": name} for name in ids]})

    assert bool(missing_ids({"a": target("a", base_url=base)}).missing) is gone
