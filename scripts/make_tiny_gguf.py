"""Writes tiny models with made-up weights that a real llama-server loads.

    python scripts/make_tiny_gguf.py FOLDER      (needs requirements-llama.txt)

    tiny-chat.gguf    two layers, 512 tokens, ChatML with tools; 340 kB
    tiny-think.gguf   the same weights; its template lets a turn open with <think>

Nothing is downloaded and nothing is trained: the weights come from a seeded generator, so
the same files come out every time. The text is junk, but readable: one dimension of the
residual stream is constant, and the output matrix reads it as a bias for every token that
prefers letters and words, closes JSON strings soon and ends a turn after some tens of
tokens. The greedy text depends on the whole prompt.

Two attention heads are wired by hand, so that the junk behaves like an agent: where the
prompt holds <tool_call> (the template writes it when tools are offered) the turn opens with
a call, which llama-server's grammar forces into shape; where it holds <tool_response> the
turn is text again, so that a tool loop ends. tiny-think opens with <think> and closes it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, TokenType

Matrix: TypeAlias = "npt.NDArray[np.float32]"

SEED = 20240607
N_LAYER, N_EMBD, N_HEAD, N_KV, N_FF, N_CTX = 2, 64, 4, 2, 128, 32768
HEAD = 32

# Dimensions of the residual stream with a meaning of their own. The random part of a layer
# neither reads nor writes them.
(CONST, NEWLINE, CALL, CALL_END, KEY_TOOL, VAL_TOOL, VAL_OPEN, KEY_THINK, VAL_THINK,
 VAL_THOUGHT, TOOLS_SEEN, CALL_OPEN, THINKING, THOUGHT, RESERVED) = range(15)  # fmt: skip

# ------------------------------------------------------------------ vocabulary

WORDS = """
You are a helpful assistant. Answer the user. The quick brown fox jumps over the lazy dog.
def main(): return None  if not self.value: raise ValueError(message) import json, os, sys
for item in items: print(item) function const let this that with from have will would there
their what about which when make like time just know take people into year your good some
could them other than then look only come over think also back after work first well even
want because these give most system user assistant tool call name arguments content role
message type string number object properties required description get set list file path
read write search query city weather location temperature unit value true false null result
error status code data test run the and of to in is it for on as with at by an be was one all
"""

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKERS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")


def byte_letters() -> list[str]:
    """GPT-2's printable character for each byte."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    rest = iter(range(256, 512))
    return [chr(byte if byte in printable else next(rest)) for byte in range(256)]


LETTERS = byte_letters()


def learn_merges(count: int) -> list[tuple[str, str]]:
    """Byte-pair merges of the words above."""
    found = re.findall(r" ?[A-Za-z]+| ?[^\sA-Za-z]+", " ".join(WORDS.split()))
    words = Counter(tuple(LETTERS[byte] for byte in word.encode()) for word in found)
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        best = max(sorted(pairs), key=pairs.__getitem__)
        merges.append(best)
        words = Counter({merged(word, best): times for word, times in words.items()})
    return merges


def merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    made: list[str] = []
    for letter in word:
        if made and (made[-1], letter) == pair:
            made[-1] += letter
        else:
            made.append(letter)
    return tuple(made)


MERGES = learn_merges(247)
TOKENS = [*LETTERS, *(a + b for a, b in MERGES), *CONTROL, *MARKERS]
TYPES = [
    *[TokenType.NORMAL] * (len(LETTERS) + len(MERGES)),
    *[TokenType.CONTROL] * len(CONTROL),
    *[TokenType.USER_DEFINED] * len(MARKERS),
]
ID = {token: number for number, token in enumerate(TOKENS)}


def liking() -> Matrix:
    """How much each token is liked, whatever the context."""
    likes: Matrix = np.full(len(TOKENS), -14.0, np.float32)
    for group, like in (
        (range(33, 127), -2.5),
        (map(ord, ".,:;()[{_-'"), -0.5),
        (range(ord("0"), ord("9") + 1), -1.5),
        (range(ord("A"), ord("Z") + 1), -0.5),
        (range(ord("a"), ord("z") + 1), 1.0),
        (map(ord, ","), 2.0),
        (map(ord, "}]"), 2.5),
        (map(ord, '"'), 4.5),
        (map(ord, " "), 1.5),
        (map(ord, "\n"), -3.0),
        (range(256, 256 + len(MERGES)), 2.0),
        ([ID["<|im_end|>"]], 4.2),
    ):
        likes[list(group)] = like
    return likes


