"""What was kept of the Responses API's answers, and what cannot be asked of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.utils.wire_responses import events_of
from tests.fakes import FakeBackend, catalog, target
from tests.routes.conftest import Serve

Json = dict[str, Any]
NAMELESS: Json = {"object": "response", "status": "completed", "output": [], "model": "wire-id"}


def kept(client: FlaskClient, previous: str | None = None) -> str:
    """The id of an answer that was kept."""
    body = {"model": "alias", "input": "Hi", "store": True, "previous_response_id": previous}
    return str(client.post("/v1/responses", json=body).get_json()["id"])


def test_the_items_of_a_conversation_with_a_hole_are_not_there_and_the_reason_is(serve: Serve) -> None:
    client = serve()
    first = kept(client)
    second = kept(client, first)
    third = kept(client, second)

    assert len(client.get(f"/v1/responses/{third}/input_items").get_json()["data"]) == 5
    client.delete(f"/v1/responses/{first}")
    reply = client.get(f"/v1/responses/{third}/input_items")

    assert reply.status_code == 404
    assert "one that it goes on from was deleted" in reply.get_json()["error"]["message"]
    assert client.get(f"/v1/responses/{third}").status_code == 200


@pytest.mark.parametrize(
    ("query", "param"), [("order=x", "order"), ("after=msg_x", "after"), ("limit=x", "limit")]
)
def test_a_page_that_is_none_is_a_bad_request(serve: Serve, query: str, param: str) -> None:
    client = serve()
    reply = client.get(f"/v1/responses/{kept(client)}/input_items?{query}")

    assert (reply.status_code, reply.get_json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_relayed_answer_without_an_id_is_kept_under_one_of_the_gateways(serve: Serve, stream: bool) -> None:
    script = events_of(NAMELESS) if stream else [NAMELESS]
    serving = catalog(target(dialects=frozenset({"chat", "responses"})))
    client = serve(backend=FakeBackend(*script), serving=serving)
    reply = client.post(
        "/v1/responses", json={"model": "alias", "input": "Hi", "store": True, "stream": stream}
    )
    answer = _ids(reply.get_data(as_text=True)) if stream else {reply.get_json()["id"]}
    (id,) = answer

    assert id.startswith("resp_")
    assert client.get(f"/v1/responses/{id}").get_json()["id"] == id


def _ids(events: str) -> set[str]:
    lines = [line[6:] for line in events.splitlines() if line.startswith("data: {")]
    return {json.loads(line)["response"]["id"] for line in lines}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"reasoning": {"effort": {"a": 1}}}, id="effort"),
        pytest.param(
            {
                "input": [
                    {"type": "tool_search_call", "call_id": "c4", "arguments": {}},
                    {"type": "tool_search_output", "call_id": "c4", "tools": 5},
                ]
            },
            id="tools that are none",
        ),
        pytest.param({"input": [{"type": "item_reference", "id": "x" * 1_000_000}]}, id="an endless id"),
    ],
)
def test_an_odd_request_is_the_clients_mistake(serve: Serve, fields: Json) -> None:
    reply = serve().post("/v1/responses", json={"model": "alias", "input": "Hi"} | fields)

    assert reply.status_code == 400
    assert len(reply.get_data()) < 1000
