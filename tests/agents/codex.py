"""The real Codex command line, headless and offline, in a home and a project of its own."""

from __future__ import annotations

from pathlib import Path

from tests.agents.headless import Headless, installed
from tests.gateway import ROOT

SCRIPT = ROOT / "scripts" / "get-codex.sh"

CONFIG = """
model_provider = "localcode"
check_for_update_on_startup = false

[model_providers.localcode]
name = "LocalCode"
base_url = "{url}/v1"
env_key = "LOCALCODE_API_KEY"
wire_api = "responses"

[analytics]
enabled = false

[features]
plugins = false
apps = false
"""


class Run(Headless):
    """What came of one `codex exec`."""

    @property
    def said(self) -> str:
        """The texts of the model as Codex shows them."""
        items = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return "".join(item["text"] for item in items if item["type"] == "agent_message")

    @property
    def errors(self) -> list[str]:
        return [event["message"] for event in self.events if event["type"] == "error"]


class Codex:
    """`folder` becomes home and project; `url` is the gateway's, without `/v1`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.command = installed(SCRIPT)
        self.home = folder / "home"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        settings = self.home / ".codex"
        settings.mkdir(parents=True)
        (settings / "config.toml").write_text(CONFIG.format(url=url))

    def ask(self, alias: str, prompt: str, timeout: float = 120) -> Run:
        """One turn of the agent, until it has nothing more to do."""
        how = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        command = [self.command, "exec", *how, "--model", alias, prompt]
        return Run.of(command, self.project, self._environment(), timeout)

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "LOCALCODE_API_KEY": "sk-of-the-client",
        }
