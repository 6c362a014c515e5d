"""The real OpenCode command line, headless and offline, in a home and a project of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway import ROOT

README = ROOT / "README.md"
SCRIPT = ROOT / "scripts" / "get-opencode.sh"


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


def settings_of_readme(gateway_url: str) -> dict[str, Any]:
    """The opencode.json that README.md tells people to use, with the gateway where it really is."""
    blocks = re.findall(r"```json\n(.*?)```", README.read_text(), re.DOTALL)
    shown = next(block for block in blocks if '"provider"' in block and '"localcode"' in block)
    settings: dict[str, Any] = json.loads(shown.replace("http://127.0.0.1:4242", gateway_url))
    return settings


class OpenCode:
    """`folder` becomes home and project."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.command = subprocess.run([SCRIPT], check=True, capture_output=True, text=True).stdout.strip()
        self.home = folder / "home"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self._write_config(settings)

    def ask(self, alias: str, prompt: str, timeout: float = 120) -> Run:
        """One turn of the agent, until it has nothing more to do."""
        done = subprocess.run(
            [self.command, "run", "--format", "json", "--model", f"localcode/{alias}", prompt],
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
        quiet = {"autoupdate": False, "share": "disabled"}
        (folder / "opencode.json").write_text(json.dumps(settings | quiet))

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "npm_config_offline": "true",
        }
