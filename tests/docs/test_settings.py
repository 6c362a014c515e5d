"""Every variable is explained wherever somebody would look for it, with the right default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config.settings import MEGABYTE, VARIABLES, Settings
from tests.docs.pages import ROOT, page

IN_README = {
    row[0].strip("`"): row
    for row in page("README.md").rows("variable", "option of `run.sh`", "default", "meaning")
}
IN_ENV_EXAMPLE = dict(
    re.findall(r"^# (LOCALCODE_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
)


def default(variable: str) -> str:
    """The default as people write it."""
    value = getattr(Settings(), VARIABLES[variable][0])
    match value:
        case bool():
            return str(int(value))
        case Path():
            return str(value).replace(str(Path.home()), "~")
        case frozenset() | tuple():
            return ""
        case int() if variable.endswith("_MB"):
            return str(value // MEGABYTE)
    return str(value)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_stands_in_the_readme_with_its_default(variable: str) -> None:
    shown = IN_README[variable][2].strip("`")

    assert shown == (default(variable) or "none")


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_stands_in_the_example_of_an_environment_with_its_default(variable: str) -> None:
    assert IN_ENV_EXAMPLE[variable] == default(variable)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_stands_in_the_page_on_configuration(variable: str) -> None:
    assert f"`{variable}`" in page("docs/configuration.md").text


def test_no_page_explains_a_variable_that_does_not_exist() -> None:
    assert set(IN_README) == set(VARIABLES) == set(IN_ENV_EXAMPLE)


def test_the_options_in_the_readme_are_those_of_the_script() -> None:
    usage = (ROOT / "run.sh").read_text()
    options = [row[1].strip("`") for row in IN_README.values() if row[1]]

    assert [option for option in options if f"  {option} " not in usage] == []
