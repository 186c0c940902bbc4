"""What a prepared model folder says about itself: its `model.json`, read into values and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs

from jackfield_onnx._local_errors import DamagedModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "DESCRIPTION_FILE",
    "GRAPH_FILE",
    "TEMPLATE_FILE",
    "TOKENIZER_FILE",
    "WEIGHTS_FILE",
    "DecoderDescription",
    "EncoderDescription",
    "disable_cache",
    "read_decoder",
    "read_encoder",
    "read_tokenizer",
    "write_description",
]

GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "model.onnx.data"
TOKENIZER_FILE = "tokenizer.json"
TEMPLATE_FILE = "chat_template.jinja"
DESCRIPTION_FILE = "model.json"

_REMEDY = "Remove the model from the cache and prepare it again."


def _to_tuple(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class DecoderDescription:
    """Describe a decoder folder: a graph with shared KV buffers and what its engine must know.

    Args:
        name: The model, as people know it.
        layers: Transformer blocks, each with one pair of KV buffers.
        kv_heads: Key-value heads of each block.
        head_dim: Numbers in one head.
        vocabulary: Rows of the logits.
        context_length: Tokens the model was trained to see at once.
        end_token_ids: Tokens that end an answer.
        begin_token: Text of the token that begins a text, for templates; empty when there is none.
        end_token: Text of the token that ends one.
        temperature: Used when a request does not say; likewise what follows up to `repetition_penalty`.
        precision: Of the graph's weights.
        licence: As the model's author states it.
    """

    kind: Literal["decoder"] = "decoder"
    name: str
    layers: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_length: int
    end_token_ids: tuple[int, ...] = attrs.field(converter=_to_tuple)
    begin_token: str = ""
    end_token: str = ""
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    precision: str = "int8"
    licence: str = ""


@attrs.frozen(kw_only=True)
class EncoderDescription:
    """Describe an encoder folder: a graph that turns word pieces into one vector a text.

    Args:
        name: The model, as people know it.
        dimensions: Numbers in a vector.
        max_tokens: Word pieces the model reads, markers included.
        licence: As the model's author states it.
    """

    kind: Literal["encoder"] = "encoder"
    name: str
    dimensions: int
    max_tokens: int
    licence: str = ""


_Description = TypeVar("_Description", DecoderDescription, EncoderDescription)


def write_description(folder: Path, description: DecoderDescription | EncoderDescription) -> None:
    """Write a folder's `model.json`."""
    text = json.dumps(attrs.asdict(description), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


def read_decoder(folder: Path) -> DecoderDescription:
    """Read the description of a decoder folder.

    Raises:
        DamagedModelError: When it is missing, malformed or of another kind.
    """
    return _read_description(folder, DecoderDescription, "decoder")


def read_encoder(folder: Path) -> EncoderDescription:
    """Read the description of an encoder folder.

    Raises:
        DamagedModelError: When it is missing, malformed or of another kind.
    """
    return _read_description(folder, EncoderDescription, "encoder")


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read a folder's tokenizer.

    Raises:
        DamagedModelError: When it is missing or malformed.
    """
    from tokenizers import Tokenizer  # late: the catalogue needs this module without it

    path = folder / TOKENIZER_FILE
    try:
        return disable_cache(Tokenizer.from_file(str(path)))
    except Exception as error:  # tokenizers raises plain Exception
        raise DamagedModelError(f"the tokenizer cannot be read: {error}", str(path), _REMEDY) from error


def disable_cache(tokenizer: Tokenizer) -> Tokenizer:
    """Let a tokenizer keep no words that it has read.

    It would keep ten thousand in every thread that reads with it, about 5 MB, and they stay with the thread when the
    tokenizer is gone (seen with tokenizers 0.23.3): a model that is unloaded when idle would leave them behind each
    time. Reading 4,000 tokens takes 10 ms longer without.
    """
    resize = getattr(tokenizer.model, "_resize_cache", None)
    if resize is not None:
        resize(0)
    return tokenizer


def _read_description(folder: Path, shape: type[_Description], kind: str) -> _Description:
    try:
        body: Any = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        if body.get("kind") != kind:
            raise DamagedModelError(
                f"this is not a {kind}: its kind is {body.get('kind')!r}", str(folder), _REMEDY
            )
        return shape(**body)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DamagedModelError(
            f"{DESCRIPTION_FILE} cannot be read: {error}", str(folder), _REMEDY
        ) from error
