"""Read an encoder's folder: our own `model.json`, or the files of sentence-transformers and transformers.

Defaults are those of sentence-transformers (its 5.x sources and documentation, read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import attrs

from jackfield.plugin import read_json
from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError

from .checks import check_whole, whole
from .folder import DESCRIPTION_FILE, GRAPH_FILE, read_encoder
from .layouts import choose_graph

__all__ = ["EncoderFolder", "Pooling", "RerankerFolder", "read_encoder_folder", "read_reranker_folder"]

Pooling = Literal["mean", "cls", "lasttoken", "max", "mean_sqrt_len_tokens", "weightedmean"]

_POOLINGS: Final[Mapping[str, Pooling]] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# In these models, positions start after the id of the padding token.
_OFFSET_POSITIONS: Final = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"})
_NO_LIMIT: Final = 1_000_000  # tokenizers without a limit have an absurdly large one
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class EncoderFolder:
    """An embedding model in a folder.

    Args:
        name: The model's display name.
        graph: Path of its graph.
        max_tokens: Maximum number of tokens of a text, special tokens included.
        dimensions: Length of a vector, None if no file states it.
        poolings: How hidden states are pooled into a vector; the vectors of several poolings are concatenated.
        normalise: Whether vectors are scaled to length one.
        prompts: Prefixes of a text, by name.
        default_prompt: Name of the prompt to use without an input type.
        skip_prompt: Whether tokens of the prompt are excluded from pooling.
        dimension_choices: Lengths to which vectors may be truncated, according to the model's files.
        pad: Id of the padding token.
        cased: Whether case matters; if not, texts are lowercased first.
    """

    name: str
    graph: Path
    max_tokens: int = attrs.field(validator=check_whole(1))
    dimensions: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_whole(1)))
    poolings: tuple[Pooling, ...] = ("mean",)
    normalise: bool = False
    prompts: Mapping[str, str] = attrs.field(factory=dict)
    default_prompt: str | None = None
    skip_prompt: bool = False
    dimension_choices: tuple[int, ...] = ()
    pad: int = attrs.field(default=0, validator=check_whole(0))
    cased: bool = True


@attrs.frozen(kw_only=True)
class RerankerFolder:
    """A cross-encoder in a folder.

    Args:
        name: The model's display name.
        graph: Path of its graph.
        max_tokens: Maximum number of tokens of a query and a document together, special tokens included.
        sigmoid: Whether the sigmoid function is applied to scores, so that they are between 0 and 1.
        pad: Id of the padding token.
    """

    name: str
    graph: Path
    max_tokens: int = attrs.field(validator=check_whole(1))
    sigmoid: bool
    pad: int = attrs.field(default=0, validator=check_whole(0))


def read_encoder_folder(folder: Path, precision: str = "auto") -> EncoderFolder:
    """Read an embedding model's folder.

    Raises:
        DamagedModelError: A file is missing or malformed.
        UnsupportedModelError: The model is not supported.
    """
    if (folder / DESCRIPTION_FILE).exists():
        own = read_encoder(folder)
        return EncoderFolder(
            name=own.name, graph=folder / GRAPH_FILE, max_tokens=own.max_tokens, dimensions=own.dimensions,
            normalise=True,
        )  # fmt: skip
    return _read_safely(folder, lambda: _read_sentence_transformer(folder, precision))


def read_reranker_folder(folder: Path, precision: str = "auto") -> RerankerFolder:
    """Read a cross-encoder's folder.

    Raises:
        DamagedModelError: A file is missing or malformed.
        UnsupportedModelError: The model is not supported.
    """
    return _read_safely(folder, lambda: _read_cross_encoder(folder, precision))


def _read_safely(folder: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise DamagedModelError(
            f"its configuration cannot be read: {error!r}", str(folder), "Prepare or export the model again."
        ) from error


def _read_sentence_transformer(folder: Path, precision: str) -> EncoderFolder:
    config = _read_object(folder / "config.json")
    modules = _read_modules(folder)
    sentences = _read_object_if_present(folder / "config_sentence_transformers.json")
    transformer = folder / modules.get("Transformer", "")
    bert = _read_object_if_present(transformer / "sentence_bert_config.json") or _read_object_if_present(
        folder / "sentence_bert_config.json"
    )
    pooling = _read_object(folder / modules["Pooling"] / "config.json") if "Pooling" in modules else {}
    prompts = {
        str(name): str(text) for name, text in (sentences.get("prompts") or {}).items() if text is not None
    }
    choices = config.get("matryoshka_dimensions") or sentences.get("matryoshka_dimensions") or ()
    if sentences.get("truncate_dim"):
        choices = (*choices, sentences["truncate_dim"])
    return EncoderFolder(
        name=folder.name,
        graph=choose_graph(folder, precision)[0],
        max_tokens=_read_limit(folder, config, bert.get("max_seq_length")),
        dimensions=config.get("hidden_size"),
        poolings=_read_poolings(pooling, folder),
        normalise="Normalize" in modules,
        prompts=prompts,
        default_prompt=sentences.get("default_prompt_name"),
        skip_prompt=pooling.get("include_prompt", True) is False,
        dimension_choices=tuple(int(choice) for choice in choices),
        pad=config.get("pad_token_id") or 0,
        cased=not bert.get("do_lower_case", False),
    )


def _read_cross_encoder(folder: Path, precision: str) -> RerankerFolder:
    config = _read_object(folder / "config.json")
    labels = len(config["id2label"]) if "id2label" in config else config.get("num_labels", 1)
    if labels != 1:
        raise UnsupportedModelError(
            f"it is a classifier with {labels} classes; a reranker has one score", str(folder)
        )
    newer: Any = config.get("sentence_transformers", {}).get("activation_fn")
    activation = newer or config.get("sbert_ce_default_activation_function") or "Sigmoid"
    kind = str(activation).rpartition(".")[2]
    if kind not in {"Sigmoid", "Identity"}:
        raise UnsupportedModelError(f"its activation function {activation} is not supported", str(folder))
    return RerankerFolder(
        name=folder.name,
        graph=choose_graph(folder, precision)[0],
        max_tokens=_read_limit(folder, config, None),
        sigmoid=kind == "Sigmoid",
        pad=config.get("pad_token_id") or 0,
    )


def _read_modules(folder: Path) -> Mapping[str, str]:
    """Return the paths of sentence-transformers' modules by their class."""
    path = folder / "modules.json"
    if not path.exists():
        return {}
    found = {str(row["type"]).rpartition(".")[2]: str(row.get("path", "")) for row in _read_json(path)}
    unknown = found.keys() - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise UnsupportedModelError(
            f"its modules {', '.join(sorted(unknown))} are not supported", str(folder)
        )
    for place in found.values():
        if ".." in Path(place).parts or Path(place).is_absolute():
            raise UnsupportedModelError(f"modules.json has a path outside the folder: {place!r}", str(folder))
    return found


