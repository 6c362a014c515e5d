"""What holds for every page: its links lead somewhere, and it stands alone."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from tests.docs.pages import PAGES, ROOT, page

PAGE = pytest.mark.parametrize("name", PAGES)


def places(name: str) -> list[tuple[str, str]]:
    """The links to places in this project: (path from its root, anchor)."""
    found = []
    for link in page(name).links:
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            found.append((normal(PurePosixPath(name).parent / path) if path else name, anchor))
    return found


def normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


@PAGE
def test_every_link_leads_to_a_file_that_is_there(name: str) -> None:
    assert [path for path, _ in places(name) if not (ROOT / path).exists()] == []


@PAGE
def test_every_anchor_is_a_heading_of_its_page(name: str) -> None:
    wanted = [(path, anchor) for path, anchor in places(name) if anchor and path.endswith(".md")]

    assert [f"{path}#{anchor}" for path, anchor in wanted if anchor not in page(path).anchors] == []


@PAGE
def test_every_file_that_is_named_is_there(name: str) -> None:
    named = re.findall(r"`((?:app|bench|docs|scripts|tests)/[\w./-]+)`", page(name).prose)

    assert [path for path in named if not (ROOT / path).exists()] == []


@PAGE
def test_a_page_has_one_title_and_no_tabs(name: str) -> None:
    prose = page(name).prose

    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1
    assert "\t" not in prose


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("docs/*.md")))
def test_the_index_names_every_page_of_docs(name: str) -> None:
    assert name == "README.md" or f"({name})" in page("docs/README.md").text


def test_the_pages_of_the_root_are_reached_from_the_readme() -> None:
    beside = {name for name in PAGES if "/" not in name} - {"README.md"}

    assert beside <= {path for path, _ in places("README.md")}
