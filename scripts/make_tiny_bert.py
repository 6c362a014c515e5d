"""Writes tiny models with made-up weights by which a real llama-server embeds and ranks texts.

    python scripts/make_tiny_bert.py FOLDER      (needs requirements-llama.txt)

    tiny-embed.gguf     two layers, WordPiece, the mean of all tokens; 126 kB, for `--embedding`
    tiny-rerank.gguf    the same with a head that scores; 129 kB, for `--reranking`

The vectors and scores mean nothing, but the same text has the same ones each time.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, PoolingType, TokenType
from make_tiny_gguf import WORDS, Matrix, generator, random_matrix

N_LAYER, N_EMBD, N_HEAD, N_FF, N_CTX = 2, 32, 2, 64, 512

SPECIAL = {
    "[PAD]": TokenType.CONTROL,
    "[UNK]": TokenType.UNKNOWN,
    "[CLS]": TokenType.CONTROL,
    "[SEP]": TokenType.CONTROL,
    "[MASK]": TokenType.CONTROL,
}
LETTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
KNOWN = sorted(set(re.findall("[a-z]{3,}", WORDS.lower())))
# llama.cpp marks where a word starts; what goes on with one stands bare.
TOKENS = [*SPECIAL, *(f"\u2581{token}" for token in LETTERS + KNOWN), *LETTERS]


def write_model(path: Path, ranks: bool) -> None:
    writer = GGUFWriter(path, "bert")
    writer.add_name(path.stem)
    writer.add_file_type(1)
    add_shape(writer)
    writer.add_pooling_type(PoolingType.RANK if ranks else PoolingType.MEAN)
    add_vocabulary(writer)
    add_weights(writer, ranks)
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
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)


def add_vocabulary(writer: GGUFWriter) -> None:
    place = {token: number for number, token in enumerate(SPECIAL)}
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(TOKENS)
    writer.add_token_types([SPECIAL.get(token, TokenType.NORMAL) for token in TOKENS])
    writer.add_token_type_count(2)
    writer.add_bos_token_id(place["[CLS]"])
    writer.add_eos_token_id(place["[SEP]"])
    writer.add_sep_token_id(place["[SEP]"])
    writer.add_unk_token_id(place["[UNK]"])
    writer.add_pad_token_id(place["[PAD]"])
    writer.add_mask_token_id(place["[MASK]"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


def add_weights(writer: GGUFWriter, ranks: bool) -> None:
    random = generator("bert")
    writer.add_tensor("token_embd.weight", random_matrix(random, len(TOKENS), N_EMBD, 6.0))
    writer.add_tensor("position_embd.weight", random_matrix(random, N_CTX, N_EMBD, 0.5).astype(np.float32))
    writer.add_tensor("token_types.weight", random_matrix(random, 2, N_EMBD, 0.1).astype(np.float32))
    add_norm(writer, "token_embd_norm")
    for number in range(N_LAYER):
        for name, rows, columns, gain in (
            ("attn_q", N_EMBD, N_EMBD, 1.0),
            ("attn_k", N_EMBD, N_EMBD, 1.0),
            ("attn_v", N_EMBD, N_EMBD, 1.0),
            ("attn_output", N_EMBD, N_EMBD, 0.5),
            ("ffn_up", N_FF, N_EMBD, 1.0),
            ("ffn_down", N_EMBD, N_FF, 0.5),
        ):
            add_linear(writer, f"blk.{number}.{name}", random_matrix(random, rows, columns, gain))
        add_norm(writer, f"blk.{number}.attn_output_norm")
        add_norm(writer, f"blk.{number}.layer_output_norm")
    if ranks:
        add_linear(writer, "cls", random_matrix(random, N_EMBD, N_EMBD))
        add_linear(writer, "cls.output", random_matrix(random, 1, N_EMBD, 2.0).astype(np.float32))


def add_linear(writer: GGUFWriter, name: str, weights: Matrix) -> None:
    writer.add_tensor(f"{name}.weight", weights)
    writer.add_tensor(f"{name}.bias", np.zeros(len(weights), np.float32))


def add_norm(writer: GGUFWriter, name: str) -> None:
    writer.add_tensor(f"{name}.weight", np.ones(N_EMBD, np.float32))
    writer.add_tensor(f"{name}.bias", np.zeros(N_EMBD, np.float32))


def main(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in ("tiny-embed", "tiny-rerank"):
        path = Path(folder) / f"{name}.gguf"
        write_model(path, ranks=name == "tiny-rerank")
        print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
