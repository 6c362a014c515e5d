from __future__ import annotations

import pytest

from app.errors import UnknownModel
from app.types import Target
from app.utils.model_resolver import resolve

GLM = Target(alias="glm-4.7", provider="zai", model="glm-4.7")
FREE = Target(alias="glm-4.7-free", provider="opencode", model="glm-4.7-free")
GEMINI = Target(alias="gemini-flash", provider="google", model="gemini-3")
CLAUDE = Target(alias="anthropic/claude", provider="router", model="claude")
TARGETS = {
    name: target
    for target in (GLM, FREE, GEMINI, CLAUDE)
    for name in (target.alias, f"{target.provider}/{target.alias}")
}


@pytest.mark.parametrize(
    ("alias", "target"),
    [
        pytest.param("glm-4.7", GLM, id="the alias"),
        pytest.param("zai/glm-4.7", GLM, id="behind its provider"),
        pytest.param("localcode/glm-4.7", GLM, id="behind OpenCode's name for this gateway"),
        pytest.param("openai/gemini-flash", GEMINI, id="behind a client's name for the dialect"),
        pytest.param("localcode/zai/glm-4.7", GLM, id="behind both"),
        pytest.param("anthropic/claude", CLAUDE, id="an alias with a slash"),
        pytest.param("router/anthropic/claude", CLAUDE, id="the same behind its provider"),
        pytest.param("localcode/anthropic/claude", CLAUDE, id="the same behind a client's name"),
    ],
)
def test_an_alias_is_found(alias: str, target: Target) -> None:
    assert resolve(alias, TARGETS) is target


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        pytest.param(
            "glm", "model 'glm' is not configured; close: glm-4.7, glm-4.7-free", id="a piece of a name"
        ),
        pytest.param(
            "GLM-4.7", "model 'GLM-4.7' is not configured; close: glm-4.7, glm-4.7-free", id="another case"
        ),
        pytest.param(
            "zai/gemini-flash",
            "model 'zai/gemini-flash' is not configured; close: gemini-flash",
            id="another provider's",
        ),
        pytest.param("", "model '' is not configured; GET /v1/models lists what is", id="nothing"),
        pytest.param("/", "model '/' is not configured; GET /v1/models lists what is", id="a slash"),
        pytest.param(
            "qwxzy", "model 'qwxzy' is not configured; GET /v1/models lists what is", id="nothing like it"
        ),
        pytest.param(
            "a/b/glm-4.7",
            "model 'a/b/glm-4.7' is not configured; close: glm-4.7, glm-4.7-free",
            id="two prefixes",
        ),
    ],
)
def test_an_unknown_alias_is_refused_with_those_like_it(alias: str, message: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        resolve(alias, TARGETS)

    assert str(caught.value) == message
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")


def test_a_name_as_long_as_a_book_is_cut_in_the_message() -> None:
    with pytest.raises(UnknownModel) as caught:
        resolve("x" * 100_000, TARGETS)

    assert len(str(caught.value)) < 250


def test_nothing_is_found_where_nothing_is_served() -> None:
    with pytest.raises(UnknownModel, match="GET /v1/models"):
        resolve("glm-4.7", {})
