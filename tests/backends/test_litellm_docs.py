"""What docs/litellm.md says is proven: each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "litellm.md").read_text()
TESTS = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 40
    assert {name for name in named if f"def {name}(" not in TESTS} == set()


def test_every_difference_names_its_test() -> None:
    differences = PAGE.split("## What is different from the relay")[1].split("## Images")[0]
    rows = [line for line in differences.splitlines() if line.startswith("| ") and "---" not in line]

    assert [row for row in rows if "`test_" not in row and not row.endswith("| test |")] == []


def test_every_file_that_the_page_names_exists() -> None:
    folders = [ROOT / "app" / "backends", ROOT / "app" / "utils"]
    named = {path.rpartition("/")[2] for path in re.findall(r"`([\w/]+\.py)`", PAGE)}

    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []
