"""A LiteLLM config.yaml in place of an opencode.json: the same catalog."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from app.config.catalog import Catalog, ConfigError
from app.types import Retries, Timeouts
from tests.config.conftest import Read


@pytest.fixture
def read_yaml(read: Read) -> Read:
    """`read_yaml(model_list or whole file, environment)`"""

    def written(content: object, environment: dict[str, str] | None = None) -> Catalog:
        whole = {"model_list": content} if isinstance(content, list) else content
        text = whole if isinstance(whole, str) else yaml.safe_dump(whole, sort_keys=False)
        return read(text, environment, "config.yaml")

    return written


def entry(name: str = "m", info: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": params, "model_info": info or {}}


def test_a_usual_file_is_served(read_yaml: Read) -> None:
    catalog = read_yaml(
        """\
model_list:
  - model_name: local
    litellm_params:
      model: openai/qwen/qwen3
      api_base: http://127.0.0.1:8080/v1
      temperature: 0.2
  - model_name: gemini
    litellm_params:
      model: gemini/gemini-3
      api_key: os.environ/GEMINI_API_KEY
      timeout: 60
      stream_timeout: 20
      num_retries: 1
    model_info:
      max_input_tokens: 1000000
      max_output_tokens: 65536
      input_cost_per_token: 0.0000015
      output_cost_per_token: 9e-06
      supports_function_calling: true
litellm_settings:
  drop_params: true
