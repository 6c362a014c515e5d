"""docs/configuration.md names everything that is read, and its examples are read as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config import schema
from app.config.packages import PACKAGES
from app.config.platforms import OPTIONS
from app.config.settings import VARIABLES
from tests.config.conftest import Read

PAGE = Path(__file__).parents[2].joinpath("docs", "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```jsonc\n(.*?)```", PAGE, re.DOTALL)


def mentioned(name: str) -> bool:
    return re.search(rf"[`.]{re.escape(name)}[`\"]", PAGE) is not None


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_documented(variable: str) -> None:
    assert mentioned(variable)


@pytest.mark.parametrize("name", [*schema.LocalCode.model_fields, *schema.ALSO_CALLED])
def test_every_option_of_the_gateway_is_documented(name: str) -> None:
    assert mentioned(name)


@pytest.mark.parametrize(
    "part", [schema.Settings, schema.ProviderV1, schema.ModelV1, schema.ProviderV2, schema.ModelV2]
)
def test_every_key_that_is_read_is_documented(part: type[schema.Part]) -> None:
    containers = {"api", "options", "provider", "request", "settings", "capabilities", "localcode"}

    assert [name for name in part.model_fields if name not in containers and not mentioned(name)] == []


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_option_of_a_cloud_is_documented(option: str) -> None:
    assert mentioned(option)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_documented(package: str) -> None:
    short = package.removeprefix("@ai-sdk/").partition("/anthropic")[0].removesuffix("-v2")

    assert mentioned(short) or f"`{package}`" in PAGE or f"`@ai-sdk/{short}`" in PAGE


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_read_without_a_problem(read: Read, example: str) -> None:
    whole = example if example.startswith("{") else f'{{"provider": {{{example}}}}}'
    catalog = read(whole, {"ZAI_API_KEY": "zai-key-12"})

    assert catalog.problems == ()
    assert len(catalog.aliases) == 1
