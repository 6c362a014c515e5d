"""The real Claude Code command line, headless and offline, in a home and a project of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agents.headless import Headless, installed
from tests.gateway import ROOT

SCRIPT = ROOT / "scripts" / "get-claude.sh"


class Run(Headless):
    """What came of one `claude -p`."""

    @property
    def result(self) -> dict[str, Any]:
        """The last event, which sums up the run."""
        return self.events[-1]

    @property
    def said(self) -> str:
        """The last text of the model, or the error, as Claude Code shows it."""
        return str(self.result["result"])


class ClaudeCode:
    """`folder` becomes home and project; `url` is the gateway's, without `/v1`."""

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        self.command = installed(SCRIPT)
        self.home = folder / "home"
        self.project = folder / "project"
        self.home.mkdir(parents=True)
        self.project.mkdir()
        self._url = url
        self._more = environment

    def ask(self, alias: str, prompt: str, *options: str, timeout: float = 120) -> Run:
        """One turn of the agent, until it has nothing more to do."""
        said_as = ["--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
        command = [self.command, "-p", "--model", alias, *said_as, *options, prompt]
        return Run.of(command, self.project, self._environment(alias), timeout)

    def _environment(self, alias: str) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "ANTHROPIC_BASE_URL": self._url,
            "ANTHROPIC_AUTH_TOKEN": "sk-of-the-client",
            "ANTHROPIC_SMALL_FAST_MODEL": alias,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "IS_SANDBOX": "1",  # or it would not work without questions as root
        } | self._more
