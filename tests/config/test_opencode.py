"""OpenCode's own file in both forms: what is served under which name, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from app.config.catalog import ConfigError
from tests.config.conftest import BASE, One, Read, v1, v2


def test_an_alias_leads_to_its_wire_id_at_the_base_url(one: One) -> None:
    target = one({"id": "wire/id"}, options={"baseURL": " https://api.example/v1/ ", "apiKey": "sk-12345678"})

    assert (target.alias, target.provider, target.model) == ("m", "p", "wire/id")
    assert (target.base_url, target.api_key, target.unavailable) == (
        "https://api.example/v1",
        "sk-12345678",
        None,
    )
    assert (target.carrier, set(target.dialects), target.litellm_provider) == ("relay", {"chat"}, None)
    assert "sk-12345678" not in repr(target)


def test_an_alias_without_an_id_is_its_own_wire_id(one: One) -> None:
    assert one({}).model == "m"


# --- names


def test_each_alias_is_served_under_its_own_name_and_behind_its_provider(read: Read) -> None:
    catalog = read(
        {"provider": {"a": BASE | {"models": {"x": {}, "y/z": {}}}, "b": BASE | {"models": {"w": {}}}}}
    )

    assert catalog.aliases == ("x", "y/z", "w")
    assert list(catalog.targets) == ["x", "a/x", "y/z", "a/y/z", "w", "b/w"]


def test_an_alias_that_stands_in_two_providers_is_published_behind_the_later_one(read: Read) -> None:
    catalog = read({"provider": {"a": BASE | {"models": {"x": {}}}, "b": BASE | {"models": {"x": {}}}}})

    assert catalog.aliases == ("x", "b/x")
    assert catalog.targets["x"].provider == catalog.targets["a/x"].provider == "a"
    assert catalog.targets["b/x"].alias == "b/x"


def test_a_full_name_belongs_to_its_provider_and_to_no_key_that_looks_like_it(read: Read) -> None:
    openrouter = BASE | {"models": {"anthropic/claude": {"id": "routed"}}}
    catalog = read(
        {"provider": {"router": openrouter, "anthropic": BASE | {"models": {"claude": {"id": "own"}}}}}
    )

    assert catalog.aliases == ("router/anthropic/claude", "claude")
    assert catalog.targets["anthropic/claude"].model == "own"


# --- which are served


@pytest.mark.parametrize(
    ("lists", "served"),
    [
        pytest.param({}, ["x", "y"], id="all"),
        pytest.param({"disabled_providers": ["a"]}, ["y"], id="disabled"),
        pytest.param({"enabled_providers": ["a"]}, ["x"], id="enabled"),
        pytest.param({"enabled_providers": []}, [], id="none enabled"),
        pytest.param({"enabled_providers": ["a"], "disabled_providers": ["a"]}, [], id="both"),
    ],
)
def test_providers_are_enabled_and_disabled_as_in_opencode(
    read: Read, lists: dict[str, Any], served: list[str]
) -> None:
    catalog = read(
        {"provider": {"a": BASE | {"models": {"x": {}}}, "b": BASE | {"models": {"y": {}}}}} | lists
    )

    assert list(catalog.aliases) == served
    assert not catalog.faulty
    assert len(catalog.skipped) == 2 - len(served)


def test_whitelist_and_blacklist_hold_aliases(read: Read) -> None:
    models = {"a": {"id": "wa"}, "b": {"id": "wb"}, "c": {"id": "wc"}, "d": {"status": "deprecated"}}
    catalog = read(v1(models=models, whitelist=["a", "b", "d", "wc"], blacklist=["b", "wa"]))

    assert catalog.aliases == ("a",)
    assert {problem.place: problem.message for problem in catalog.skipped} == {
        "provider.p.models.b": "it is on the blacklist",
        "provider.p.models.c": "it is not on the whitelist",
        "provider.p.models.d": "its status is deprecated",
    }


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:4242/v1",
        "http://localhost:4242/v1",
        "http://[::1]:4242",
        "http://0.0.0.0:4242/v1",
        "http://127.0.0.2:4242/v1",
        "http://LOCALHOST.:4242/v1",
    ],
)
def test_the_gateways_own_entry_is_left_out(read: Read, base: str) -> None:
    file = {"provider": {"localcode": {"options": {"baseURL": base}, "models": {"x": {}, "y": {}}}}}
    catalog = read(file)

    assert catalog.aliases == ()
    assert [problem.place for problem in catalog.skipped] == ["provider.localcode"]
    assert not catalog.faulty


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:4243/v1", "http://192.168.1.2:4242/v1", "http://localhost/v1"]
)
def test_a_neighbour_of_the_gateway_is_served(read: Read, base: str) -> None:
    assert read(v1(options={"baseURL": base})).aliases == ("m",)


# --- what is wrong


@pytest.mark.parametrize(
    ("model", "place", "message"),
    [
        ({"id": 5}, "id", "text is expected, found 5"),
        ({"limit": {"context": "many"}}, "limit.context", "a number from 0 up is expected, found a text"),
        ({"limit": {"context": True}}, "limit.context", "a number from 0 up is expected, found true"),
        ({"limit": 5}, "limit", "an object is expected, found 5"),
        ({"headers": {"x-a": 1}}, "headers.x-a", "text is expected, found 1"),
        ({"modalities": {"input": "text"}}, "modalities.input", "a list is expected, found a text"),
        ({"tool_call": "yes"}, "tool_call", "true or false is expected, found a text"),
        ([], "", "an object is expected, found a list"),
        ({"options": {"localcode": {"maxRetries": 99}}}, "options.localcode.maxRetries", "from 0 to 10"),
        ({"options": {"localcode": {"defaults": []}}}, "options.localcode.defaults", "an object is expected"),
        ({"options": {"localcode": "x"}}, "options.localcode", "an object is expected"),
    ],
)
def test_a_wrong_model_is_a_problem_and_the_others_are_served(
    read: Read, model: object, place: str, message: str
) -> None:
    catalog = read(v1(models={"good": {}, "bad-4.7": model}))

    [problem] = catalog.problems
    assert catalog.aliases == ("good", "bad-4.7")
    assert catalog.targets["good"].unavailable is None
    assert catalog.targets["bad-4.7"].unavailable == f"its entry is wrong: {problem.place}"
    assert catalog.faulty
    assert problem.place == 'provider.p.models["bad-4.7"]' + (f".{place}" if place else "")
    assert message in problem.message


def test_a_wrong_provider_is_a_problem_and_the_others_are_served(read: Read) -> None:
    file = {
        "provider": {
            "bad": {
                "env": "KEY",
                "blacklist": ["z"],
                "models": {"x": {"id": "wire"}, "z": {}, "old": {"status": "deprecated"}},
            },
            "worse": 5,
            "good": BASE | {"models": {"y": {}}},
        }
    }
    catalog = read(file)

    assert catalog.aliases == ("x", "y")
    assert catalog.targets["x"].name == "bad/wire"
    assert catalog.targets["x"].unavailable == "its entry is wrong: provider.bad.env"
    assert [(problem.place, problem.message) for problem in catalog.problems] == [
        ("provider.bad.env", "a list is expected, found a text"),
        ("provider.worse", "an object is expected, found 5"),
    ]


def test_of_several_mistakes_the_first_is_named_beside_the_alias(read: Read) -> None:
    catalog = read(v1(models={"m": {"limit": 5, "cost": 5, "id": "wire"}}))

    assert catalog.targets["m"].unavailable == "its entry is wrong: provider.p.models.m.cost and 1 more"
    assert catalog.targets["m"].name == "p/wire"


@pytest.mark.parametrize("left_out", [{"blacklist": ["m"]}, {"whitelist": ["n"]}])
def test_what_stands_in_an_entry_that_is_left_out_does_not_matter(
    read: Read, left_out: dict[str, list[str]]
) -> None:
    catalog = read(v1(models={"m": {"id": 5}, "n": {}}, **left_out))

    assert (catalog.aliases, catalog.problems) == (("n",), ())


def test_a_wrong_key_is_never_shown(read: Read) -> None:
    catalog = read(v1(options={"apiKey": {"sk-hidden-one": 1}, "headers": {"x-api-key": ["sk-hidden-two"]}}))

    assert catalog.faulty
    assert "sk-hidden" not in repr(catalog)


@pytest.mark.parametrize(
    ("name", "mend"),
    [("carier", "did you mean carrier?"), ("max_retries", "did you mean maxRetries?"), ("xyzzy", "")],
)
def test_a_misspelt_option_of_ours_is_a_problem_and_the_rest_is_obeyed(
    read: Read, name: str, mend: str
) -> None:
    catalog = read(
        v1(options=BASE["options"] | {"localcode": {name: 1, "fetchImages": True}}, models={"m": {}, "n": {}})
    )

    [problem] = catalog.problems
    assert (problem.place, problem.mend) == (f"provider.p.options.localcode.{name}", mend)
    assert problem.fatal
    assert catalog.targets["m"].fetch_images


def test_keys_without_effect_are_noted_once(read: Read) -> None:
    models = {"a": {"variants": {"high": {}}, "options": {"reasoningEffort": "high"}}, "b": {"variants": {}}}
    catalog = read(
        v1(models=models, options=BASE["options"] | {"setCacheKey": True, "baseUrl": "x"})
        | {"theme": "x", "mcp": {}}
    )

    notes = {problem.place: (problem.message, problem.mend) for problem in catalog.problems}
    assert not catalog.faulty
    assert catalog.aliases == ("a", "b")
    assert notes == {
        "theme": ("for OpenCode alone, without effect here: theme, mcp", ""),
        "provider.p.options.setCacheKey": ("the gateway does not use 'setCacheKey'", ""),
        "provider.p.options.baseUrl": ("the gateway does not use 'baseUrl'", "did you mean baseURL?"),
        "provider.p.models.a.variants": ("the gateway does not use 'variants' (at 2 places)", ""),
        "provider.p.models.a.options.reasoningEffort": (
            "the gateway does not use 'reasoningEffort'",
            "for every client's requests set it under options.localcode.defaults",
        ),
    }


@pytest.mark.parametrize(
    ("file", "place", "message"),
    [
        ({}, "provider", "nothing to serve"),
        ({"theme": "x"}, "provider", "nothing to serve"),
        ({"provder": {"p": {}}}, "provder", "no such key"),
        ({"provider": []}, "provider", "an object is expected, found a list"),
        ({"disabled_providers": "p"} | v1(), "disabled_providers", "a list of providers is expected"),
    ],
)
def test_a_file_with_nothing_to_serve_is_a_problem(
    read: Read, file: dict[str, Any], place: str, message: str
) -> None:
    catalog = read(file)

    assert any(
        (problem.place == place and message in problem.message and problem.fatal)
        for problem in catalog.problems
    )


def test_a_misspelt_key_is_not_taken_for_one_of_opencodes(read: Read) -> None:
    catalog = read({"providr": {}, "theme": "x"} | v1())

    assert [
        (problem.place, problem.message, problem.mend, problem.fatal) for problem in catalog.problems
    ] == [
        ("providr", "there is no such key", "did you mean provider or providers?", True),
        ("theme", "for OpenCode alone, without effect here: theme", "", False),
    ]


def test_litellms_form_in_a_file_of_opencodes_name_is_told_where_it_belongs(read: Read) -> None:
    entry = {"model_name": "m", "litellm_params": {"model": "openai/x", "api_base": "https://h.example/v1"}}
    [problem] = read({"model_list": [entry]}).problems

    assert (problem.place, problem.fatal) == ("model_list", True)
    assert "name the file config.yaml" in problem.mend
    assert read({"model_list": [entry]}, name="config.yaml").aliases == ("m",)


@pytest.mark.parametrize(
    ("text", "found"), [("[]", "a list"), ('"x"', "a text"), ("null", "null"), ("5", "5")]
)
def test_a_file_that_is_no_object_is_refused(read: Read, text: str, found: str) -> None:
    with pytest.raises(ConfigError, match=f"an object is expected, found {found}"):
        read(text)


def test_a_provider_that_names_no_models_is_left_out(read: Read) -> None:
    catalog = read(
        {"provider": {"anthropic": {"options": {"apiKey": "sk-ant-12345"}}}} | {"providers": {"q": {}}}
    )

    assert [problem.place for problem in catalog.skipped] == ["provider.anthropic", "providers.q"]


# --- V2


def test_opencode_2s_form_leads_to_the_same_target(read: Read) -> None:
    old = v1(
        npm="@ai-sdk/openai-compatible",
        options=BASE["options"]
        | {"apiKey": "{env:K}", "headers": {"x-a": "1"}, "timeout": 5000, "localcode": {"retries": 1}},
        models={
            "m": {
                "id": "wire",
                "name": "M",
                "reasoning": True,
                "tool_call": True,
                "limit": {"context": 10, "output": 5},
                "modalities": {"input": ["text"], "output": ["text"]},
                "cost": {
                    "input": 1,
                    "output": 2,
                    "cache_read": 0.1,
                    "context_over_200k": {"input": 2, "output": 4},
                },
            }
        },
    )
    new = v2(
        package="aisdk:@ai-sdk/openai-compatible",
        settings={
            "baseURL": "https://api.example/v1",
            "apiKey": "{env:K}",
            "timeout": 5000,
            "localcode": {"retries": 1},
        },
        headers={"x-a": "1"},
        models={
            "m": {
                "modelID": "wire",
                "name": "M",
                "limit": {"context": 10, "output": 5},
                "capabilities": {"tools": True, "reasoning": True, "input": ["text"], "output": ["text"]},
                "cost": [
                    {"input": 1, "output": 2, "cache": {"read": 0.1}},
                    {"tier": {"type": "context", "size": 200000}, "input": 2, "output": 4},
                ],
            }
        },
    )

    assert read(new, {"K": "sk-12345678"}).targets == read(old, {"K": "sk-12345678"}).targets


def test_opencode_2s_older_form_is_understood_too(read: Read) -> None:
    catalog = read(
        {
            "providers": {
                "p": {
                    "env": ["K"],
                    "api": {
                        "type": "aisdk",
                        "package": "@ai-sdk/openai",
                        "url": "https://api.example/v1",
                        "settings": {"timeout": 1000},
                    },
                    "request": {"headers": {"x-a": "1"}, "body": {"store": False}},
                    "models": {
                        "m": {
                            "api": {"id": "wire"},
                            "cost": {"input": 1, "output": 2},
                            "request": {"headers": {"x-b": "2"}, "body": {"seed": 1}},
                        }
                    },
                }
            }
        },
        {"K": "sk-12345678"},
    )

    target = catalog.targets["m"]
    assert (target.model, target.base_url, target.api_key) == (
        "wire",
        "https://api.example/v1",
        "sk-12345678",
    )
    assert target.dialects == {"chat", "responses"}
    assert dict(target.headers) == {"x-a": "1", "x-b": "2"}
    assert dict(target.extra_body) == {"store": False, "seed": 1}
    assert target.timeouts.total == 1
    assert dict(target.facts) == {"cost": {"input": 1, "output": 2}}


def test_a_models_settings_are_laid_over_its_providers(read: Read) -> None:
    catalog = read(
        v2(
            settings={
                "baseURL": "https://api.example/v1",
                "apiKey": "{env:A}",
                "localcode": {"maxRetries": 3},
            },
            body={"a": 1, "b": 1},
            models={
                "m": {
                    "settings": {
                        "baseURL": "https://other.example/v1",
                        "apiKey": "{env:B}",
                        "localcode": {"fetchImages": True},
                    },
                    "body": {"b": 2},
                },
                "n": {},
            },
        ),
        {"A": "key-of-all"},
    )

    m, n = catalog.targets["m"], catalog.targets["n"]
    assert (m.base_url, m.unavailable, m.retries.limit, m.fetch_images) == (
        "https://other.example/v1",
        "B is not set",
        3,
        True,
    )
    assert dict(m.extra_body) == {"a": 1, "b": 2}
    assert (n.base_url, n.api_key, n.fetch_images) == ("https://api.example/v1", "key-of-all", False)


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("aisdk:@ai-sdk/openai-compatible", ("relay", None)),
        ("@ai-sdk/google", ("litellm", "gemini")),
        ("@opencode/ai/providers/openai-compatible", ("relay", None)),
        ("@opencode-ai/ai/providers/openai/chat", ("relay", None)),
        ("@opencode/ai/providers/anthropic", ("litellm", "anthropic")),
        ("@opencode/ai/providers/minimax/messages", ("litellm", "anthropic")),
        ("@opencode/ai/providers/google-vertex/messages", ("litellm", "vertex_ai")),
        ("@opencode/ai/providers/zai-coding-plan/chat", ("relay", None)),
        ("@opencode/ai/providers/xai", ("litellm", "xai")),
    ],
)
def test_packages_of_opencode_2_are_known_by_their_cousins(
    read: Read, package: str, expected: tuple[str, str | None]
) -> None:
    settings = {"baseURL": "https://api.example/v1", "apiKey": "k" * 20}
    target = read(v2(package=package, settings=settings)).targets["m"]

    assert (target.carrier, target.litellm_provider) == expected


def test_a_package_of_opencode_2_brings_its_address_and_variable(read: Read) -> None:
    file = {"providers": {"mine": {"package": "@opencode/ai/providers/zai/chat", "models": {"glm": {}}}}}
    target = read(file, {"ZHIPU_API_KEY": "k" * 20}).targets["glm"]

    assert (target.base_url, target.key_variable) == ("https://api.z.ai/api/paas/v4", "ZHIPU_API_KEY")


def test_a_disabled_model_of_opencode_2_is_left_out(read: Read) -> None:
    catalog = read(v2(models={"m": {"disabled": True}, "n": {}, "o": {"cost": {"input": "x"}}}))

    assert catalog.aliases == ("n", "o")
    assert [problem.place for problem in catalog.skipped] == ["providers.p.models.m"]
    assert [problem.place for problem in catalog.problems] == ["providers.p.models.o.cost.input"]


def test_both_forms_are_served_and_opencode_2s_wins_where_they_meet(read: Read) -> None:
    file = {
        "provider": {"both": BASE | {"models": {"old": {}}}, "a": BASE | {"models": {"x": {}}}},
        "providers": {"b": v2()["providers"]["p"], "both": v2(models={"new": {}})["providers"]["p"]},
    }
    catalog = read(file)

    assert catalog.aliases == ("new", "x", "m")
    assert [problem.place for problem in catalog.skipped] == ["provider.both"]


def test_wrong_settings_of_opencode_2_are_problems_with_their_place(read: Read) -> None:
    catalog = read(v2(settings={"baseURL": 5}, models={"m": {}, "n": {}}))

    assert [problem.place for problem in catalog.problems] == ["providers.p.settings.baseURL"]
