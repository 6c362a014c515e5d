"""run.sh makes and keeps its virtual environment, and hands everything else on.

Python is a stand-in here: making an environment and installing only leave a line in a log.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateway import ROOT

PYTHON = f"""#!/bin/sh
case "$*" in
    "-m venv --clear "*)
        echo venv >>"$CALLS"
        rm -rf "$4" && mkdir -p "$4/bin" "$4/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
        cp "$STAND_IN" "$4/bin/python" ;;
    *"-m pip install "*)
        echo "pip $*" >>"$CALLS"
        sleep 0.2
        exit "${{PIP_STATUS:-0}}" ;;
    "-m app "*) pwd -P; for argument in "$@"; do echo "$argument"; done ;;
    *ensurepip*) exit "${{ENSUREPIP_STATUS:-0}}" ;;
    *version_info*"< (3, 11)"*) exit "${{VERSION_STATUS:-0}}" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone of the project with only what run.sh reads."""

    folder: Path

    def run(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), cwd=cwd or self.folder, env=self.environment | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [str(self.folder / "run.sh"), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return {"PATH": path, "CALLS": str(self.log), "STAND_IN": str(self.folder / "bin" / "python3")}

    @property
    def log(self) -> Path:
        return self.folder / "calls"

    def calls(self) -> list[str]:
        """What Python was asked for, one word each."""
        return [line.split()[0] for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder = tmp_path.resolve() / "a clone"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run.sh", folder)
    (folder / "requirements.txt").write_text("flask==1\n")
    (folder / "bin").mkdir()
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        (folder / "bin" / name).write_text(PYTHON)
        (folder / "bin" / name).chmod(0o755)
    return Clone(folder)


def test_the_help_needs_nothing(clone: Clone) -> None:
    done = clone.run("--help")

    assert "--log-level" in done.stdout
    assert clone.calls() == []


def test_the_first_start_makes_the_environment_and_the_second_only_starts(clone: Clone) -> None:
    first, second = clone.run(), clone.run()

    assert clone.calls() == ["venv", "pip"]
    assert "--require-hashes" in clone.log.read_text()
    assert first.stdout == second.stdout == f"{clone.folder}\n-m\napp\nserve\n"
    assert second.stderr == ""


def test_a_changed_lock_file_is_installed_into_the_same_environment(clone: Clone) -> None:
    clone.run()
    (clone.folder / "requirements.txt").write_text("flask==2\n")
    clone.run()

    assert clone.calls() == ["venv", "pip", "pip"]


def test_an_interrupted_installation_is_made_anew(clone: Clone) -> None:
    failed = clone.run(PIP_STATUS="9")
    mended = clone.run()

    assert failed.returncode == 9
    assert failed.stdout == ""
    assert mended.returncode == 0
    assert clone.calls() == ["venv", "pip", "venv", "pip"]


def test_an_environment_whose_python_is_gone_is_made_anew(clone: Clone) -> None:
    clone.run()
    (clone.folder / ".venv" / "bin" / "python").unlink()
    clone.run()

    assert clone.calls() == ["venv", "pip", "venv", "pip"]


def test_two_first_starts_at_once_install_once(clone: Clone) -> None:
    both = [
        subprocess.Popen(clone.command(), cwd=clone.folder, env=clone.environment, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]

    assert [process.wait(60) for process in both] == [0, 0]
    assert clone.calls() == ["venv", "pip"]


def test_it_may_be_called_by_a_link_from_anywhere_and_files_are_the_callers(
    clone: Clone, tmp_path: Path
) -> None:
    here = tmp_path.resolve() / "here"
    here.mkdir()
    link = here / "link"
    link.symlink_to(Path("..") / "a clone" / "run.sh")
    done = subprocess.run(
        [link, "--config", "my file.json", "--port=1", "--config=x.json"],
        cwd=here, env=clone.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == [
        str(clone.folder), "-m", "app", "serve",
        "--config", f"{here}/my file.json", "--port=1", f"--config={here}/x.json",
    ]  # fmt: skip


def test_too_old_a_python_is_an_error_that_says_what_to_install(clone: Clone) -> None:
    done = clone.run(VERSION_STATUS="1")

    assert done.returncode == 1
    assert "no Python 3.11 or later" in done.stderr
    assert "apt-get install" in done.stderr
    assert clone.calls() == []


def test_a_python_without_venv_is_an_error_that_names_the_package(clone: Clone) -> None:
    done = clone.run(ENSUREPIP_STATUS="1")

    assert done.returncode == 1
    assert f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in done.stderr


def test_no_script_uses_what_the_bash_of_macos_does_not_know() -> None:
    scripts = [ROOT / "run.sh", ROOT / "quick_test.sh", *(ROOT / "scripts").glob("*.sh")]
    newer = (
        "mapfile",
        "readarray",
        "declare -A",
        "local -n",
        "${!",
        ",,}",
        "^^}",
        "|&",
        "&>>",
        "readlink -f",
    )

    assert [(path.name, word) for path in scripts for word in newer if word in path.read_text()] == []
