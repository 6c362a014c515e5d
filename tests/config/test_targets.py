"""What a wish comes to: carrier, address, key, headers, limits, and what is missing or wrong with each."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest

from app.config.catalog import needs_litellm
from app.types import Harmony, Reasoning, Retries, Timeouts
from tests.config.conftest import BASE, One, Read, v1

# --- packages


@pytest.mark.parametrize(
    ("npm", "carrier", "litellm", "dialects", "base"),
    [
        ("@ai-sdk/openai-compatible", "relay", None, {"chat"}, "https://x.example/v1"),
        (None, "relay", None, {"chat"}, "https://x.example/v1"),
        ("@ai-sdk/openai", "relay", None, {"chat", "responses"}, "https://x.example/v1"),
        ("@ai-sdk/anthropic", "litellm", "anthropic", {"messages"}, "https://x.example"),
        ("@ai-sdk/google", "litellm", "gemini", set(), "https://x.example/v1"),
        ("@ai-sdk/groq", "litellm", "groq", {"chat"}, "https://x.example/v1"),
        ("@ai-sdk/cohere", "litellm", "cohere_chat", set(), "https://x.example/v1/chat"),
        ("@openrouter/ai-sdk-provider", "litellm", "openrouter", {"chat"}, "https://x.example/v1"),
    ],
)
def test_the_package_decides_the_carrier_and_the_dialects(
    one: One, npm: str | None, carrier: str, litellm: str | None, dialects: set[str], base: str
) -> None:
    package = {"npm": npm} if npm else {}
    target = one({}, options={"baseURL": "https://x.example/v1", "apiKey": "k" * 20}, **package)

    assert (target.carrier, target.litellm_provider, set(target.dialects)) == (carrier, litellm, dialects)
    assert target.base_url == base


@pytest.mark.parametrize(
    ("provider", "npm", "base"),
    [
        ("p", "@ai-sdk/openai", "https://api.openai.com/v1"),
        ("p", "@ai-sdk/anthropic", "https://api.anthropic.com"),
        ("p", "@ai-sdk/google", "https://generativelanguage.googleapis.com/v1beta"),
        ("openai", None, "https://api.openai.com/v1"),
        ("google", None, "https://generativelanguage.googleapis.com/v1beta"),
        ("opencode", None, "https://opencode.ai/zen/v1"),
        ("zai", None, "https://api.z.ai/api/paas/v4"),
        ("zai-coding-plan", None, "https://api.z.ai/api/coding/paas/v4"),
        ("openrouter", None, "https://openrouter.ai/api/v1"),
        ("minimax", None, "https://api.minimax.io/anthropic"),
        ("lmstudio", None, "http://127.0.0.1:1234/v1"),
    ],
)
def test_well_known_packages_and_providers_need_no_address(
    one: One, provider: str, npm: str | None, base: str
) -> None:
    target = one({}, provider_id=provider, options={"apiKey": "k" * 20}, **({"npm": npm} if npm else {}))

    assert target.base_url == base


@pytest.mark.parametrize(
    ("provider", "model", "base"),
    [
        pytest.param({"api": "https://api.example/a"}, {}, "https://api.example/a", id="api"),
        pytest.param(
            {"api": "https://api.example/a", "options": {"baseURL": ""}},
            {},
            "https://api.example/a",
            id="an empty baseURL is none",
        ),
        pytest.param(
            {"api": "https://api.example/a", "options": {"baseURL": "https://api.example/b"}},
            {},
            "https://api.example/b",
            id="baseURL before api",
        ),
        pytest.param(
            {"api": "https://api.example/a"},
            {"provider": {"api": "https://api.example/m"}},
            "https://api.example/m",
            id="the model's own api",
        ),
        pytest.param(
            {"options": {"baseURL": "https://${HOST}/v1"}}, {}, "https://h.example/v1", id="${NAME}"
        ),
    ],
)
def test_the_base_url_is_found_as_in_opencode(
    one: One, provider: dict[str, Any], model: dict[str, Any], base: str
) -> None:
    assert one(model, {"HOST": "h.example"}, **({"options": {}} | provider)).base_url == base


def test_a_model_may_have_a_package_of_its_own(one: One) -> None:
    target = one({"provider": {"npm": "@ai-sdk/anthropic"}}, options={"apiKey": "k" * 20})

    assert (target.carrier, target.litellm_provider) == ("litellm", "anthropic")


@pytest.mark.parametrize(
    ("base", "message"),
    [
        pytest.param("", "missing", id="empty"),
        pytest.param("{env:NOWHERE}", "NOWHERE is not set", id="an unset variable"),
        pytest.param("https://${NOWHERE}/v1", "NOWHERE is not set", id="an unset ${NAME}"),
        pytest.param("api.example/v1", "no http", id="no scheme"),
        pytest.param("ftp://api.example/v1", "no http", id="another scheme"),
        pytest.param("https:///v1", "no http", id="no host"),
        pytest.param("https://api example/v1", "no address", id="a blank"),
        pytest.param("https://[::1/v1", "no address", id="a bracket"),
        pytest.param("https://h:99999/v1", "no address", id="a port that is none"),
        pytest.param("https://me:secret123@h/v1", "a user or a password", id="a password"),
        pytest.param("https://h/v1?api-version=1", "a query", id="a query"),
        pytest.param("https://h/v1/chat/completions", "one endpoint", id="an endpoint"),
    ],
)
def test_a_base_url_that_is_none_is_a_problem_with_its_place(read: Read, base: str, message: str) -> None:
    catalog = read(v1(options={"baseURL": base}))

    [problem] = catalog.problems
    assert catalog.targets["m"].unavailable == "its entry is wrong: provider.p.options.baseURL"
    assert problem.place == "provider.p.options.baseURL"
    assert message in problem.message
    assert problem.mend
    assert problem.fatal
    assert "secret123" not in repr(problem)


def test_a_variable_that_holds_no_key_is_named_and_not_what_it_holds(read: Read) -> None:
    catalog = read(v1(env=["P_KEY"]), {"P_KEY": "no key"})

    assert catalog.targets["m"].unavailable == "P_KEY is wrong"
    assert [problem.place for problem in catalog.problems] == ["P_KEY"]


def test_an_unknown_package_is_a_problem_that_says_what_to_do(read: Read) -> None:
    catalog = read(v1(npm="@ai-sdk/gogle"))

    [problem] = catalog.problems
    assert problem.place == "provider.p"
    assert "close: @ai-sdk/google" in problem.message
    assert "litellmProvider" in problem.mend


@pytest.mark.parametrize(
    ("provider", "ours", "expected"),
    [
        pytest.param(
            {}, {"carrier": "litellm"}, ("litellm", None, "https://api.example/v1"), id="through LiteLLM"
        ),
        pytest.param(
            {"npm": "@ai-sdk/groq", "options": {}},
            {"carrier": "relay"},
            ("relay", None, "https://api.groq.com/openai/v1"),
            id="relayed at its own base",
        ),
        pytest.param(
            {"npm": "@ai-sdk/google", "options": {}},
            {"carrier": "relay"},
            ("relay", None, "https://generativelanguage.googleapis.com/v1beta/openai"),
            id="at its compatible base",
        ),
        pytest.param(
            {"npm": "a-plugin"},
            {"carrier": "relay"},
            ("relay", None, "https://api.example/v1"),
            id="any package",
        ),
        pytest.param(
            {"npm": "a-plugin"},
            {"litellmProvider": "ollama_chat"},
            ("litellm", "ollama_chat", "https://api.example/v1"),
            id="any provider of LiteLLM",
        ),
    ],
)
def test_the_user_has_the_last_word_on_the_carrier(
    one: One, provider: dict[str, Any], ours: dict[str, Any], expected: tuple[str, str | None, str]
) -> None:
    target = one({"options": {"localcode": ours}}, {"GROQ_API_KEY": "k" * 20}, **provider)

    assert (target.carrier, target.litellm_provider, target.base_url) == expected


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta"),
        ("https://proxy.example/gemini/v1beta/", "https://proxy.example/gemini/v1beta"),
    ],
)
def test_geminis_base_has_its_version_as_litellm_wants_it(one: One, written: str, base: str) -> None:
    target = one(
        {},
        {"G": written, "K": "k" * 20},
        npm="@ai-sdk/google",
        options={"baseURL": "{env:G}", "apiKey": "{env:K}"},
    )

    assert target.base_url == base


# --- keys


@pytest.mark.parametrize(
    ("provider", "environment", "key", "variable", "missing"),
    [
        pytest.param({"apiKey": "sk-literal-1"}, {}, "sk-literal-1", None, None, id="in the file"),
        pytest.param({"apiKey": "{env:K}"}, {"K": " sk-from-env "}, "sk-from-env", "K", None, id="{env:}"),
        pytest.param({"apiKey": "{env:K}"}, {}, "", "K", "K is not set", id="{env:} unset"),
        pytest.param({"apiKey": "{env:K}"}, {"K": ""}, "", "K", "K is not set", id="{env:} empty"),
        pytest.param({"apiKey": "x-{env:K}"}, {}, "", "K", "K is not set", id="half of it unset"),
        pytest.param(
            {"env": ["A", "B"]}, {"B": "b" * 9}, "b" * 9, "B", None, id="the first of env that is set"
        ),
        pytest.param({"env": ["A", "B"]}, {}, "", "A", "neither A nor B is set", id="none of env is set"),
        pytest.param({"env": ["A", "B", "C"]}, {}, "", "A", "none of A, B, C is set", id="none of three"),
        pytest.param(
            {"apiKey": "{env:K}", "env": ["A"]},
            {"A": "a" * 9},
            "a" * 9,
            "A",
            None,
            id="env instead of apiKey",
        ),
        pytest.param({}, {}, "", None, None, id="no key asked for"),
        pytest.param({"env": []}, {}, "", None, None, id="an empty env"),
        pytest.param({"apiKey": ""}, {}, "", None, None, id="an empty key"),
        pytest.param(
            {"npm": "@ai-sdk/groq", "baseURL": ""},
            {"GROQ_API_KEY": "g" * 9},
            "g" * 9,
            "GROQ_API_KEY",
            None,
            id="the package's variable",
        ),
        pytest.param(
            {"npm": "@ai-sdk/groq", "baseURL": ""},
            {},
            "",
            "GROQ_API_KEY",
            "GROQ_API_KEY is not set",
            id="the package needs one",
        ),
        pytest.param(
            {"npm": "@ai-sdk/openai"},
            {"OPENAI_API_KEY": "o" * 9},
            "",
            None,
            "options.apiKey is empty",
            id="not for another host",
        ),
        pytest.param(
            {"npm": "@ai-sdk/openai", "baseURL": "http://localhost:1/v1"},
            {},
            "",
            None,
            None,
            id="not for this machine",
        ),
    ],
)
def test_the_key_is_found_or_the_variable_named_that_is_missing(
    one: One,
    provider: dict[str, Any],
    environment: dict[str, str],
    key: str,
    variable: str | None,
    missing: str | None,
) -> None:
    options = {name: provider.pop(name) for name in ("apiKey", "baseURL") if name in provider}
    target = one({}, environment, options={"baseURL": "https://api.example/v1"} | options, **provider)

    assert (target.api_key, target.key_variable, target.unavailable) == (key, variable, missing)


def test_a_key_may_stand_in_a_file(one: One, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("sk-from-a-file\n")
    (tmp_path / "empty.txt").write_text("\n")
    options = {"baseURL": "https://api.example/v1"}

    assert one({}, options=options | {"apiKey": "{file:key.txt}"}).api_key == "sk-from-a-file"
    assert one({}, options=options | {"apiKey": "{file:empty.txt}"}).unavailable == "options.apiKey is empty"


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "pässwörd", "tab\there"])
def test_a_key_that_cannot_be_sent_is_a_problem_and_is_not_shown(read: Read, key: str) -> None:
    catalog = read(v1(options=BASE["options"] | {"apiKey": "{env:K}"}), {"K": key})

    [problem] = catalog.problems
    assert problem.place == "provider.p.options.apiKey"
    assert key not in repr(catalog)


def test_opencode_zens_free_models_are_asked_with_its_public_key(read: Read) -> None:
    free = {"free": {"cost": {"input": 0, "output": 0}}, "paid": {"cost": {"input": 1, "output": 2}}}
    file = {"provider": {"opencode": {"models": free}}}

    without, with_key = read(file), read(file, {"OPENCODE_API_KEY": "sk-zen-12345"})

    assert without.targets["free"].api_key == "public"
    assert without.targets["free"].unavailable is None
    assert without.targets["paid"].unavailable == (
        "OPENCODE_API_KEY is not set, and only free models answer without a key"
    )
    assert "public" not in without.secrets
    assert with_key.targets["paid"].api_key == "sk-zen-12345"
    assert with_key.targets["paid"].unavailable is None


def test_a_local_server_of_a_known_name_needs_no_key(one: One) -> None:
    assert one({}, provider_id="lmstudio", options={}).unavailable is None


# --- headers


def test_headers_of_provider_and_model_are_joined_and_the_models_win(one: One) -> None:
    target = one(
        {"headers": {"X-TITLE": "model", "x-own": "1"}},
        options={"baseURL": "https://api.example/v1", "headers": {"x-title": "provider", "x-all": "2"}},
    )

    assert dict(target.headers) == {"X-TITLE": "model", "x-all": "2", "x-own": "1"}


def test_an_authorization_header_takes_the_place_of_a_key(one: One) -> None:
    options = {"headers": {"Authorization": "Bearer {env:T}"}}

    with_token = one({}, {"T": "token-123"}, npm="@ai-sdk/groq", options=options)
    without = one({}, {}, npm="@ai-sdk/groq", options=options)

    assert with_token.unavailable is None
    assert with_token.headers["Authorization"] == "Bearer token-123"
    assert without.unavailable == "T is not set"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("bad name", "x", "no name of a header"),
        ("Content-Length", "5", "the gateway's own"),
        ("x-a", "one\r\nx-b: two", "a letter that no header may have"),
        ("x-a", "→", "a letter that no header may have"),
    ],
)
def test_a_header_that_cannot_be_sent_is_a_problem_with_its_place(
    read: Read, name: str, value: str, message: str
) -> None:
    [problem] = read(v1(models={"m": {"headers": {name: value}}})).problems

    assert problem.place.startswith("provider.p.models.m.headers")
    assert message in problem.message


def test_everything_secret_is_known_so_that_it_can_be_masked(read: Read) -> None:
    options = BASE["options"] | {
        "apiKey": "sk-key-of-p-1",
        "headers": {
            "Authorization": "Bearer token-of-p",
            "x-api-key": "other-key",
            "x-title": "harmless title",
        },
    }
    bedrock = {"npm": "@ai-sdk/amazon-bedrock", "models": {"b": {}}}
    file = v1(options=options)
    file["provider"]["bedrock"] = bedrock
    environment = {"AWS_ACCESS_KEY_ID": "AKIA12345678", "AWS_SECRET_ACCESS_KEY": "aws-secret-1"}

    catalog = read(file, environment)

    assert catalog.secrets == {
        "sk-key-of-p-1",
        "Bearer token-of-p",
        "token-of-p",
        "other-key",
        "AKIA12345678",
        "aws-secret-1",
    }
    assert not any(secret in repr(catalog) for secret in catalog.secrets)


# --- limits, times, tries, defaults


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, Timeouts(), id="none given"),
        pytest.param({"timeout": 600000}, Timeouts(total=600), id="timeout is for the whole"),
        pytest.param(
            {"headerTimeout": 1500, "chunkTimeout": 20000}, Timeouts(header=1.5, chunk=20), id="the others"
        ),
        pytest.param(
            {"timeout": False, "headerTimeout": False, "chunkTimeout": False},
            Timeouts(header=inf, chunk=inf, total=inf),
            id="false is no limit",
        ),
        pytest.param(
            {"timeout": 1000, "localcode": {"timeout": False, "connectTimeout": 2500}},
            Timeouts(connect=2.5, total=inf),
            id="the gateway's own go before",
        ),
    ],
)
def test_timeouts_are_milliseconds_as_in_opencode(
    one: One, options: dict[str, Any], expected: Timeouts
) -> None:
    assert one({}, options=options | {"baseURL": "https://api.example/v1"}).timeouts == expected


@pytest.mark.parametrize("value", [0, -1, True, "5000", "nan", None, []])
def test_a_timeout_that_is_none_is_a_problem(read: Read, value: object) -> None:
    options = BASE["options"] | {"timeout": value}
    catalog = read(v1(options=options))

    assert [problem.place for problem in catalog.problems] == (
        [] if value is None else ["provider.p.options.timeout"]
    )


@pytest.mark.parametrize(
    ("base", "ours", "expected"),
    [
        pytest.param("https://api.example/v1", {}, Retries(2), id="two by default"),
        pytest.param("http://127.0.0.1:8080/v1", {}, Retries(0), id="none on this machine"),
        pytest.param("http://localhost:8080/v1", {"maxRetries": 1}, Retries(1), id="but if asked for"),
        pytest.param(
            "https://api.example/v1", {"retries": 5, "retryAfter": 2}, Retries(5, 2.0), id="by its other name"
        ),
        pytest.param("https://api.example/v1", {"maxRetries": 0}, Retries(0), id="none if asked for"),
    ],
)
def test_retries_are_those_of_the_file_or_of_the_place(
    one: One, base: str, ours: dict[str, Any], expected: Retries
) -> None:
    assert one({"options": {"localcode": ours}}, options={"baseURL": base}).retries == expected


def test_the_models_own_options_win_and_defaults_are_joined(one: One) -> None:
    ours = {
        "defaults": {"temperature": 0.7, "top_p": 1},
        "maxRetries": 4,
        "fetchImages": True,
        "streamUsage": False,
    }
    target = one(
        {
            "options": {
                "localcode": {"defaults": {"temperature": 0.2, "max_tokens": 1000}, "fetchImages": False}
            }
        },
        options={"baseURL": "https://api.example/v1", "localcode": ours},
    )

    assert dict(target.defaults) == {"temperature": 0.2, "top_p": 1, "max_tokens": 1000}
    assert (target.retries.limit, target.fetch_images, target.stream_usage) == (4, False, False)


def test_usage_is_asked_for_unless_the_file_says_otherwise(one: One) -> None:
    options = {"baseURL": "https://api.example/v1"}

    assert one({}, options=options).stream_usage is True
    assert one({}, options=options | {"includeUsage": False}).stream_usage is False


def test_nothing_is_sent_by_default(one: One) -> None:
    target = one({})

    assert (dict(target.defaults), dict(target.extra_body), target.fetch_images) == ({}, {}, False)


def test_a_fixed_answer_needs_neither_address_nor_key(read: Read) -> None:
    ours = {"mockResponse": "hello"}
    catalog = read({"provider": {"echo": {"models": {"echo": {"options": {"localcode": ours}}}}}})

    target = catalog.targets["echo"]
    assert (target.carrier, target.mock_response, target.base_url, target.unavailable) == (
        "fixed",
        "hello",
        "",
        None,
    )
    assert not needs_litellm(catalog)


@pytest.mark.parametrize(
    ("npm", "key", "needed"),
    [
        ("@ai-sdk/google", "k" * 20, True),
        ("@ai-sdk/google", "", False),
        ("@ai-sdk/openai-compatible", "k", False),
    ],
)
def test_litellm_is_needed_for_an_available_target_that_it_carries(
    read: Read, npm: str, key: str, needed: bool
) -> None:
    file = v1(npm=npm, options={"baseURL": "https://api.example/v1", "apiKey": "{env:K}"})

    assert needs_litellm(read(file, {"K": key})) is needed


def test_what_the_file_says_about_a_model_is_published_as_it_stands(one: One) -> None:
    said = {
        "name": "A Model",
        "family": "f",
        "release_date": "2026-01-01",
        "status": "beta",
        "attachment": True,
        "reasoning": True,
        "temperature": False,
        "tool_call": True,
        "interleaved": {"field": "reasoning_content"},
        "cost": {
            "input": 0.5,
            "output": 2,
            "cache_read": 0.1,
            "context_over_200k": {"input": 1, "output": 4},
        },
        "limit": {"context": 128000, "input": 100000, "output": 8192},
        "modalities": {"input": ["text", "image"], "output": ["text"]},
    }

    assert dict(one(said | {"id": "wire", "variants": {}}).facts) == said
    assert dict(one({"id": "wire"}).facts) == {}


# --- clouds


@pytest.mark.parametrize(
    ("npm", "options", "environment", "params", "missing"),
    [
        pytest.param(
            "@ai-sdk/amazon-bedrock",
            {"region": "eu-west-1"},
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"},
            {"aws_region_name": "eu-west-1", "aws_access_key_id": "A", "aws_secret_access_key": "S"},
            None,
            id="bedrock",
        ),
        pytest.param(
            "@ai-sdk/amazon-bedrock",
            {"apiKey": "token-1234"},
            {"AWS_PROFILE": "p"},
            {"aws_region_name": "us-east-1"},
            None,
            id="bedrock with a bearer token",
        ),
        pytest.param(
            "@ai-sdk/amazon-bedrock",
            {},
            {},
            {"aws_region_name": "us-east-1"},
            "none of AWS_BEARER_TOKEN_BEDROCK, AWS_ACCESS_KEY_ID, AWS_PROFILE is set",
            id="bedrock without",
        ),
        pytest.param(
            "@ai-sdk/google-vertex",
            {},
            {},
            {"vertex_location": "us-central1"},
            "GOOGLE_VERTEX_PROJECT is not set",
            id="vertex without a project",
        ),
        pytest.param(
            "@ai-sdk/azure",
            {"apiKey": "k" * 9, "apiVersion": "2026-01-01"},
            {},
            {"api_version": "2026-01-01"},
            "AZURE_RESOURCE_NAME is not set",
            id="azure without a resource",
        ),
        pytest.param("@ai-sdk/azure", {"apiKey": "k" * 9, "resourceName": "r"}, {}, {}, None, id="azure"),
    ],
)
def test_clouds_get_what_they_want_from_the_file_or_the_environment(
    one: One,
    npm: str,
    options: dict[str, Any],
    environment: dict[str, str],
    params: dict[str, str],
    missing: str | None,
) -> None:
    target = one({}, environment, npm=npm, options=options)

    assert (dict(target.litellm_params), target.unavailable) == (params, missing)


def test_azures_base_follows_from_its_resource_or_is_given(one: One) -> None:
    options = {"apiKey": "k" * 9}

    assert one({}, {"AZURE_RESOURCE_NAME": "r"}, npm="@ai-sdk/azure", options=options).base_url == (
        "https://r.openai.azure.com"
    )
    given = options | {"baseURL": "https://r.example/openai/v1"}
    assert one({}, npm="@ai-sdk/azure", options=given).base_url == "https://r.example"


# --- dialects, thinking


@pytest.mark.parametrize(
    ("written", "native"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://x.example/anthropic/v1", "https://x.example/anthropic/v1"),
        (None, "https://api.anthropic.com/v1"),
    ],
)
def test_a_target_that_speaks_messages_is_relayed_to_where_its_sdk_would_ask(
    one: One, written: str | None, native: str
) -> None:
    options = {"apiKey": "k" * 20, **({"baseURL": written} if written else {})}
    target = one({}, options=options, npm="@ai-sdk/anthropic")

    assert (target.native_url, set(target.dialects)) == (native, {"messages"})


@pytest.mark.parametrize(
    ("wire", "litellm", "dialects"),
    [
        ("glm-4.7", None, {"chat"}),
        ("gpt-5.2", None, {"chat", "responses"}),
        ("claude-sonnet-4-6", "anthropic", {"messages"}),
        ("gemini-3-pro", "gemini", set()),
    ],
)
def test_a_model_of_zen_is_called_in_the_api_that_zen_has_for_it(
    one: One, wire: str, litellm: str | None, dialects: set[str]
) -> None:
    target = one({"id": wire}, provider_id="opencode", options={"apiKey": "k" * 20})

    assert (target.litellm_provider, set(target.dialects)) == (litellm, dialects)
    assert (target.native_url or target.base_url) == "https://opencode.ai/zen/v1"


LLAMA = {"baseURL": "http://127.0.0.1:8080/v1"}


def ours(**localcode: Any) -> dict[str, Any]:
    return {"options": {"localcode": localcode}}


def test_the_file_may_say_what_a_server_speaks(one: One) -> None:
    target = one(ours(dialects=["chat", "messages", "responses"]), options=LLAMA)

    assert target.dialects == {"chat", "messages", "responses"}


def test_a_relayed_server_without_chat_is_refused_with_the_mend(read: Read) -> None:
    catalog = read(v1(models={"m": ours(dialects=["messages"])}, options=LLAMA))
    (problem,) = catalog.problems

    assert problem.place == "provider.p.models.m.options.localcode.dialects"
    assert "@ai-sdk/anthropic" in problem.mend


def test_whoever_says_litellm_is_not_relayed_in_another_dialect(one: One) -> None:
    options = {"apiKey": "k" * 20}

    assert one(ours(carrier="litellm"), options=options, npm="@ai-sdk/anthropic").dialects == {"chat"}


@pytest.mark.parametrize(
    ("written", "harmony"),
    [
        ({}, None),
        ({"harmony": False}, None),
        ({"harmony": True}, Harmony("completions", "drop")),
        ({"harmony": "chat", "reasoning": "expose"}, Harmony("chat", "expose")),
    ],
)
def test_harmony_is_one_word(one: One, written: dict[str, Any], harmony: Harmony | None) -> None:
    assert one(ours(**written), options=LLAMA).harmony == harmony


@pytest.mark.parametrize(
    ("wire", "written", "reasoning"),
    [
        ("m", {}, Reasoning((), from_temperature=False)),
        ("m", {"reasoningLevels": ["high", "low"]}, Reasoning(("low", "high"), from_temperature=True)),
        ("m", {"harmony": True}, Reasoning(("low", "medium", "high"), from_temperature=True)),
        (
            "gpt-oss-20b",
            {"harmony": True},
            Reasoning(("low", "medium", "high"), True, keep_temperature=False),
        ),
        ("gemini-3-pro", {"reasoningLevels": ["low"]}, Reasoning(("low",), True, keep_temperature=False)),
        ("gemini-3-pro", {"reasoningLevels": ["low"], "sendTemperature": True}, Reasoning(("low",), True)),
    ],
)
def test_levels_of_thinking_stand_in_their_order(
    one: One, wire: str, written: dict[str, Any], reasoning: Reasoning
) -> None:
    assert one({"id": wire, **ours(**written)}, options=LLAMA).reasoning == reasoning


@pytest.mark.parametrize(
    ("provider", "model", "base", "field"),
    [
        ("p", {}, "https://x.example/v1", None),
        ("p", {"interleaved": True}, "https://x.example/v1", "reasoning_content"),
        ("p", {"interleaved": {"field": "reasoning"}}, "https://x.example/v1", "reasoning"),
        ("p", {"interleaved": {"field": "reasoning_details"}}, "https://x.example/v1", None),
        ("p", {}, "http://127.0.0.1:8080/v1", None),
        ("p", ours(harmony=True), "https://x.example/v1", "reasoning_content"),
        ("p", ours(reasoningField="thoughts"), "https://x.example/v1", "thoughts"),
        ("zai", {}, "https://x.example/v1", "reasoning_content"),
        ("zai", ours(reasoningField=False), "https://x.example/v1", None),
    ],
)
def test_a_target_gets_its_thoughts_back_where_it_wants_them(
    one: One, provider: str, model: dict[str, Any], base: str, field: str | None
) -> None:
    target = one(model, provider_id=provider, options={"baseURL": base, "apiKey": "k" * 20})

    assert target.reasoning_field == field


@pytest.mark.parametrize(
    ("model", "base", "reads"),
    [
        ({}, "http://127.0.0.1:8080/v1", True),
        ({}, "https://x.example/v1", False),
        (ours(reasoningField=False), "http://127.0.0.1:8080/v1", False),
    ],
)
def test_a_server_of_ones_own_may_be_given_thoughts_that_a_client_brings(
    one: One, model: dict[str, Any], base: str, reads: bool
) -> None:
    assert one(model, options={"baseURL": base}).reads_thoughts is reads
