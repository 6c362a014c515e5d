"""Who may know whom (docs/architecture.md), kept true: imports point inwards, the world stays at the edge."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "app").rglob("*.py"))

INNER = {"types", "errors"}
MAY_IMPORT = {
    "errors": set[str](),
    "types": {"errors"},
    "utils": INNER,
    "config": {"utils"} | INNER,
    "logs": {"utils"} | INNER,
    "dialects": {"utils"} | INNER,
    "backends": {"utils"} | INNER,
    "remembering": {"utils"} | INNER,
    "memory": {"dialects"} | INNER,
    "gateway": {"remembering", "utils", "config"} | INNER,
    "routes": {"gateway", "memory", "dialects", "utils", "config", "logs"} | INNER,
    "server": {"__init__", "config", "logs"} | INNER,
    "worker": {"server"},
}
"""What each room may import besides itself; `__init__`, `__main__` and `cli` see all."""

AT_HOME = {
    "flask": {"routes", "cli", "__init__"},
    "flask_cors": {"routes"},
    "werkzeug": {"routes"},
    "gunicorn": {"server", "worker"},
    "gevent": {"worker"},
    "litellm": {"backends"},
    "httpx": {"backends"},
    "httpcore": {"backends"},
    "httptools": {"backends"},
    "tiktoken": {"backends"},
    "requests": {"backends"},
    "urllib3": {"backends"},
    "socket": {"backends"},
    "select": {"backends"},
    "ssl": {"backends"},
    "certifi": {"backends"},
    "http": {"backends"},
    "pydantic": {"config"},
    "yaml": {"config"},
    "pyjson5": {"config"},
    "dotenv": {"config"},
    "pathlib": {"backends", "config", "cli"},
    "sqlite3": {"backends"},
    "redis": {"backends"},
    "cryptography": {"backends"},
    "click": {"cli"},
    "subprocess": set[str](),
    "asyncio": set[str](),
}
"""Where a piece of the world may be imported."""

NOT_PURE = {"io", "logging", "os", "random", "secrets", "sys", "threading", "time", "warnings"} | set(AT_HOME)
"""What `utils` and `dialects`, which decide and do nothing, do without."""

EXCEPTIONS = {
    ("routes/health.py", "app.backends"): "a probe calls out, but only when somebody asks for one",
    ("routes/departure.py", "socket"): "looks whether the client is still there",
    ("routes/departure.py", "select"): "looks whether the client is still there",
    ("routes/body.py", "socket"): "limits how long a client may take with its body",
    ("routes/body.py", "gunicorn"): "what gunicorn raises when a body is no proper HTTP",
    ("server.py", "socket"): "listens",
    ("logs/others.py", "gunicorn"): "gunicorn's own lines are lines like all others",
}
"""Import against the rule, each for a reason."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "app").as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in it, dotted: also names that may be modules of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield node.module or ""
            if node.module and node.module.split(".")[0] == "app":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> str | None:
    """The room that a dotted name leads to; None for others' modules and for what `app` itself defines."""
    first, *rest = name.split(".")
    if first != "app":
        return None
    path = ROOT / "app" / (rest[0] if rest else "__init__")
    known = path.is_dir() or path.with_suffix(".py").is_file()
    return path.name if known else None if rest == ["__version__"] else "__init__"


def against_the_rule(path: Path) -> set[tuple[str, str]]:
    """What a file imports that its room should not, as (file, module)."""
    room, found = room_of(path), set()
    for name in imports_of(ast.parse(path.read_bytes())):
        their, library = ours(name), name.split(".")[0]
        if their and room in MAY_IMPORT and their not in MAY_IMPORT[room] | {room, "__init__"}:
            found.add((name_of(path), f"app.{their}"))
        if name == "app.create_app" and room in MAY_IMPORT and "__init__" not in MAY_IMPORT[room]:
            found.add((name_of(path), name))
        if room not in AT_HOME.get(library, {room}):
            found.add((name_of(path), library))
        if room in ("utils", "dialects") and library in NOT_PURE:
            found.add((name_of(path), library))
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_what_its_room_may_know(path: Path) -> None:
    assert against_the_rule(path) - EXCEPTIONS.keys() == set()


def test_every_exception_is_still_needed() -> None:
    found = set().union(*map(against_the_rule, FILES))

    assert EXCEPTIONS.keys() - found == set()


def test_every_file_stands_in_a_room_that_has_rules() -> None:
    rooms = {room_of(path) for path in FILES}

    assert rooms - MAY_IMPORT.keys() == {"__init__", "__main__", "cli"}


def test_no_two_modules_need_each_other() -> None:
    modules = {
        ".".join(("app", *path.relative_to(ROOT / "app").with_suffix("").parts)): path for path in FILES
    }
    graph = {
        module: set(imports_of(ast.parse(path.read_bytes()))) & modules.keys()
        for module, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as problem:
        pytest.fail(f"a circle of imports: {problem.args[1]}")


def loaded_by(code: str) -> set[str]:
    """The modules, by their first two names, that a new process has loaded after some code."""
    print_all = "\nimport sys\nprint(*{'.'.join(name.split('.')[:2]) for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", code + print_all],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ran.stdout.split())


HEAVY = {
    "flask",
    "litellm",
    "requests",
    "pydantic",
    "httptools",
    "orjson",
    "gunicorn",
    "gevent",
    "structlog",
    "httpx",
}


def test_importing_app_loads_nothing_heavy() -> None:
    assert loaded_by("import app") & HEAVY == set()


def test_the_master_does_not_load_the_http_side() -> None:
    """gevent has to patch a worker before they are loaded."""
    loaded = loaded_by("import app.server, app.cli, app.config")

    assert (
        loaded & {"app.backends", "app.routes", "flask", "httptools", "requests", "litellm", "httpx"} == set()
    )


def test_an_application_is_made_without_litellm_or_requests() -> None:
    made = """
from pathlib import Path
from app import create_app
from app.config.catalog import Catalog
from app.config.settings import read_settings
create_app(read_settings({}), Catalog(Path("opencode.json"), {}, ()))
"""
    loaded = loaded_by(made)

    assert "flask" in loaded
    assert loaded & {"litellm", "tiktoken", "requests", "openai", "yaml", "pandas", "numpy"} == set()