# -------------------------------------------------------------------- template

TEMPLATE = r"""
{%- set first = messages[0] if messages and messages[0].role == 'system' else none %}
{%- if first or tools %}
{{- '<|im_start|>system\n' }}
{%- if first %}{{- first.content }}{%- endif %}
{%- if tools %}
{{- '\n\n# Tools\n\nThe functions you may call, as JSON, within <tools></tools>:\n<tools>' }}
{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}
{{- '\n</tools>\n\nTo call one, reply with its name and arguments:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>' }}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- for m in messages %}
{%- if m.role == 'system' and loop.first %}
{%- elif m.role == 'tool' %}
{{- '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}
{%- elif m.role == 'assistant' %}
{{- '<|im_start|>assistant\n' }}
@HISTORY@
{%- if m.content %}{{- m.content }}{%- endif %}
{%- if m.tool_calls %}
{%- for c in m.tool_calls %}
{%- if m.content or not loop.first %}{{- '\n' }}{%- endif %}
{{- '<tool_call>\n{"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}\n</tool_call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- else %}
{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n' }}
@PROMPT@
{%- endif %}
"""  # noqa: E501 - a template's line breaks are text

THOUGHTS = """\
{%- if m.reasoning_content %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}"""
NO_THOUGHT = """\
{%- if enable_thinking is defined and not enable_thinking -%}{{'<think>\\n\\n</think>\\n\\n' }}{%- endif %}"""


def template(think: bool) -> str:
    text = TEMPLATE.replace("@HISTORY@", THOUGHTS if think else "")
    text = text.replace("@PROMPT@", NO_THOUGHT if think else "")
    return "\n".join(line for line in text.splitlines() if line)


# --------------------------------------------------------------------- weights


def generator(name: str) -> np.random.Generator:
    return np.random.default_rng([SEED, *name.encode()])


def random_matrix(random: np.random.Generator, rows: int, columns: int, gain: float = 1.0) -> Matrix:
    """Maps input of unit variance to the variance `gain` squared."""
    return (random.standard_normal((rows, columns)) * gain / np.sqrt(columns)).astype(np.float16)


def blind(matrix: Matrix) -> Matrix:
    """The matrix without what reads the reserved dimensions."""
    matrix[:, :RESERVED] = 0
    return matrix


def mute(matrix: Matrix) -> Matrix:
    """The matrix without what writes the reserved dimensions."""
    matrix[:RESERVED, :] = 0
    return matrix


def embedding(random: np.random.Generator) -> Matrix:
    table = random.standard_normal((len(TOKENS), N_EMBD)).astype(np.float32)
    table[:, :RESERVED] = 0
    table *= np.sqrt(N_EMBD - RESERVED) / np.linalg.norm(table, axis=1, keepdims=True)
    table[:, CONST] = 4.0
    for token, dimension, value in (
        ("<tool_call>", CALL, 2), ("<tool_call>", KEY_TOOL, 1.0),
        ("<tool_call>", VAL_TOOL, 1), ("<tool_call>", VAL_OPEN, 1),
        ("</tool_call>", CALL_END, 2), ("</tool_call>", KEY_TOOL, 1.0),
        ("</tool_call>", VAL_TOOL, 1), ("</tool_call>", VAL_OPEN, -1),
        ("<tool_response>", KEY_TOOL, 1.6), ("<tool_response>", VAL_TOOL, -1),
        ("<think>", KEY_THINK, 1.0), ("<think>", VAL_THINK, 1),
        ("</think>", KEY_THINK, 1.6), ("</think>", VAL_THOUGHT, 1),
    ):  # fmt: skip
        table[ID[token], dimension] = value
    table[ord("\n"), NEWLINE] = 2
    return table


def output(random: np.random.Generator, embedded: Matrix, think: bool) -> Matrix:
    """The reserved dimensions bring what is always liked and the wiring, the others the context."""
    matrix: Matrix = (random.standard_normal((len(TOKENS), N_EMBD)) * 0.32).astype(np.float32)
    matrix -= 0.12 * embedded  # no token likes to follow itself
    matrix[:, :RESERVED] = 0
    matrix[:, CONST] = liking() / 2.8
    call, call_end, end = ID["<tool_call>"], ID["</tool_call>"], ID["<|im_end|>"]
    matrix[call, [NEWLINE, TOOLS_SEEN]] = 12, 9
    matrix[ord("\n"), CALL] = 20
    matrix[end, [CALL_END, NEWLINE]] = 20, -4  # a turn has at least one token
    for token, like in ((call, -20), (call_end, 16), (ord('"'), 5), (ord("}"), 1), (ord(","), -3)):
        matrix[token, CALL_OPEN] = like  # a call is short
    if think:
        opening, closing = ID["<think>"], ID["</think>"]
        matrix[opening, [CONST, NEWLINE, THINKING, THOUGHT]] = -8 / 2.8, 14, -20, -20
        matrix[closing, [CONST, THINKING, VAL_THINK]] = -10 / 2.8, 10.5, -12  # nor is a thought empty
        matrix[end, THINKING] = -12
    return matrix


