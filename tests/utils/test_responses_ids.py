"""What the gateway made is known again, and what others made is not taken for it."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.responses_ids import SEALED, is_our_id, is_our_seal, item_id

RANDOM = "0123456789abcdef01234567"


@pytest.mark.parametrize("prefix", ["msg", "rs", "fc", "ctc", "lsh", "item"])
@pytest.mark.parametrize("id", [f"{RANDOM}01", f"{RANDOM}1ff", f"{RANDOM}i00", f"{RANDOM}i1ff"])
def test_the_gateways_ids_are_its_own(prefix: str, id: str) -> None:
    assert is_our_id(item_id(prefix, id))


@pytest.mark.parametrize(
    "id",
    [
        pytest.param(f"rs_{RANDOM * 2}", id="OpenAI's"),
        pytest.param("msg_lcQ8vYp2KzR7wXn4TtB6mJdC1sHgF0aE", id="llama-server's"),
        pytest.param("call_lc1", id="a client's"),
        pytest.param("", id="empty"),
        pytest.param(None, id="none"),
        pytest.param(3, id="a number"),
    ],
)
def test_others_ids_are_not(id: Any) -> None:
    assert not is_our_id(id)


def test_a_seal_is_told_by_its_beginning() -> None:
    assert [is_our_seal(text) for text in (f"{SEALED}x", "gAAAAAB", "", None)] == [True, False, False, False]
