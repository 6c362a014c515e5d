"""`python -m tests.recorded` runs the real clients and writes what they send, stripped of every text."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agents.claude import ClaudeCode
from tests.agents.codex import Codex
from tests.agents.opencode import OpenCode
from tests.gateway import config
from tests.recorded import FOLDER
from tests.recorded.stripping import Stripping
from tests.upstream import Seen, Upstream

PROMPT = "Please make the file. [[script:agent nonce=n7]]"
HIDDEN = {"authorization", "x-api-key", "host", "connection", "content-length"}
WITH_A_RESULT, LAST = 1, 3
"""Which requests of a tool loop are kept (from 0): one that the next call answers, and the last."""

Start = Callable[[Path, str], Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """A client at its work."""

    name: str
    model: str
    start: Start
    """Gives the client, with that folder to live in and that upstream, without `/v1`."""


def _claude(folder: Path, url: str) -> ClaudeCode:
    return ClaudeCode(folder, url)


def _claude_for_gateways(folder: Path, url: str) -> ClaudeCode:
    return ClaudeCode(folder, url, CLAUDE_CODE_USE_GATEWAY="1")


def _opencode(folder: Path, url: str) -> OpenCode:
    settings = config(f"{url}/v1", {"some": "some"})
    return OpenCode(folder, {"provider": {"localcode": settings["provider"]["up"]}})


SCENES = (
    Scene("claude", "some-model", _claude),
    Scene("claude-for-gateways", "some-model", _claude_for_gateways),
    Scene("codex", "some-model", Codex),
    Scene("codex-patches", "gpt-5.5", Codex),
    Scene("codex-scripts", "gpt-6-luna", Codex),
    Scene("opencode", "some", _opencode),
)


def main() -> None:
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for scene in SCENES:
        for number, kept in _recorded(scene):
            file = FOLDER / f"{scene.name}-{number + 1}.json"
            file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            print(file.name, file.stat().st_size)


def _recorded(scene: Scene) -> Iterator[tuple[int, Any]]:
    # Not below the system's folder for temporary files: Codex does not like to live there.
    with Upstream() as upstream, tempfile.TemporaryDirectory(dir=Path.home() / ".cache") as name:
        client = scene.start(Path(name), upstream.base_url.removesuffix("/v1"))
        run = client.ask(scene.model, PROMPT)
        assert run.status == 0, run.out + run.err
        turns = [seen for seen in upstream.requests if _is_turn(seen)]
        for number in (WITH_A_RESULT, LAST):
            yield number, _stripped(turns[number], name)


def _is_turn(seen: Seen) -> bool:
    """Not a request for a title, which offers no tools; Codex may offer them among the items."""
    return bool(seen.body) and bool(seen.json.get("tools") or seen.json.get("input"))


def _stripped(seen: Seen, folder: str) -> Any:
    body = json.loads(seen.body.decode().replace(folder, "/home/me"))
    stripping = Stripping()
    sent = {name: value for name, value in seen.headers if name.lower() not in HIDDEN}
    return {
        "target": seen.target,
        "headers": {
            name: _header(value.replace(folder, "/home/me"), stripping) for name, value in sent.items()
        },
        "body": stripping.value(body),
    }


def _header(value: str, stripping: Stripping) -> str:
    """A header's text; what is JSON in one holds nothing that matters here."""
    return "{}" if value.startswith("{") else stripping.word(value)


if __name__ == "__main__":
    main()