def wire(q: Matrix, k: Matrix, v: Matrix, o: Matrix) -> None:
    """Makes queries 2 and 3 look for a marker and copy its value.

    They use the two slowest rotary pairs of key 1, so that distance hardly matters. With no
    marker in the context attention is even and the value zero; with as many calls closed as
    opened CALL_OPEN is zero too.
    """
    tool, thought, key = 2 * HEAD, 3 * HEAD, HEAD
    for part in (q[tool:], k[key:], v[key:], o[:, tool:].T):
        part[:] = 0
    q[tool + HEAD - 2, CONST] = 2
    k[key + HEAD - 2, KEY_TOOL] = 12
    v[key, VAL_TOOL] = v[key + 3, VAL_OPEN] = 1
    o[TOOLS_SEEN, tool] = 2
    o[CALL_OPEN, tool + 3] = 4
    q[thought + HEAD - 4, CONST] = 2
    k[key + HEAD - 4, KEY_THINK] = 12
    v[key + 1, VAL_THINK] = v[key + 2, VAL_THOUGHT] = 1
    o[THINKING, thought + 1] = o[THOUGHT, thought + 2] = 2


# ------------------------------------------------------------------------ file


def write_model(path: Path, think: bool) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_file_type(1)
    add_shape(writer)
    add_vocabulary(writer)
    writer.add_chat_template(template(think))
    add_weights(writer, think)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_shape(writer: GGUFWriter) -> None:
    writer.add_context_length(N_CTX)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYER)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_KV)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(1e6)


def add_vocabulary(writer: GGUFWriter) -> None:
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(TOKENS)
    writer.add_token_types(TYPES)
    writer.add_token_merges([f"{a} {b}" for a, b in MERGES])
    writer.add_bos_token_id(ID["<|endoftext|>"])
    writer.add_eos_token_id(ID["<|im_end|>"])
    writer.add_pad_token_id(ID["<|endoftext|>"])
    writer.add_add_bos_token(False)


def add_weights(writer: GGUFWriter, think: bool) -> None:
    random = generator("llama")
    embedded = embedding(random)
    ones: Matrix = np.ones(N_EMBD, np.float32)
    writer.add_tensor("token_embd.weight", embedded.astype(np.float16))
    writer.add_tensor("output.weight", output(random, embedded, think).astype(np.float16))
    writer.add_tensor("output_norm.weight", ones)
    for number in range(N_LAYER):
        for name, weights in layer(number).items():
            writer.add_tensor(f"blk.{number}.{name}.weight", weights)
        writer.add_tensor(f"blk.{number}.attn_norm.weight", ones)
        writer.add_tensor(f"blk.{number}.ffn_norm.weight", ones)


def layer(number: int) -> dict[str, Matrix]:
    random = generator(f"llama.{number}")
    gain = 1.0 if number == 0 else 0.5
    made = {
        "attn_q": blind(random_matrix(random, N_HEAD * HEAD, N_EMBD, 2.0)),
        "attn_k": blind(random_matrix(random, N_KV * HEAD, N_EMBD, 2.0)),
        "attn_v": blind(random_matrix(random, N_KV * HEAD, N_EMBD, 1.5)),
        "attn_output": mute(random_matrix(random, N_EMBD, N_HEAD * HEAD, gain)),
        "ffn_gate": blind(random_matrix(random, N_FF, N_EMBD)),
        "ffn_up": blind(random_matrix(random, N_FF, N_EMBD)),
        "ffn_down": mute(random_matrix(random, N_EMBD, N_FF, gain)),
    }
    if number == 0:
        wire(made["attn_q"], made["attn_k"], made["attn_v"], made["attn_output"])
    return made


def main(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in ("tiny-chat", "tiny-think"):
        path = Path(folder) / f"{name}.gguf"
        write_model(path, think=name == "tiny-think")
        print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
