"""The real OpenCode command line, headless and offline, in a home and a project of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "scripts" / "get-opencode.sh"


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one `opencode run`."""

    status: int
    out: str
    err: str
    events: list[dict[str, Any]]

    @property
    def said(self) -> str:
        """The texts of the model as OpenCode shows them."""
        return "".join(event["part"]["text"] for event in self.events if event["type"] == "text")


def provider(base_url: str, *models: str) -> dict[str, Any]:
    """The provider entry that README.md tells people to use."""
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": "LocalCode",
        "options": {"baseURL": base_url, "apiKey": "local"},
        "models": {model: {} for model in models},
    }


class OpenCode:
    """`folder` becomes home and project; `entry` is the provider `localcode` of its configuration."""

    def __init__(self, folder: Path, entry: dict[str, Any], model: str) -> None:
        self.command = subprocess.run([SCRIPT], check=True, capture_output=True, text=True).stdout.strip()
        self.home = folder / "home"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self._write_config({"provider": {"localcode": entry}, "model": f"localcode/{model}"})

    def ask(self, prompt: str, timeout: float = 120) -> Run:
        """One turn of the agent, until it has nothing more to do."""
        done = subprocess.run(
            [self.command, "run", "--format", "json", prompt],
            cwd=self.project,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return Run(done.returncode, done.stdout, done.stderr, events)

    def _write_config(self, settings: dict[str, Any]) -> None:
        folder = self.home / ".config" / "opencode"
        (folder / "node_modules").mkdir(parents=True)
        # Nothing is to be fetched: without these it asks the registry for its plugin package.
        lock = {
            "name": "opencode",
            "lockfileVersion": 3,
            "packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}},
        }
        (folder / "package-lock.json").write_text(json.dumps(lock))
        settings |= {"autoupdate": False, "share": "disabled"}
        (folder / "opencode.json").write_text(json.dumps(settings))

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "npm_config_offline": "true",
        }
