"""Content in parts, thoughts among them."""

from __future__ import annotations

from app.utils.content_parts import said_in_parts, text_of


def test_parts_say_text_and_thoughts_in_their_order() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "H"}, {"type": "text", "text": "m."}]},
        {"type": "thinking", "thinking": "So"},
        {"type": "thinking"},
        {"type": "text", "text": "Yes"},
        {"type": "refusal", "refusal": "No"},
        {"type": "text", "text": 3},
        "!",
        None,
    ]

    assert [*said_in_parts(parts)] == [
        ("thinking", "Hm."),
        ("thinking", "So"),
        ("text", "Yes"),
        ("text", "No"),
        ("text", "!"),
    ]


def test_text_may_be_one_or_in_parts() -> None:
    assert [text_of(it) for it in ("a", [{"text": "a"}, {"text": 3}, 3, {"text": "b"}], None, 3)] == [
        "a",
        "ab",
        "",
        "",
    ]