""",
        {"GEMINI_API_KEY": "gemini-key"},
    )

    local, gemini = catalog.targets["local"], catalog.targets["gemini"]
    assert (catalog.aliases, catalog.problems) == (("local", "gemini"), ())
    assert (local.carrier, local.model, local.base_url) == ("relay", "qwen/qwen3", "http://127.0.0.1:8080/v1")
    assert dict(local.defaults) == {"temperature": 0.2}
    assert (local.litellm_params, local.unavailable) == ({}, None)
    assert (gemini.carrier, gemini.litellm_provider, gemini.model) == ("litellm", "gemini", "gemini-3")
    assert (gemini.api_key, gemini.key_variable) == ("gemini-key", "GEMINI_API_KEY")
    assert (gemini.timeouts, gemini.retries) == (Timeouts(header=60, chunk=20), Retries(1))
    assert dict(gemini.litellm_params) == {"drop_params": True}
    assert dict(gemini.facts) == {
        "tool_call": True,
        "cost": {"input": 1.5, "output": 9.0},
        "limit": {"context": 1000000, "output": 65536},
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(
            {"model": "openai/x", "api_base": "https://h/v1"},
            ("relay", None, "https://h/v1", "openai/x"),
            id="compatible",
        ),
        pytest.param(
            {"model": "hosted_vllm/x", "api_base": "http://h/v1"},
            ("relay", None, "http://h/v1", "hosted_vllm/x"),
            id="vllm",
        ),
        pytest.param(
            {"model": "openai/gpt"}, ("relay", None, "https://api.openai.com/v1", "openai/gpt"), id="OpenAI"
        ),
        pytest.param(
            {"model": "gpt-9"},
            ("relay", None, "https://api.openai.com/v1", "openai/gpt-9"),
            id="OpenAI by name",
        ),
        pytest.param(
            {"model": "claude-9"},
            ("litellm", "anthropic", "https://api.anthropic.com", "anthropic/claude-9"),
            id="Anthropic by name",
        ),
        pytest.param(
            {"model": "groq/llama"},
            ("litellm", "groq", "https://api.groq.com/openai/v1", "groq/llama"),
            id="known",
        ),
        pytest.param({"model": "fal_ai/x/y"}, ("litellm", "fal_ai", "", "fal_ai/x/y"), id="any other"),
        pytest.param(
            {"model": "x", "mock_response": "hi"}, ("fixed", None, "", "litellm/x"), id="fixed answer"
        ),
    ],
)
def test_the_prefix_of_the_model_decides_the_carrier(
    read_yaml: Read, params: dict[str, Any], expected: tuple[str, str | None, str, str]
) -> None:
    target = read_yaml([entry(**params)]).targets["m"]

    assert (target.carrier, target.litellm_provider, target.base_url, target.name) == expected


@pytest.mark.parametrize(
    ("params", "environment", "missing"),
    [
        ({"model": "groq/x", "api_key": "os.environ/K"}, {"K": "k" * 9}, None),
        ({"model": "groq/x", "api_key": "os.environ/K"}, {}, "K is not set"),
        ({"model": "groq/x"}, {"GROQ_API_KEY": "g" * 9}, None),
        ({"model": "groq/x"}, {}, "GROQ_API_KEY is not set"),
        ({"model": "openai/x", "api_base": "https://h/v1"}, {}, None),
        (
            {"model": "openai/x", "api_base": "https://h/v1", "extra_headers": {"x-key": "os.environ/T"}},
            {},
            "T is not set",
        ),
        ({"model": "bedrock/x", "aws_region_name": "eu-west-1"}, {"AWS_PROFILE": "p"}, None),
    ],
)
def test_a_missing_key_is_named_by_its_variable(
    read_yaml: Read, params: dict[str, Any], environment: dict[str, str], missing: str | None
) -> None:
    assert read_yaml([entry(**params)], environment).targets["m"].unavailable == missing


def test_what_a_cloud_wants_is_sent_along(read_yaml: Read) -> None:
    params: dict[str, Any] = {
        "model": "bedrock/x",
        "aws_region_name": "eu-west-1",
        "aws_access_key_id": "os.environ/A",
        "aws_secret_access_key": "os.environ/S",
    }
    catalog = read_yaml([entry(**params)], {"A": "AKIA12345678", "S": "secret-of-aws"})

    assert dict(catalog.targets["m"].litellm_params) == {
        "aws_region_name": "eu-west-1",
        "aws_access_key_id": "AKIA12345678",
        "aws_secret_access_key": "secret-of-aws",
    }
    assert catalog.targets["m"].unavailable is None
    assert catalog.secrets == {"AKIA12345678", "secret-of-aws"}


def test_settings_for_all_hold_where_a_model_has_none(read_yaml: Read) -> None:
    file = {
        "model_list": [entry("a", model="groq/x"), entry("b", model="groq/x", timeout=5, max_retries=0)],
        "litellm_settings": {"request_timeout": 30, "num_retries": 4},
    }
    targets = read_yaml(file).targets

    assert (targets["a"].timeouts, targets["a"].retries.limit) == (Timeouts(header=30, chunk=30), 4)
    assert (targets["b"].timeouts, targets["b"].retries.limit) == (Timeouts(header=5, chunk=5), 0)


def test_the_first_of_a_name_is_served_and_the_others_are_said_to_be_left_out(read_yaml: Read) -> None:
    catalog = read_yaml([entry(model="groq/x"), entry(model="xai/y"), entry("n", model="xai/z")])

    assert catalog.aliases == ("m", "n")
    assert catalog.targets["m"].provider == "groq"
    assert [problem.place for problem in catalog.skipped] == ["model_list[1]"]


def test_the_gateways_own_address_is_left_out(read_yaml: Read) -> None:
    catalog = read_yaml([entry(model="openai/x", api_base="http://localhost:4242/v1")])

    assert (catalog.aliases, [problem.place for problem in catalog.skipped]) == ((), ["model_list[0]"])


def test_what_only_litellms_proxy_does_is_noted_once(read_yaml: Read) -> None:
    catalog = read_yaml(
        {
            "model_list": [entry("a", model="groq/x", rpm=5), entry("b", model="groq/y", rpm=6)],
            "litellm_settings": {"callbacks": ["x"]},
            "general_settings": {"master_key": "sk-master-1"},
            "router_settings": {"routing_strategy": "x"},
        }
    )

    assert not catalog.faulty
    assert [(problem.place, problem.mend) for problem in catalog.problems] == [
        ("router_settings", ""),
        ("litellm_settings.callbacks", ""),
        ("general_settings.master_key", "set LOCALCODE_API_KEYS to ask clients for a key"),
        ("model_list[0].litellm_params.rpm", ""),
    ]
    assert catalog.problems[-1].message.endswith("(at 2 places)")
    assert "sk-master" not in repr(catalog)


@pytest.mark.parametrize(
    ("bad", "place", "message"),
    [
        (entry(), "model_list[0].litellm_params.model", "a value is missing"),
        (entry(model="nameless"), "model_list[0].litellm_params.model", "names no provider"),
        (entry("gpt-*", model="openai/*"), "model_list[0].model_name", "stands for any model"),
        ({"litellm_params": {"model": "groq/x"}}, "model_list[0].model_name", "a name is expected"),
        ("groq/x", "model_list[0].model_name", "a name is expected"),
        (entry(model="openai/x", api_base="nowhere"), "model_list[0].litellm_params.api_base", "no http"),
        (entry(model="groq/x", timeout="soon"), "model_list[0].litellm_params.timeout", "seconds above 0"),
        (entry(model="groq/x", info={"max_tokens": -1}), "model_list[0].model_info.max_tokens", "from 0 up"),
        ({"model_name": "m", "litellm_params": 5}, "model_list[0].litellm_params", "an object is expected"),
    ],
)
def test_a_wrong_entry_is_a_problem_and_the_others_are_served(
    read_yaml: Read, bad: object, place: str, message: str
) -> None:
    catalog = read_yaml([bad, entry("good", model="groq/x")], {"GROQ_API_KEY": "g" * 9})
    named = {name: catalog.targets[name].unavailable for name in catalog.aliases}

    assert named.pop("good") is None
    assert named == ({} if place.endswith("model_name") else {"m": f"its entry is wrong: {place}"})
    assert [problem.place for problem in catalog.problems] == [place]
    assert message in catalog.problems[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_list:\n  - a: [1\n", r"config\.yaml:3:1: this is not YAML"),
        ("a: b: c\n", r"config\.yaml:1:5: this is not YAML"),
        ("a: \x00\n", "a letter that YAML does not allow"),
        ("", "it has no model_list"),
        ("[]", "it has no model_list"),
        ("provider: {}\n", "it has no model_list"),
        ("model_list: {}\n", "it has no model_list"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_place(read_yaml: Read, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_yaml(text)


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ({"model_list": []}, "model_list"),
        ({"model_list": [], "litellm_settings": {"drop_params": "yes"}}, "litellm_settings.drop_params"),
    ],
)
def test_what_is_wrong_beside_the_models_is_a_problem(
    read_yaml: Read, file: dict[str, Any], place: str
) -> None:
    assert place in [problem.place for problem in read_yaml(file).problems]


def test_yaml_cannot_make_python_objects(read_yaml: Read) -> None:
    with pytest.raises(ConfigError, match="not YAML"):
        read_yaml("model_list: !!python/object/apply:os.system ['true']\n")
