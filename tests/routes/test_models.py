"""What can be asked for, as clients read it: the list, one model, and nothing of the target behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.config import read_catalog
from app.config.catalog import Catalog
from tests.routes.conftest import Serve

PROVIDERS: dict[str, Any] = {
    "zai": {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": "https://api.example/v4", "apiKey": "sk-of-zai"},
        "models": {
            "glm": {
                "id": "wire-glm",
                "name": "GLM",
                "reasoning": True,
                "tool_call": True,
                "attachment": False,
                "limit": {"context": 200000, "output": 96000},
                "cost": {"input": 0.6, "output": 2.2, "cache_read": 0.11},
                "modalities": {"input": ["text", "image"], "output": ["text"]},
            },
            "group/glm:free": {"id": "wire-free"},
        },
    },
    "other": {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": "https://other.example/v1", "apiKey": "{env:OTHER_KEY}"},
        "models": {"big-pickle": {"id": "wire-pickle"}},
    },
}


@pytest.fixture
def serving(tmp_path: Path) -> Catalog:
    file = tmp_path / "opencode.json"
    file.write_text(json.dumps({"provider": PROVIDERS}))
    return read_catalog(file, {})


@pytest.fixture
def client(serve: Serve, serving: Catalog) -> FlaskClient:
    return serve(serving=serving)


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_has_every_alias_in_the_files_order(client: FlaskClient, prefix: str, slash: str) -> None:
    listed = client.get(f"{prefix}/models{slash}").get_json()

    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["glm", "group/glm:free", "big-pickle"]
    assert {model["object"] for model in listed["data"]} == {"model"}
    assert [model["owned_by"] for model in listed["data"]] == ["zai", "zai", "other"]
    assert all(isinstance(model["created"], int) for model in listed["data"])


def test_a_model_tells_all_that_is_known_about_it(client: FlaskClient) -> None:
    assert client.get("/v1/models/glm").get_json() == {
        "id": "glm",
        "object": "model",
        "created": 0,
        "owned_by": "zai",
        "available": True,
        "name": "GLM",
        "reasoning": True,
        "tool_call": True,
        "attachment": False,
        "limit": {"context": 200000, "output": 96000},
        "cost": {"input": 0.6, "output": 2.2, "cache_read": 0.11},
        "modalities": {"input": ["text", "image"], "output": ["text"]},
    }


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(
    ("path", "alias"),
    [
        ("glm", "glm"),
        ("zai/glm", "zai/glm"),
        ("zai%2Fglm", "zai/glm"),
        ("group/glm:free", "group/glm:free"),
        ("group%2Fglm%3Afree", "group/glm:free"),
        ("zai/group/glm:free", "zai/group/glm:free"),
        ("localcode/glm", "localcode/glm"),
    ],
)
def test_a_model_is_found_by_every_name_it_may_be_asked_by(
    client: FlaskClient, prefix: str, path: str, alias: str
) -> None:
    reply = client.get(f"{prefix}/models/{path}")

    assert reply.status_code == 200
    assert reply.get_json()["id"] == alias
    assert reply.get_json()["owned_by"] == "zai"


@pytest.mark.parametrize(
    ("path", "close"),
    [
        ("gml", "glm"),
        ("GLM-4", "glm"),
        ("zai/glmm", "glm"),
        ("big-pickel", "big-pickle"),
        ("other/glm", "glm"),
    ],
)
def test_an_unknown_model_is_a_404_that_names_those_like_it(
    client: FlaskClient, path: str, close: str
) -> None:
    reply = client.get(f"/v1/models/{path}")

    assert reply.status_code == 404
    assert reply.get_json()["error"]["code"] == "model_not_found"
    assert reply.get_json()["error"]["param"] == "model"
    assert close in reply.get_json()["error"]["message"].partition("close: ")[2].split(", ")


@pytest.mark.parametrize(
    "path", ["qqqqqq", "../../etc/passwd", "%ff", "x" * 3000, "%00", "glm%00", "<script>"]
)
def test_a_name_like_nothing_is_a_short_404(client: FlaskClient, path: str) -> None:
    reply = client.get(f"/v1/models/{path}")

    assert reply.status_code == 404
    assert reply.get_json()["error"]["code"] == "model_not_found"
    assert len(reply.data) < 400


def test_one_without_a_key_is_listed_with_the_variable_that_is_missing(client: FlaskClient) -> None:
    model = client.get("/v1/models/big-pickle").get_json()

    assert model["available"] is False
    assert "OTHER_KEY" in model["unavailable"]


def test_nothing_of_the_targets_is_told(client: FlaskClient) -> None:
    told = client.get("/v1/models").text + client.get("/v1/models/glm").text + client.get("/health").text

    for secret in ("wire-", "sk-of-zai", "api.example", "other.example"):
        assert secret not in told


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/glm"])
def test_a_head_request_is_the_same_without_the_body(client: FlaskClient, path: str) -> None:
    head, whole = client.head(path), client.get(path)

    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["Content-Length"] == str(len(whole.data))


ANTHROPIC = {"anthropic-version": "2023-06-01"}


def test_a_client_of_anthropics_gets_the_list_in_its_own_form(client: FlaskClient) -> None:
    listed = client.get("/v1/models?limit=1000", headers=ANTHROPIC).get_json()

    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("glm", "big-pickle", False)
    assert [model["type"] for model in listed["data"]] == ["model"] * 3
    assert [model["display_name"] for model in listed["data"]] == ["GLM", "group/glm:free", "big-pickle"]
    assert "object" not in listed


def test_so_is_a_single_model(client: FlaskClient) -> None:
    model = client.get("/v1/models/glm", headers=ANTHROPIC).get_json()

    assert (model["type"], model["id"], model["display_name"]) == ("model", "glm", "GLM")
    assert "display_name" not in client.get("/v1/models/glm").get_json()


def test_an_empty_list_has_no_ends(serve: Serve) -> None:
    nothing = serve(serving=Catalog(Path("opencode.json"), {}, ()))
    listed = nothing.get("/v1/models", headers=ANTHROPIC).get_json()

    assert listed == {"data": [], "has_more": False, "first_id": None, "last_id": None}
