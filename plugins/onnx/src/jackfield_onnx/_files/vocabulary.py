"""Build a tokenizer from the vocabulary in a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.pre_tokenizers import PreTokenizer

from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError

__all__ = ["build_tokenizer"]

_CONTROL_TOKEN = 3  # `tokenizer.ggml.token_type`: 1 normal, 3 control


def _make_smollm_pre_tokenizer() -> PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )


# Pre-tokenizers by `tokenizer.ggml.pre`. llama.cpp has dozens of them, and a wrong one gives a tokenizer that seems to
# work; so only those that were compared with the original are listed, and all others are refused.
_PRE_TOKENIZERS: Mapping[str, Callable[[], PreTokenizer]] = {"smollm": _make_smollm_pre_tokenizer}


def build_tokenizer(metadata: Mapping[str, Any], source: str) -> Tokenizer:
    """Build the tokenizer that a GGUF file describes.

    Args:
        metadata: The file's metadata.
        source: The file, for messages.

    Raises:
        UnsupportedModelError: The kind of vocabulary is not supported.
        DamagedModelError: A key is missing.
    """
    model, pre = metadata.get("tokenizer.ggml.model"), str(metadata.get("tokenizer.ggml.pre"))
    if model != "gpt2" or pre not in _PRE_TOKENIZERS:
        raise UnsupportedModelError(
            f"a vocabulary of model {model!r} with pre-tokenizer {pre!r} is not supported",
            source,
            f"Supported are gpt2 with {', '.join(sorted(_PRE_TOKENIZERS))}; convert the model with its own tokenizer.json.",
        )
    try:
        tokens = metadata["tokenizer.ggml.tokens"]
        kinds = metadata["tokenizer.ggml.token_type"]
        merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    except KeyError as error:
        raise DamagedModelError(f"the vocabulary has no {error}", source, "Fetch the file again.") from error
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = _PRE_TOKENIZERS[pre]()
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer
