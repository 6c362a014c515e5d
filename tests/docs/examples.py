"""Runs the examples of a page as a reader would, against real gateways, and gives what comes out.

    python -m tests.docs.examples        # runs them all and writes the answers into the pages

An example is two blocks that stand together: a command (`sh`, `python`) and its answer. The commands
use the ports that the pages speak of; here they are exchanged for free ones. What differs from run to
run (ids, dates, times) is exchanged for something steady.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT, Block, Page, page
from tests.gateway import Gateway, bare_environment, running
from tests.upstream import Upstream

WITH_EXAMPLES = ("README.md", "EXAMPLES.md")
OWN_CONFIG = ROOT / "tests" / "docs" / "opencode.json"
SECRETS = {"EXAMPLE_KEY": "sk-example-0123456789"}
WIDTH = 110


@dataclass(frozen=True, slots=True)
class Stage:
    """All that the pages' commands talk to, and the folder that they run in."""

    folder: Path
    ports: Mapping[str, str]
    """The port that a page names → the one that is really used."""
    first: Gateway
    """The gateway of `./run.sh` alone."""

    def answer(self, question: Block, language: str) -> str:
        """What a block of a page puts out, as its answer's block would hold it."""
        if question.text.rstrip().endswith("./run.sh"):
            return self._steady(_until_served(self.first.log()))
        return laid_out(self._steady(self._output(question)), language)

    def _output(self, question: Block) -> str:
        text = _exchanged(question.text, self.ports).replace(".venv/bin/python", sys.executable)
        command = [sys.executable, "-c", text] if question.language == "python" else ["bash", "-c", text]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=bare_environment(self.folder),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + (done.stderr if question.language == "python" else "")

    def _steady(self, text: str) -> str:
        """The text with the ports of the pages, and nothing that differs from run to run."""
        text = text.replace("\r\n", "\n").replace(f"{self.folder}/", "").replace(f"{self.folder}", ".")
        text = _exchanged(text, {real: named for named, real in self.ports.items()})
        for pattern, instead in STEADY:
            text = re.sub(pattern, instead, text)
        return text


STEADY = (
    (r"\breq_[0-9a-f]{16,32}\b", "req_5f0c2b9d8a7e4163"),
    (r"\bchatcmpl-upstream_\d+", "chatcmpl-upstream"),
    (r"\bcmpl-upstream_\d+", "cmpl-upstream"),
    (r"(?m)^Content-Length: \d+$", "Content-Length: …"),
    (r"\b((?:msg|resp|rs|fc|toolu)_(?:lc)?)[0-9a-f]{24}", r"\g<1>4c1d7a90b3e5f2688d04a6c7"),
    (r"lc1\.[\w=-]+", "lc1.…"),
    (r'("created_at": ?)1[0-9]{9}\b', r"\g<1>1700000000"),
    (r"\bchatcmpl-[0-9a-f]{8}-[0-9a-f-]{27}", "chatcmpl-2b1f4c6e-90d3-4b7a-8f15-6c0e9d3a7b42"),
    (r"(?m)^Date: .*$", "Date: Sat, 21 Nov 2026 12:00:00 GMT"),
    (r'("created": ?)1[0-9]{9}\b', r"\g<1>1700000000"),
    (r'("uptime_seconds": ?)[0-9.]+', r"\g<1>12.5"),
    (r'("latency_ms": ?)[0-9.]+', r"\g<1>4.2"),
)


def laid_out(text: str, language: str) -> str:
    """JSON over several lines, also behind the headers of `curl -i`; everything else as it came."""
    text = text.rstrip("\n")
    if language == "json":
        text = pretty(json.loads(text))
    elif language == "http":
        head, _, body = text.partition("\n\n")
        text = f"{head}\n\n{pretty(json.loads(body))}" if body.startswith("{") else text
    return f"{text}\n"


def pretty(value: Any, indent: str = "") -> str:
    """JSON on one line where it fits, else one line for each thing in it."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    deeper = f"{indent}  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {pretty(item, deeper)}" for key, item in value.items()]
    else:
        items = [pretty(item, deeper) for item in value]
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    return f"{opened}\n" + ",\n".join(f"{deeper}{item}" for item in items) + f"\n{indent}{closed}"


def _exchanged(text: str, ports: Mapping[str, str]) -> str:
    return re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda match: ports.get(match[0], match[0]), text)


def _until_served(log: str) -> str:
    """What a start prints: all up to the line with the address."""
    head, address, _ = re.split(r"(LocalCode \S+ on .*\n)", log, maxsplit=1)
    return f"{head}{address}"


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """The gateways of the pages and the model server behind the second, until the block ends.

    4242 is `./run.sh` as it ships, 4243 the scripted model server, 4244 a gateway in front of it,
    4245 a gateway that asks for a key.
    """
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        config = OWN_CONFIG.read_text(encoding="utf-8").replace(":4243/", f":{upstream.port}/")
        gateways = [
            stack.enter_context(_gateway(folder, (ROOT / "opencode.json").read_text(encoding="utf-8"))),
            stack.enter_context(_gateway(folder / "scripted", config, **SECRETS)),
            stack.enter_context(
                _gateway(folder / "keys", config, LOCALCODE_API_KEYS="my-own-key", **SECRETS)
            ),
        ]
        real = [gateway.url.rpartition(":")[2] for gateway in gateways]
        ports = dict(zip(("4242", "4244", "4245"), real, strict=True)) | {"4243": str(upstream.port)}
        yield Stage(folder, ports, gateways[0])


@contextmanager
def _gateway(folder: Path, config: str, **environment: str) -> Iterator[Gateway]:
    folder.mkdir(exist_ok=True)
    file = folder / "opencode.json"
    file.write_text(config, encoding="utf-8")
    with running(folder, file, **environment) as gateway:
        yield gateway


def rewritten(text: Page, stage: Stage) -> str:
    """The page with the answers that its examples give now."""
    parts, end = [], 0
    for example in text.examples:
        parts += [
            text.text[end : example.answer.start],
            stage.answer(example.question, example.answer.language),
        ]
        end = example.answer.end
    return "".join([*parts, text.text[end:]])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder).resolve()) as stage:
        for name in WITH_EXAMPLES:
            (ROOT / name).write_text(rewritten(page(name), stage), encoding="utf-8")
            print(f"{name}: {len(page(name).examples)} examples")


if __name__ == "__main__":
    main()
