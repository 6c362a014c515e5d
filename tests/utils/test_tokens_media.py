"""Sizes from the heads of pictures, pages from PDFs, and what the providers take for them."""

from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import replace

import pytest

from app.utils.tokens_families import OTHER, PictureRule
from app.utils.tokens_media import PIECE, beginning, ending, pdf_tokens, picture_tokens, size_in


def png(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00"
    )


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03"
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + before + frame


EXIF = b"\xff\xe1" + struct.pack(">H", 2002) + b"\xff\xc0\x00\x11\x08\x00\x01\x00\x01" * 222 + bytes(2)
TABLES = b"\xff\xc4\x00\x05\x01\x02\x03\xff\xff\xdb\x00\x04\x01\x02\xff\x01"

LOSSY = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + struct.pack("<HH", 640 | 0x4000, 480)
LOSSLESS = b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(5) + struct.pack("<I", 639 | 479 << 14)
EXTENDED = (
    b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")
)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(png(640, 480), id="png"),
        pytest.param(b"GIF89a" + struct.pack("<HH", 640, 480), id="gif"),
        pytest.param(b"GIF87a" + struct.pack("<HH", 640, 480), id="old gif"),
        pytest.param(LOSSY, id="webp"),
        pytest.param(LOSSLESS, id="lossless webp"),
        pytest.param(EXTENDED, id="extended webp"),
        pytest.param(jpeg(640, 480), id="jpeg"),
        pytest.param(jpeg(640, 480, EXIF), id="jpeg with what looks like a frame in a preview"),
        pytest.param(jpeg(640, 480, TABLES), id="jpeg with tables and fill bytes"),
    ],
)
def test_a_size_is_read_from_the_head(head: bytes) -> None:
    assert size_in(head) == (640, 480)


@pytest.mark.parametrize(
    "whole", [png(1, 1), jpeg(1, 1), LOSSY, LOSSLESS, EXTENDED, b"GIF89a\x01\x00\x01\x00"]
)
def test_a_head_that_is_cut_has_no_size_and_is_no_mistake(whole: bytes) -> None:
    sizes = {size_in(whole[:length]) for length in range(len(whole) - 6)}

    assert sizes == {None}


@pytest.mark.parametrize("head", [b"", b"hello", b"BM" + bytes(50), png(0, 10), b"RIFF" + bytes(40)])
def test_anything_else_has_no_size(head: bytes) -> None:
    assert size_in(head) is None


@pytest.mark.parametrize(
    ("rule", "size", "tokens"),
    [
        ("claude", (200, 200), 54),
        ("claude", (1092, 1092), 1590),
        ("claude", (4000, 3000), 1600),
        ("claude 4.7", (1920, 1080), 2765),
        ("claude 4.7", (8000, 8000), 4784),
        ("gpt", (1024, 1024), 765),
        ("gpt", (2048, 4096), 1105),
        ("gpt-5", (1024, 1024), 630),
        ("gpt-4o-mini", (512, 512), 8500),
        ("gpt-mini", (1024, 1024), 1659),
        ("gpt-mini", (4000, 4000), 2489),
        ("gemini", (384, 384), 258),
        ("gemini", (960, 540), 1548),
        ("gemini 3", (100, 100), 1120),
        ("patches", (280, 56), 20),
        ("patches", (9000, 9000), 4096),
    ],
)  # fmt: skip
def test_a_picture_costs_what_the_provider_says(
    rule: PictureRule, size: tuple[int, int], tokens: int
) -> None:
    data = b64encode(png(*size) + bytes(1000)).decode()
    family = replace(OTHER, pictures=rule)

    assert picture_tokens(data, family) == tokens
    assert picture_tokens(f"data:image/png;base64,{data}", family) == tokens


@pytest.mark.parametrize(("rule", "tokens"), [("gpt", 85), ("gpt-5", 70), ("claude", 1049)])
def test_low_detail_is_cheap_where_there_is_such_a_thing(rule: PictureRule, tokens: int) -> None:
    assert picture_tokens("https://x.test/a.png", replace(OTHER, pictures=rule), "low") == tokens


def test_only_the_ends_of_base64_are_decoded() -> None:
    data = "data:application/pdf;base64," + b64encode(b"begin" + bytes(1_000_000) + b"end").decode()

    assert beginning(data).startswith(b"begin")
    assert ending(data).rstrip(b"\x00").endswith(b"end")
    assert len(beginning(data)) == len(ending(data)) == PIECE // 4 * 3


@pytest.mark.parametrize(
    ("document", "pages"),
    [
        pytest.param(b"%PDF-1.7\n<< /Type /Pages /Kids [1 0 R] /Count 12 >>", 12, id="told at the beginning"),
        pytest.param(
            b"%PDF-1.7\n" + bytes(300_000) + b"<</Count 7/Type/Pages>>\n%%EOF", 7, id="told at the end"
        ),
        pytest.param(
            b"%PDF-1.7\n<< /Linearized 1 /L 90000 /N 31 /T 1 >>" + bytes(90_000), 31, id="made for the web"
        ),
        pytest.param(b"%PDF-1.7\n<< /Type /Outlines /Count 99 >>", 1, id="a count of something else"),
        pytest.param(b"%PDF-1.7\n" + bytes(600_000), 11, id="by its length"),
        pytest.param(b"", 1, id="nothing"),
    ],
)
def test_a_pdf_costs_by_its_pages(document: bytes, pages: int) -> None:
    assert pdf_tokens(b64encode(document).decode(), OTHER) == pages * OTHER.page
