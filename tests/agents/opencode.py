"""The real OpenCode command line, headless and offline, in a home and a project of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.agents.headless import Headless, installed
from tests.gateway import ROOT

README = ROOT / "README.md"
SCRIPT = ROOT / "scripts" / "get-opencode.sh"


class Run(Headless):
    """What came of one `opencode run`."""

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
        self.command = installed(SCRIPT)
        self.home = folder / "home"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self._write_config(settings)

    def ask(self, alias: str, prompt: str, timeout: float = 120) -> Run:
        """One turn of the agent, until it has nothing more to do."""
        command = [self.command, "run", "--format", "json", "--model", f"localcode/{alias}", prompt]
        return Run.of(command, self.project, self._environment(), timeout)

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
            "HOME": str(self.home),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "npm_config_offline": "true",
        }