def _read_poolings(config: Mapping[str, Any], folder: Path) -> tuple[Pooling, ...]:
    named = config.get("pooling_mode")
    if isinstance(named, str):
        if named not in _POOLINGS.values():
            raise UnsupportedModelError(f"its pooling {named!r} is not supported", str(folder))
        return (next(mode for mode in _POOLINGS.values() if mode == named),)
    found = tuple(mode for key, mode in _POOLINGS.items() if config.get(key))
    if config and not found:
        raise UnsupportedModelError("its pooling is not supported", str(folder))
    return found or ("mean",)


def _read_limit(folder: Path, config: Mapping[str, Any], stated: int | None) -> int:
    tokenizer = _read_object_if_present(folder / "tokenizer_config.json")
    positions = config.get("max_position_embeddings")
    if positions is not None and config.get("model_type") in _OFFSET_POSITIONS:
        positions = whole("max_position_embeddings", positions, 1)
        positions -= (config.get("pad_token_id") or 0) + 1
    limits = (stated, tokenizer.get("model_max_length"), positions)
    known = [
        whole("the maximum input length", limit, 1)
        for limit in limits
        if limit is not None and 0 < limit < _NO_LIMIT
    ]
    if not known:
        raise DamagedModelError(
            "no file states its maximum input length", str(folder), "Add sentence_bert_config.json."
        )
    return min(known)


def _read_json(path: Path) -> Any:
    return read_json(path.read_bytes())


def _read_object(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = _read_json(path)
    return body


def _read_object_if_present(path: Path) -> dict[str, Any]:
    return _read_object(path) if path.exists() else {}
