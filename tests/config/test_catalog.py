from __future__ import annotations

import pytest

from app.config.catalog import ConfigError, at


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        (("provider", "zai", "options", "baseURL"), "provider.zai.options.baseURL"),
        (("provider", "p", "models", "glm-4.7"), 'provider.p.models["glm-4.7"]'),
        (("provider", "zai-coding-plan"), "provider.zai-coding-plan"),
        (("model_list", 0, "model_name"), "model_list[0].model_name"),
        (("a/b",), '["a/b"]'),
    ],
)
def test_places_are_written_as_people_write_them(steps: tuple[str | int, ...], path: str) -> None:
    assert at(*steps) == path


def test_an_error_says_where_what_and_how_to_mend_it() -> None:
    assert (
        str(ConfigError("PORT", "'x' is no number", "for example 1"))
        == "PORT: 'x' is no number (for example 1)"
    )
    assert str(ConfigError("file", "it is empty")) == "file: it is empty"
