"""Whatever stands in a file: the answer is a catalog or a ConfigError, and no key comes out."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config import litellm_yaml, read_catalog, schema
from app.config.catalog import ConfigError
from app.config.packages import KNOWN, PACKAGES
from app.config.report import report

CANARY = "sk-canary-of-the-file"
PARTS = (
    schema.ProviderV1,
    schema.ModelV1,
    schema.ProviderV2,
    schema.ModelV2,
    schema.Settings,
    schema.LocalCode,
)
LITELLM_PARTS = (litellm_yaml.Params, litellm_yaml.ModelInfo, litellm_yaml.Common)
NAMES = sorted({name for part in PARTS for name in part.model_fields})
LITELLM_NAMES = sorted({name for part in LITELLM_PARTS for name in part.model_fields})

telling = st.sampled_from([CANARY, f"Bearer {CANARY}", "{env:X}", "https://h/v1", *PACKAGES])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | st.text(max_size=5) | telling  # fmt: skip


def values(names: list[str]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(names) | st.text(max_size=3)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


def objects(names: list[str]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), values(names), max_size=5)


def outcome(name: str, text: str) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            catalog = read_catalog(path, {"X": CANARY}, (("127.0.0.1", 4242),))
        except ConfigError as error:
            return str(error)
        return report(catalog) + repr(catalog.problems) + repr(catalog.skipped) + repr(catalog.targets)


@settings(max_examples=200)
@given(
    provider=st.sampled_from(["p", *KNOWN]),
    form=st.sampled_from(["provider", "providers"]),
    data=objects(NAMES),
    model=values(NAMES),
    top=st.dictionaries(st.sampled_from(["enabled_providers", "disabled_providers", "model"]), values(NAMES)),
)
def test_any_opencode_json_is_read_or_refused(
    provider: str, form: str, data: Any, model: Any, top: dict[str, Any]
) -> None:
    file = {form: {provider: data | {"models": {"m": model, "n": {}}}}} | top

    assert outcome("opencode.json", json.dumps(file))


@settings(max_examples=100)
@given(
    params=objects(LITELLM_NAMES),
    info=values(LITELLM_NAMES),
    common=values(LITELLM_NAMES),
    entry=values(["x"]),
)
def test_any_config_yaml_is_read_or_refused(params: Any, info: Any, common: Any, entry: Any) -> None:
    models = [{"model_name": "m", "litellm_params": params, "model_info": info}, entry]
    file = {"model_list": models, "litellm_settings": common, "general_settings": common}

    assert outcome("config.yaml", yaml.safe_dump(file))


@settings(max_examples=100)
@given(options=objects(sorted(schema.Settings.model_fields)), key=st.sampled_from(["apiKey", "headers"]))
def test_a_key_where_keys_stand_never_comes_out(options: dict[str, Any], key: str) -> None:
    said = {"apiKey": CANARY} if key == "apiKey" else {"headers": {"x-api-key": CANARY}}
    harmless = {name: value for name, value in options.items() if CANARY not in repr(value)}
    file = {"provider": {"p": {"options": harmless | said, "models": {"m": {}}}}}

    assert CANARY not in outcome("opencode.json", json.dumps(file))
