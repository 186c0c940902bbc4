"""Read and write the description (`model.json`) and the tokenizer of a prepared model folder."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs

from jackfield.plugin import read_json
from jackfield_onnx._local_errors import DamagedModelError

from .checks import check_number, check_text, check_token_ids, check_whole

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "DESCRIPTION_FILE",
    "GRAPH_FILE",
    "TEMPLATE_FILE",
    "TEMPLATE_FOLDER",
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
TEMPLATE_FOLDER = "additional_chat_templates"
DESCRIPTION_FILE = "model.json"

_REMEDY = "Remove the model from the cache and prepare it again."


def _to_tuple(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class DecoderDescription:
    """The description of a decoder folder: a graph with shared KV buffers.

    Args:
        name: The model's display name.
        layers: Number of transformer blocks, each with one pair of KV buffers.
        kv_heads: Key-value heads of each block.
        head_dim: Dimensions of a head.
        vocabulary: Number of logits.
        context_length: Context length that the model was trained with, in tokens.
        end_token_ids: Tokens that end a reply.
        begin_token: Text of the begin-of-sequence token, for templates; empty if there is none.
        end_token: Text of the end-of-sequence token.
        temperature: Default if a request has none; so are the following, up to `repetition_penalty`.
        precision: Precision of the graph's weights.
        licence: The licence stated by the model's author.
    """

    kind: Literal["decoder"] = "decoder"
    name: str = attrs.field(validator=check_text)
    layers: int = attrs.field(validator=check_whole(1))
    kv_heads: int = attrs.field(validator=check_whole(1))
    head_dim: int = attrs.field(validator=check_whole(1))
    vocabulary: int = attrs.field(validator=check_whole(1))
    context_length: int = attrs.field(validator=check_whole(1))
    end_token_ids: tuple[int, ...] = attrs.field(converter=_to_tuple, validator=check_token_ids)
    begin_token: str = attrs.field(default="", validator=check_text)
    end_token: str = attrs.field(default="", validator=check_text)
    temperature: float = attrs.field(default=1.0, validator=check_number)
    top_p: float = attrs.field(default=1.0, validator=check_number)
    top_k: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_whole(1)))
    min_p: float = attrs.field(default=0.0, validator=check_number)
    repetition_penalty: float = attrs.field(default=1.0, validator=check_number)
    precision: str = attrs.field(default="int8", validator=check_text)
    licence: str = attrs.field(default="", validator=check_text)


@attrs.frozen(kw_only=True)
class EncoderDescription:
    """The description of an encoder folder: a graph that turns a text into a vector.

    Args:
        name: The model's display name.
        dimensions: Length of a vector.
        max_tokens: Maximum number of tokens of a text, special tokens included.
        licence: The licence stated by the model's author.
    """

    kind: Literal["encoder"] = "encoder"
    name: str = attrs.field(validator=check_text)
    dimensions: int = attrs.field(validator=check_whole(1))
    max_tokens: int = attrs.field(validator=check_whole(1))
    licence: str = attrs.field(default="", validator=check_text)


_Description = TypeVar("_Description", DecoderDescription, EncoderDescription)


def write_description(folder: Path, description: DecoderDescription | EncoderDescription) -> None:
    """Write a folder's `model.json`."""
    text = json.dumps(attrs.asdict(description), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


def read_decoder(folder: Path) -> DecoderDescription:
    """Read the description of a decoder folder.

    Raises:
        DamagedModelError: It is missing, malformed or of another kind.
    """
    return _read_description(folder, DecoderDescription, "decoder")


def read_encoder(folder: Path) -> EncoderDescription:
    """Read the description of an encoder folder.

    Raises:
        DamagedModelError: It is missing, malformed or of another kind.
    """
    return _read_description(folder, EncoderDescription, "encoder")


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read a folder's tokenizer.

    Raises:
        DamagedModelError: It is missing or malformed.
    """
    from tokenizers import Tokenizer  # imported here, because the catalogue needs this module without it

    path = folder / TOKENIZER_FILE
    try:
        content = path.read_bytes()
        return disable_cache(Tokenizer.from_buffer(content.removeprefix(codecs.BOM_UTF8)))
    except Exception as error:  # tokenizers raises plain Exception
        raise DamagedModelError(f"the tokenizer cannot be read: {error}", str(path), _REMEDY) from error


def disable_cache(tokenizer: Tokenizer) -> Tokenizer:
    """Disable a tokenizer's word cache and return the tokenizer.

    The cache holds up to ten thousand words, about 5 MB, per thread that uses the tokenizer, and outlives the tokenizer
    (observed with tokenizers 0.23.3): a model that is unloaded when idle would leak it each time. Without the cache,
    tokenising 4,000 tokens takes 10 ms longer.
    """
    resize = getattr(tokenizer.model, "_resize_cache", None)
    if resize is not None:
        resize(0)
    return tokenizer


def _read_description(folder: Path, shape: type[_Description], kind: str) -> _Description:
    try:
        body: Any = read_json((folder / DESCRIPTION_FILE).read_bytes())
        if body.get("kind") != kind:
            raise DamagedModelError(
                f"this is not a folder of a {kind}: its kind is {body.get('kind')!r}", str(folder), _REMEDY
            )
        return shape(**body)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DamagedModelError(
            f"{DESCRIPTION_FILE} cannot be read: {error}", str(folder), _REMEDY
        ) from error
