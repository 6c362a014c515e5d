r"""Secrets out of text, purely: whatever is written anywhere passes through `Masker.mask` last.

Three things are taken out, in this order:

1. the configured keys, wherever they stand and however they are written: as they are, JSON- or
   repr-escaped, URL-quoted, HTML-escaped, in base64 (`user:key` of Basic), and beginnings of 8
   and more characters where something cut them (`…`, `...`, the end of the text);
2. values whose *place* says that they are secret: `Authorization: …`, `"api_key": "…"`, `?key=…`,
   `https://user:…@host`, `curl -u …`, in header, JSON, repr, URL, shell and Python notation;
3. what has the *shape* of a provider's key (`sk-…`, `AIza…`, a JWT, …). Hashes, commits and
   UUIDs have no such shape on purpose: they are what a reader looks for in a tool's output.

A mask is always `***` and says nothing of what it hides, not its length either.

Nearly every line has no secret, so a line costs one search for a hint of one; the rules run only
where their own trigger stands in the text. Repetitions are possessive or bounded, or what they take
is never read again, so the work grows as the text does (measured: a test compares 1 MB with 250 kB).

A line of JSON stays JSON: no rule takes a quote that belongs to the line, or half an escape.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby

MASK = "***"


def _words(text: str) -> list[str]:
    return text.split()


HARMLESS = frozenset(
    _words(
        """public none null undefined dummy empty test testing local localhost anonymous example placeholder
        changeme secret password bearer no-key nokey not-needed not-required notneeded no-key-required
        sk-no-key-required sk-no-key sk-dummy fake-key dummy-key test-key api-key apikey your-api-key
        ollama lm-studio lmstudio llama.cpp opencode localcode"""
    )
)
"""Configured "keys" that are ordinary words: masking them by value would take words out of every log.

