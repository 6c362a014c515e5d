"""A client that works with tools, in each of the three dialects, as faithful or forgetful as clients are."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import requests

from app.utils.chat_events import completion_of
from tests.contract.client import Asked, read_events
from tests.dialects import messages_checker, responses_checker

Json = dict[str, Any]
Manner = Literal["faithful", "cuts ids", "new ids", "forgets"]
"""What becomes of an answer until it comes back as history: nothing; the ids of calls are cut to 40
characters and cleaned, or are the client's own; whatever is no text and no call is gone."""

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "integer"}}}
RESULT = "It is sunny."


class Client(ABC):
    """A conversation: `ask` once for each step. `text` is what the last answer said."""

    PATH: str

    def __init__(
        self,
        url: str,
        alias: str,
        question: str,
        manner: Manner = "faithful",
        stream: bool = False,
        sending: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self.history: list[Json] = [{"role": "user", "content": question}]
        self.text = ""
        self._alias = alias
        self._manner = manner
        self._stream = stream
        self.sending = sending
        self._called = 0

    def ask(self) -> int:
        """Asks, and answers the calls that come back; how many they were."""
        reply = requests.post(
            self.url + self.PATH,
            json={"model": self._alias, "stream": self._stream, **self.body()},
            headers=self.sending,
            timeout=30,
        )
        assert reply.status_code == 200, reply.text
        return self.take(reply)

    def work(self) -> str:
        """The whole loop; the text at its end."""
        while self.ask():
            pass
        return self.text

    def id(self, given: str) -> str:
        """A call's id as this client keeps it."""
        if self._manner == "cuts ids":
            return re.sub("[^A-Za-z0-9_-]", "_", given)[:40]
        if self._manner == "new ids":
            self._called += 1
            return f"mine-{self._called}"
        return given

    @property
    def forgets(self) -> bool:
        return self._manner == "forgets"

    @abstractmethod
    def body(self) -> Json: ...

    @abstractmethod
    def take(self, reply: requests.Response) -> int: ...


class ChatClient(Client):
    PATH = "/v1/chat/completions"

    def body(self) -> Json:
        function = {"name": "get_weather", "parameters": SCHEMA}
        return {"messages": self.history, "tools": [{"type": "function", "function": function}]}

    def take(self, reply: requests.Response) -> int:
        message = self._message(reply)
        self.text = message.get("content") or ""
        calls = [{**call, "id": self.id(call["id"])} for call in message.get("tool_calls") or ()]
        if self.forgets:
            message = {"role": "assistant", "content": message.get("content")}
            calls = [{key: call[key] for key in ("id", "type", "function")} for call in calls]
        self.history.append({**message, **({"tool_calls": calls} if calls else {})})
        self.history += [{"role": "tool", "tool_call_id": call["id"], "content": RESULT} for call in calls]
        return len(calls)

    def _message(self, reply: requests.Response) -> Json:
        answer = reply.json() if not self._stream else completion_of([_events(reply)])
        message: Json = answer["choices"][0]["message"]
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
        return message


class MessagesClient(Client):
    PATH = "/v1/messages"

    def body(self) -> Json:
        tools = [{"name": "get_weather", "input_schema": SCHEMA}]
        return {"max_tokens": 300, "messages": self.history, "tools": tools}

    def take(self, reply: requests.Response) -> int:
        answer = messages_checker.check(reply.content).answer if self._stream else reply.json()
        content = [dict(block) for block in answer["content"]]
        self.text = "".join(block["text"] for block in content if block["type"] == "text")
        if self.forgets:
            content = [block for block in content if block["type"] in ("text", "tool_use")]
        calls = [block for block in content if block["type"] == "tool_use"]
        for call in calls:
            call["id"] = self.id(call["id"])
        self.history.append({"role": "assistant", "content": content})
        if calls:
            results = [
                {"type": "tool_result", "tool_use_id": call["id"], "content": RESULT} for call in calls
            ]
            self.history.append({"role": "user", "content": results})
        return len(calls)


class ResponsesClient(Client):
    PATH = "/v1/responses"

    def body(self) -> Json:
        tool = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}
        return {"input": self.history, "tools": [tool], "store": False}

    def take(self, reply: requests.Response) -> int:
        answer = responses_checker.checked(reply.content) if self._stream else reply.json()
        items = [dict(item) for item in answer["output"]]
        parts = [part for item in items if item["type"] == "message" for part in item["content"]]
        self.text = "".join(part["text"] for part in parts)
        if self.forgets:
            items = [item for item in items if item["type"] != "reasoning"]
        calls = [item for item in items if item["type"] == "function_call"]
        for call in calls:
            call["call_id"] = self.id(call["call_id"])
        self.history += items
        self.history += [
            {"type": "function_call_output", "call_id": call["call_id"], "output": RESULT} for call in calls
        ]
        return len(calls)


CLIENTS: dict[str, type[Client]] = {
    "chat": ChatClient,
    "messages": MessagesClient,
    "responses": ResponsesClient,
}


def _events(reply: requests.Response) -> list[Json]:
    asked = Asked(reply.status_code, reply.headers, reply.content)
    read_events(asked)
    return asked.events
