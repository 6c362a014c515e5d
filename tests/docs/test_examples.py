"""Every command of README.md and EXAMPLES.md gives what stands behind it.

`python -m tests.docs.examples` writes the answers anew.
"""

from __future__ import annotations

import pytest

from tests.docs.examples import WITH_EXAMPLES, Stage, pretty
from tests.docs.pages import Example, page

EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name in WITH_EXAMPLES
    for number, example in enumerate(page(name).examples, 1)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_gives_what_the_page_says(stage: Stage, example: Example) -> None:
    assert stage.answer(example.question, example.answer.language) == example.answer.text


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_no_page_shows_a_failure_of_the_gateway_as_an_answer(name: str) -> None:
    failures = ("<html", "Internal Server Error", "internal_error", "Traceback")

    assert [
        it.answer.text for it in page(name).examples if any(word in it.answer.text for word in failures)
    ] == []


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_no_command_of_curl_stands_without_its_answer(name: str) -> None:
    answered = {example.question for example in page(name).examples}
    asking = {block for block in page(name).blocks if block.language == "sh" and "curl -s" in block.text}

    assert asking <= answered


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ([], "[]"),
        (["x" * 60, {"ü": "y" * 60}], f'[\n  "{"x" * 60}",\n  {{"ü": "{"y" * 60}"}}\n]'),
        ({"long": "x" * 120}, f'{{\n  "long": "{"x" * 120}"\n}}'),
    ],
    ids=["fits", "empty", "too long", "cannot be broken"],
)
def test_json_is_laid_out_for_reading(value: object, expected: str) -> None:
    assert pretty(value) == expected