Where a header or a field says that a key follows, they are masked like any other.
"""

SHORTEST = 6
"""Configured keys below this length are not masked by value: they would be parts of words."""

_HEAD = 8
"""So many first characters of a key are masked where a cut follows, twice as many anywhere."""

_PASSES = 4
"""A mask can uncover a secret that was glued to another, so a masked text is looked at again."""

_PIECE = 160
"""Longer secrets (a service account's JSON) are masked in pieces of this length."""


# ─── by place and shape ──────────────────────────────────────────────────────────────────────────

_VALUE = r"""[^\x00-\x20"'\\,;&<>(){}\[\]|`…]"""
"""One character of a value without quotes; it ends where any notation would end it."""

_QUOTED = r"""
    (?! [,}\]:;.)\s] )
    (?: (?<=") (?<!\\") (?: [^"\\]++ | \\[\s\S] )++
      | (?<=') (?<!\\') (?: [^'"\\]++ | \\[\s\S] )++
      | (?<=\\") (?<!\\\\") (?: [^"\\]++ | \\[^"\\] | \\\\(?: [^"\\] | \\[\s\S] ) )++
      | (?<=\\\\") (?: [^"\\]++ | \\++[^"\\] )++
      | (?<=\\') (?: [^'"\\]++ | \\++[^'"\\] )++ )"""
"""The text after an opening quote: plain, escaped once (JSON in a JSON string), or more often.

It ends at its own closing quote, at one of the string around it (the inner one was cut), or at the end
of the text. A quote followed by punctuation or a space is not an opening one.
"""

_OPEN = r"""(?: [bBuUfF]?[rR]? \\*+["'] )"""
_GAP = r"""[ \t]*+"""
_KEPT = r"""(?! (?: null|[nN]one|[tT]rue|[fF]alse|undefined ) (?: [\s,;}\])] | \Z ) )"""
_NUMBER = r"""(?! -?[0-9][0-9.eE+-]*+ (?: [\s,}\]] | \Z ) )"""
_SEPARATOR = r"""(?: => | [:=](?!=) | %3[AaDd] )"""
_IS = rf"""
    (?: \\*+["'] {_GAP}
        (?: {_SEPARATOR} | ,(?:\s|\\+n)*+ \\*+["'] [vV]alue \\*+["'] {_GAP} : )
        {_GAP} [\[(]?+ {_GAP} {_KEPT} {_NUMBER}
      | {_GAP} {_SEPARATOR} {_GAP} [\[(]?+ {_GAP} )"""
"""What stands between a name and its value. After a quoted name, JSON's null and numbers stay as they are;
the alternative in it is a HAR file's `"name": …, "value": …`.
"""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Where one of `triggers` is in the lower-cased text: `pattern`'s group 1 stays, the rest goes.

    The patterns begin with one character of a name and look back at what is before it: that is
    what `re` finds quickly, and what stands before a match stays anyway.
    """

    triggers: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str] = rf"\g<1>{MASK}"
    only_if: re.Pattern[str] | None = None
    """A cheaper pattern that must be found first."""

    def concerns(self, text: str, lowered: str) -> bool:
        for trigger in self.triggers:
            if trigger in lowered:
                return self.only_if is None or self.only_if.search(text) is not None
        return False


def _rule(triggers: str, pattern: str, only_if: str | None = None) -> _Rule:
    quick = re.compile(only_if) if only_if else None
    return _Rule(tuple(triggers.split("|")), re.compile(pattern, re.VERBOSE), only_if=quick)


def _either_case(word: str) -> str:
    """A pattern for the word in upper or lower case; flags would make the whole search slow."""
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else re.escape(c) for c in word)


def _one_of(words: str) -> str:
    return f"(?:{'|'.join(map(_either_case, _words(words)))})"


def _after(endings: str) -> str:
    """Only directly after one of these, in either case; `~` is nothing or one of `-`, `_` and a space."""
    marks = ("", "[-_ ]")
    spelled = (mark.join(map(_either_case, word.split("~"))) for word in _words(endings) for mark in marks)
    return f"(?:{'|'.join(f'(?<={text})' for text in dict.fromkeys(spelled))})"


def _basic(match: re.Match[str]) -> str:
    """Masks only what really decodes to `user:password`, for "basic" is also a word."""
    token = match[2][: len(match[2]) // 4 * 4]
    try:
        decoded = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    return match[1] + MASK if b":" in decoded else match[0]


_SCHEME = rf"(?: {_one_of('bearer basic token digest negotiate apikey')} [ \t]++ )"

_HEADER_VALUE = rf"""{_IS} (?: {_OPEN} | {_SCHEME}?+ ) ) (?: {_QUOTED} | (?<!["']) {_VALUE}++ )"""
"""Any value, whatever it looks like; the scheme stays."""

_FIELD_VALUE = rf"""
    {_IS} (?: {_OPEN} (?! \{{(?:env|file):[^{{}}"'\\]{{1,200}}\}} \\*+["'] ) )?+ )
    (?: {_QUOTED}
      | (?<=[=:DdAa]) {_KEPT} {_VALUE}++
      | (?= {_VALUE}{{0,64}}[0-9] ) {_VALUE}{{8,}}+
      | {_VALUE}{{20,}}+ )"""
"""What is quoted (but for a reference to the environment), or assigned, or looks like more than a word."""

_IN_PAIR = rf"""(?:\s|\\+n)*+ , (?:\s|\\+n)*+ {_OPEN} ) {_QUOTED}"""

_TOKENS = _words("access refresh auth id session security bearer hf github gh gitlab npm api bot slack")
"""The kinds of token that are secret; `max_tokens` and `next_token` are none of them."""

_PLACES = (
    _rule(
        "private key",
        r"()-----BEGIN[ ][A-Z ]{0,20}PRIVATE[ ]KEY-----(?: [A-Za-z0-9+/=\s]++ | \\+[nr] )*+"
        r"(?: -----END[ ][A-Z ]{0,20}PRIVATE[ ]KEY----- )?",
    ),
    _rule("authorization", rf"( [zZ] {_after('authoriz')} {_either_case('ation')} {_HEADER_VALUE}"),
    _rule(
        "api-key|x-auth-token|x-amz-security-token",
        rf"( [kK] (?: (?<=[pP][iI]-[kK]) [eE][yY] | {_after('x-auth-tok x-amz-security-tok')} [eE][nN] )"
        rf" {_HEADER_VALUE}",
    ),
    _rule(
        "cookie",
        rf"""( [kK] {_after("cook")} [iI][eE] 2?+ {_IS} {_OPEN}?+ )
             (?: {_QUOTED} | (?<=:[ ]) [^"'\\\r\n{{\[(]++ | {_VALUE}++ )""",
    ),
    # The same as pairs: ("authorization", "Bearer …"), [b"cookie", b"…"].
    _rule(
        "authorization|api-key|cookie",
        rf"""( [(\[] \s*+ b?\\*+["'] (?: [a-zA-Z]{{1,8}}- ){{0,2}}
               {_one_of("authorization api-key cookie")}
               \\*+["'] {_IN_PAIR}""",
    ),
    _rule(
        "key",
        rf"""( [kK] {_after("api~k secret~k private~k access~k")} [eE][yY]
               (?: [sS] | [ ]provided | _?[iI][dD] )?+ {_FIELD_VALUE}""",
    ),
    _rule(
        "token",
        rf"( [kK] {_after(' '.join(f'{kind}~tok' for kind in _TOKENS))} [eE][nN] {_FIELD_VALUE}",
    ),
    _rule(
        "secret",
        rf"( [cC] {_after('client~sec app~sec api~sec webhook~sec signing~sec jwt~sec')}"
        rf" [rR][eE][tT] {_FIELD_VALUE}",
    ),
    _rule("passw", rf"( [wW] {_after('passw')} (?: [oO][rR] )?+ [dD] {_FIELD_VALUE}"),
    _rule(
        "--api-key|--token|--password|--cookie|--oauth2-bearer|curl",
        r"""( -- (?: api-key|token|password|cookie|oauth2-bearer ) (?: [ ]++ | = ) \\*+["']?+
             | [ ](?: -u | --user[ =] | --proxy-user[ =] )[ ]?+ \\*+["']?+ (?= [^\s:"'\\]{1,200}+: ) )
            (?! - ) [^\s"'\\]++""",
    ),
    # A URL's query, its & also as &amp; or JSON's \u0026, or all of it quoted once more.
    _rule(
        "key=|token=|secret=|password=|signature=|sig=|auth=|%3d",
        rf"""( (?: [?&;] | \\u0026 | %26 | %3[Ff] )
               (?: [A-Za-z_-]{{0,16}} {_one_of("key token secret password signature")}
                 | {_one_of("sig auth")} )
               (?: = | %3[Dd] ) )
             {_VALUE}++""",
    ),
    _rule("key=", rf"([kK](?<![A-Za-z0-9_-][kK])[eE][yY]=){_VALUE}{{16,}}+"),
    _rule("@", r"""(://)[^\s/?\#"'\\<>]{1,1024}(?=@)"""),
    _rule(
        "bearer",
        rf"""( [bB] {_either_case("earer")} (?: [ \t]++ | %20 | \+ ) )
            (?! (?: tokens?|auth\w{{0,20}}|schemes?|headers?|keys?|realm|of|or|and|is|in )
                (?! \.?[\w~+/=-] ) )
            [A-Za-z0-9._~+/%-]++ =*+""",
    ),
    _Rule(("basic",), re.compile(r"([bB][aA][sS][iI][cC](?:[ \t]++|%20))([A-Za-z0-9+/]{8,}+=*+)"), _basic),
)

# `task-`, `shelf_`: two letters before it make it part of a word; `\n` and `%3A` do not.
_APART = r"(?<![A-Za-z]{2})"

_SHAPES = (
    _rule("akia|asia", rf"(){_APART}A[KS]IA[A-Z0-9]{{16,}}+"),
    _rule("aiza", r"()AIza[A-Za-z0-9_-]{30,}+"),
    _rule("aq.", rf"(){_APART}AQ\.[A-Za-z0-9_-]{{30,}}+"),
    _rule("ya29.", rf"(){_APART}ya29\.[A-Za-z0-9._-]{{20,}}+"),
    _rule("gsk_", r"()gsk_[A-Za-z0-9]{20,}+"),
    _rule("xai-", rf"(){_APART}xai-[A-Za-z0-9]{{20,}}+"),
    _rule("gh", r"()gh[oprsu]_[A-Za-z0-9_]{20,}+"),
    _rule("github_pat_", r"()github_pat_[A-Za-z0-9_]{20,}+"),
    _rule("glpat-", r"()glpat-[A-Za-z0-9_-]{16,}+"),
    _rule("pplx-", r"()pplx-[A-Za-z0-9]{20,}+"),
    _rule("nvapi-", r"()nvapi-[A-Za-z0-9_-]{20,}+"),
    _rule("xox", r"()xox[abeoprs]-[A-Za-z0-9-]{16,}+"),
    _rule("hf_", rf"(){_APART}hf_[A-Za-z0-9]{{20,}}+"),
    _rule("r8_", rf"(){_APART}r8_[A-Za-z0-9]{{20,}}+"),
    _rule("eyj", rf"(){_APART}eyJ[A-Za-z0-9_-]{{8,}}+\.[A-Za-z0-9_-]{{8,}}+\.[A-Za-z0-9_-]*+"),
    # z.ai's keys: 32 hexadecimal digits, a dot, 16 letters and digits (more if glued to something).
    _rule(
        ".",
        r"()(?<![0-9a-f])[0-9a-f]{32}\.[A-Za-z0-9]{16,}+",
        only_if=r"\.(?<=[0-9a-f]{32}\.)[A-Za-z0-9]{16}",
    ),
    # Words such as sk-learn-pipelines have no digit.
    _rule("sk-", rf"(){_APART}c?sk-(?=[A-Za-z_-]{{0,80}}[0-9])[A-Za-z0-9_-]{{16,}}+"),
)

_RULES = _PLACES + _SHAPES


# ─── configured keys ─────────────────────────────────────────────────────────────────────────────

_NAMED_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


def _is_plain(char: str) -> bool:
    """Whether no notation in question ever writes the character differently."""
    return char.isascii() and (char.isalnum() or char in "_.~-")


def _spellings(char: str) -> Iterator[str]:
    """Every way in which JSON, repr, URLs and HTML write a character."""
    yield r"\\{0,16}" + re.escape(char)
    code = ord(char)
    octets = char.encode("utf-8", "surrogatepass")
    yield "".join(f"%(?:25)*{_either_case(f'{octet:02x}')}" for octet in octets)
    yield "".join(rf"\\{{1,16}}x{_either_case(f'{octet:02x}')}" for octet in octets)
    yield rf"\\{{1,16}}(?:x|u00|U000000){_either_case(f'{code:02x}')}" if code < 256 else ""
    yield rf"\\{{1,16}}(?:u|U0000){_either_case(f'{code:04x}')}" if 255 < code < 65536 else ""
    if code > 65535:
        high, low = divmod(code - 0x10000, 0x400)
        pair = (f"{0xD800 + high:04x}", f"{0xDC00 + low:04x}")
        yield "".join(rf"\\{{1,16}}u{_either_case(unit)}" for unit in pair)
        yield rf"\\{{1,16}}U{_either_case(f'{code:08x}')}"
    yield rf"&\#(?:{code}|[xX]0*{_either_case(f'{code:x}')});"
    yield f"&{_NAMED_ENTITIES[char]};" if char in _NAMED_ENTITIES else ""
    yield r"\+" if char == " " else ""
    yield r"[ \t\r\n]+|(?:\\{1,16}[nrt])+" if char in "\n\r\t" else ""


def _tolerant(text: str) -> str:
    """A pattern for the text in any of its spellings, or a mixture of them."""
    return "".join(
        re.escape(char) if _is_plain(char) else f"(?:{'|'.join(filter(None, _spellings(char)))})"
        for char in text
    )


_CUT = r"(?=…|\.\.\.|\\u2026|\Z)"


def _longest(text: str) -> str:
    """A pattern that takes as much of the text's beginning as there is, perhaps nothing."""
    if not text:
        return ""
    block, rest = text[:_HEAD], text[_HEAD:]
    partly = "".join(f"(?:{_tolerant(char)}" for char in block) + ")?" * len(block)
    return f"(?:{_tolerant(block)}{_longest(rest)}|{partly})" if rest else partly


def _beginnings(key: str) -> Iterator[str]:
    """Patterns for a key's first characters: many of them anywhere, some where they are cut."""
    if len(key) > 2 * _HEAD:
        yield _tolerant(key[: 2 * _HEAD]) + _longest(key[2 * _HEAD :])
    if len(key) > _HEAD:
        yield _tolerant(key[:_HEAD]) + _longest(key[_HEAD : 2 * _HEAD]) + _CUT


def _in_base64(key: str) -> Iterator[str]:
    """What base64 makes of the key whatever stands before and behind it: one text for each alignment."""
    octets = key.encode("utf-8", "surrogatepass")
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + octets).decode("ascii")
        inner = encoded[(offset * 8 + 5) // 6 : (offset + len(octets)) * 8 // 6]
        yield from {inner, inner.translate(str.maketrans("+/", "-_"))}


def _pieces(key: str) -> list[str]:
    """The key itself, or a very long one in parts; none of them too short to be sought."""
    starts = range(0, max(len(key) - _PIECE // 2, 1), _PIECE)
    return [key[at : at + _PIECE if at != starts[-1] else None] for at in starts]


def _worth_masking(secrets: Iterable[str]) -> tuple[str, ...]:
    """The configured keys, without spaces around them, that are masked by value; the longest first."""
    keys = {secret.strip() for secret in secrets}
    kept = (key for key in keys if len(key) >= SHORTEST and key.lower() not in HARMLESS)
    pieces = set(chain.from_iterable(map(_pieces, kept)))
    return tuple(sorted(pieces, key=lambda key: (-len(key), key)))


def _keys_pattern(keys: tuple[str, ...]) -> re.Pattern[str] | None:
    """All keys in all spellings; whole keys are tried before beginnings, so that nothing stays behind."""
    if not keys:
        return None
    whole = map(_tolerant, keys)
    encoded = (re.escape(text) for key in keys for text in _in_base64(key))
    beginnings = chain.from_iterable(map(_beginnings, keys))
    return re.compile("|".join(chain(whole, encoded, beginnings)))


# ─── hints ───────────────────────────────────────────────────────────────────────────────────────

_COMMON = " eta:=_oi-.nsr0123456789dl/umfpcyhgb"
"""The characters of log lines, the most frequent first; the others are rarer than these."""

_ANY_CASE = "key|ookie|authoriz|x-auth|secret|passw|bearer|basic|curl"
_AS_IT_IS = (
    "sk-|AIza|AKIA|ASIA|AQ.|gsk_|xai-|hf_|r8_|gho_|ghp_|ghr_|ghs_|ghu_|github_pat_|glpat-|pplx-|nvapi-|"
    "eyJ|ya29.|xox|PRIVATE|@|sig=|auth=|signature="
)
_BY_HAND = (
    ("k", r"(?<=[oO]k)[eE][nN](?![sS])"),  # "token", but not the "tokens" of every line
    ("K", r"(?<=[oO]K)[eE][nN](?![sS])"),
    (".", r"(?<=[0-9a-f]{32}\.)[A-Za-z0-9]{16}"),
)


def _hint(literal: str, any_case: bool = False) -> Iterator[tuple[str, str]]:
    """The literal as (its rarest character, pattern of what is around that).

    A regular expression that begins with few and rare characters is what `re` finds fastest.
    """
    cased = [_either_case(char) if any_case else re.escape(char) for char in literal]
    at = max(range(len(literal)), key=lambda i: _COMMON.find(literal[i]) % 100)
    before, after = "".join(cased[: at + 1]), "".join(cased[at + 1 :])
    around = (f"(?<={before})" if at else "") + after
    anchors = {literal[at].lower(), literal[at].upper()} if any_case else {literal[at]}
    yield from ((anchor, around) for anchor in anchors)


def _hints_of(keys: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern that finds something in every text that has a secret, quickly; None: there is none such.

    For a key this is the longest part of its first characters that is the same in every spelling.
    """
    heads = [max(re.split(r"[^A-Za-z0-9_.~-]", key[:_HEAD]), key=len) for key in keys]
    if not all(heads):
        return None
    literals = chain(_AS_IT_IS.split("|"), heads, chain.from_iterable(map(_in_base64, keys)))
    hints = {hint for literal in literals for hint in _hint(literal)} | set(_BY_HAND)
    hints |= {hint for word in _ANY_CASE.split("|") for hint in _hint(word, any_case=True)}
    groups = groupby(sorted(hints), key=lambda hint: hint[0])
    return re.compile("|".join(f"{re.escape(anchor)}(?:{_alternatives(group)})" for anchor, group in groups))


def _alternatives(hints: Iterable[tuple[str, str]]) -> str:
    return "|".join(around for _, around in hints)


# ─── the masker ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Masker:
    """Knows the configured keys, and takes them and all that looks like a secret out of a text."""

    secrets: Iterable[str] = field(default=(), repr=False)
    _hints: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _keys: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "secrets", frozenset(self.secrets))
        keys = _worth_masking(self.secrets)
        object.__setattr__(self, "_hints", _hints_of(keys))
        object.__setattr__(self, "_keys", _keys_pattern(keys))

    def with_secrets(self, more: Iterable[str]) -> Masker:
        """A masker that knows these as well."""
        return Masker(frozenset(self.secrets) | frozenset(more))

    def mask(self, text: str) -> str:
        """The text with every secret in it replaced by `***`. Masking it again changes nothing."""
        if self._hints is not None and self._hints.search(text) is None:
            return text
        for _ in range(_PASSES):
            masked = self._once(text)
            if masked == text:
                break
            text = masked
        return text

    def _once(self, text: str) -> str:
        if self._keys is not None:
            text = self._keys.sub(MASK, text)
        lowered = text.lower()
        for rule in _RULES:
            if rule.concerns(text, lowered):
                text = rule.pattern.sub(rule.replacement, text)
        return text
