"""Read a decoder's folder, in the layout of whichever tool made it.

Three layouts are supported: our own converter's (`model.json`), that of onnxruntime-genai's builder
(`genai_config.json`), and that of optimum and transformers.js (`config.json` with `model.onnx` or `onnx/model.onnx`).
Names and sizes from these files are compared with the graph when it is opened.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from jackfield.plugin import read_json, read_text_file
from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError

from .checks import check_text
from .folder import (
    DESCRIPTION_FILE,
    GRAPH_FILE,
    TEMPLATE_FILE,
    TEMPLATE_FOLDER,
    DecoderDescription,
    read_decoder,
)

__all__ = [
    "CONFIG_FILE",
    "DEFAULT_TEMPLATE",
    "GENAI_FILE",
    "Attention",
    "DecoderFolder",
    "choose_graph",
    "read_decoder_folder",
]

Attention = Literal["shared", "concat"]

GENAI_FILE = "genai_config.json"
CONFIG_FILE = "config.json"

# Suffixes that optimum and transformers.js use for graphs of other precisions.
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "fp32": ("", "_fp32"),
    "fp16": ("_fp16",),
    "int8": ("_int8", "_quantized", "_uint8"),
    "int4": ("_q4", "_int4", "_bnb4"),
}
_PLACES = ("", "onnx/")
_FUSED = b"GroupQueryAttention"
DEFAULT_TEMPLATE = "default"


def _check_names(_: object, field: attrs.Attribute[Any], value: tuple[Any, ...]) -> None:
    for name in value:
        if not isinstance(name, str) or name.count("%") != 1 or "%d" not in name:
            raise ValueError(f"{field.name} has {name!r}, not a name with %d for the layer")


@attrs.frozen(kw_only=True)
class DecoderFolder:
    """A decoder in a folder.

    Args:
        description: The model's description.
        graph: Path of its graph.
        attention: `shared` if the graph appends to the caller's KV buffer, `concat` if it returns past and new keys and
            values concatenated.
        names: Name templates of the KV tensors: past key, past value, present key, present value.
        logits: Name of the logits.
        templates: The chat templates by name; most models have `default` alone, or none.
        tokens: Control tokens by the names that templates use, such as `pad_token`.
        cpu_only: Whether the graph runs on the CPU only.
    """

    description: DecoderDescription
    graph: Path
    attention: Attention
    names: tuple[str, str, str, str] = attrs.field(
        default=(
            "past_key_values.%d.key",
            "past_key_values.%d.value",
            "present.%d.key",
            "present.%d.value",
        ),
        validator=_check_names,
    )
    logits: str = attrs.field(default="logits", validator=check_text)
    templates: Mapping[str, str] = attrs.field(factory=dict)
    tokens: Mapping[str, str] = attrs.field(factory=dict)
    cpu_only: bool = False

    @property
    def template(self) -> str | None:
        """The chat template; None if there is none. Without a `default`, it is the first of those that have a name."""
        return self.templates.get(DEFAULT_TEMPLATE, next(iter(self.templates.values()), None))


def read_decoder_folder(folder: Path, precision: str = "auto") -> DecoderFolder:
    """Read a decoder's folder.

    Args:
        folder: The folder.
        precision: Which of its graphs to use.

    Raises:
        DamagedModelError: A file is missing or malformed.
        UnsupportedModelError: The model is not supported, or has no graph of that precision.
    """
    if (folder / DESCRIPTION_FILE).exists():
        return _read_own(folder, precision)
    try:
        if (folder / GENAI_FILE).exists():
            return _read_genai(folder, precision)
        if (folder / CONFIG_FILE).exists():
            return _read_optimum(folder, precision)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged_error(folder, f"its configuration cannot be read: {error!r}") from error
    raise _damaged_error(
        folder,
        f"this is not a model folder: it has none of {DESCRIPTION_FILE}, {GENAI_FILE}, {CONFIG_FILE}",
    )


def _read_own(folder: Path, precision: str) -> DecoderFolder:
    description = read_decoder(folder)
    if precision not in {"auto", description.precision}:
        raise _precision_error(folder, precision, [description.precision])
    return DecoderFolder(
        description=description,
        graph=folder / GRAPH_FILE,
        attention="shared",
        templates=_read_templates(folder),
        tokens=_read_tokens(folder),
        cpu_only=True,
    )


def _read_genai(folder: Path, precision: str) -> DecoderFolder:
    body = _read_json(folder / GENAI_FILE)
    model, search = body["model"], body.get("search", {})
    decoder = model["decoder"]
    if "pipeline" in decoder or any(part in model for part in ("vision", "speech", "encoder")):
        raise UnsupportedModelError("models of several graphs are not supported", str(folder))
    if precision != "auto":
        raise _precision_error(folder, precision, ["auto"])
    inputs, outputs = decoder["inputs"], decoder["outputs"]
    greedy = not search.get("do_sample", True)
    graph = folder / decoder["filename"]
    return DecoderFolder(
        description=DecoderDescription(
            name=folder.name,
            layers=decoder["num_hidden_layers"],
            kv_heads=decoder["num_key_value_heads"],
            head_dim=decoder["head_size"],
            vocabulary=model["vocab_size"],
            context_length=model["context_length"],
            end_token_ids=_to_ids(model.get("eos_token_id")),
            temperature=0.0 if greedy else _get(search, "temperature", 1.0),
            top_p=search.get("top_p") or 1.0,
            top_k=None if greedy else search.get("top_k") or None,
            repetition_penalty=_get(search, "repetition_penalty", 1.0),
            precision="auto",
            **_read_marker_tokens(folder),
        ),
        graph=graph,
        attention=_detect_attention(graph),
        names=(
            inputs["past_key_names"],
            inputs["past_value_names"],
            outputs["present_key_names"],
            outputs["present_value_names"],
        ),
        logits=outputs.get("logits", "logits"),
        templates=_read_templates(folder),
        tokens=_read_tokens(folder),
    )


def _read_optimum(folder: Path, precision: str) -> DecoderFolder:
    config = _read_json(folder / CONFIG_FILE)
    config = {**config, **config.get("text_config", {})}
    path = folder / "generation_config.json"
    generation = _read_json(path) if path.exists() else {}
    heads: int = config.get("num_attention_heads") or config["n_head"]
    hidden: int = config.get("hidden_size") or config["n_embd"]
    ends = generation.get("eos_token_id", config.get("eos_token_id"))
    # Defaults of transformers: greedy; if sampling is on, top_k is 50.
    greedy = not generation.get("do_sample", False)
    graph, found = choose_graph(folder, precision)
    return DecoderFolder(
        description=DecoderDescription(
            name=folder.name,
            layers=config.get("num_hidden_layers") or config["n_layer"],
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            vocabulary=config["vocab_size"],
            context_length=config.get("max_position_embeddings") or config["n_positions"],
            end_token_ids=_to_ids(ends),
            temperature=0.0 if greedy else _get(generation, "temperature", 1.0),
            top_p=generation.get("top_p") or 1.0,
            top_k=None if greedy else generation.get("top_k", 50) or None,
            min_p=generation.get("min_p") or 0.0,
            repetition_penalty=_get(generation, "repetition_penalty", 1.0),
            precision=found,
            **_read_marker_tokens(folder),
        ),
        graph=graph,
        attention=_detect_attention(graph),
        templates=_read_templates(folder),
        tokens=_read_tokens(folder),
    )


def _get(values: Mapping[str, Any], name: str, default: float) -> Any:
    """Return a value; null means that the file does not say."""
    found = values.get(name)
    return default if found is None else found


def choose_graph(folder: Path, precision: str) -> tuple[Path, str]:
    """Choose a folder's graph of a precision.

    Returns:
        Its path and its precision.

    Raises:
        DamagedModelError: The folder has no graph.
        UnsupportedModelError: It has none of that precision.
    """
    found = {
        name: path
        for name, suffixes in _SUFFIXES.items()
        for suffix in reversed(suffixes)
        for place in reversed(_PLACES)
        if (path := folder / f"{place}model{suffix}.onnx").exists()
    }
    if not found:
        merged = list(folder.rglob("decoder_model*.onnx"))
        if merged:
            raise UnsupportedModelError(
                "split or merged decoder graphs are not supported",
                str(merged[0]),
                "Export the model again with a newer optimum, which writes one model.onnx.",
            )
        raise _damaged_error(folder, "it has no model.onnx")
    if precision == "auto":
        # Full precision; if there is none, the highest.
        return next(iter(found.values())), next(iter(found))
    if precision not in found:
        raise _precision_error(folder, precision, list(found))
    return found[precision], precision


def _detect_attention(graph: Path) -> Attention:
    """Detect how a graph handles its KV cache: the fused operator appends to a buffer, others concatenate."""
    try:
        with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return "shared" if content.find(_FUSED) >= 0 else "concat"
    except (OSError, ValueError) as error:
        raise _damaged_error(graph, f"the graph cannot be read: {error}") from error


def _read_templates(folder: Path) -> dict[str, str]:
    """Read the chat templates by name; files come before what `tokenizer_config.json` holds, as in transformers."""
    found = {
        path.stem: _read_template_file(path) for path in sorted((folder / TEMPLATE_FOLDER).glob("*.jinja"))
    }
    path = folder / TEMPLATE_FILE
    if path.exists():
        return {DEFAULT_TEMPLATE: _read_template_file(path), **found}
    given = _read_tokenizer_config(folder).get("chat_template")
    if isinstance(given, list):  # several, by name
        return {**{str(one["name"]): str(one["template"]) for one in given}, **found}
    if isinstance(given, dict):
        return {**{str(name): str(source) for name, source in given.items()}, **found}
    return found if given is None else {DEFAULT_TEMPLATE: str(given), **found}


def _read_template_file(path: Path) -> str:
    try:
        return read_text_file(path)
    except OSError as error:
        raise _damaged_error(path, f"the chat template cannot be read: {error}") from error


def _read_marker_tokens(folder: Path) -> dict[str, Any]:
    tokens = _read_tokens(folder)
    words = {"begin_token": tokens.get("bos_token"), "end_token": tokens.get("eos_token")}
    return {name: word for name, word in words.items() if word is not None}


def _read_tokens(folder: Path) -> dict[str, str]:
    """Read the control tokens that templates may name: `bos_token`, `pad_token` and others."""
    tokens = {}
    for name, word in _read_tokenizer_config(folder).items():
        text = word.get("content") if isinstance(word, dict) else word
        if name.endswith("_token") and isinstance(text, str):
            tokens[name] = text
    return tokens


def _read_tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return _read_json(path) if path.exists() else {}


def _to_ids(given: int | Iterable[int] | None) -> tuple[int, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, int) else tuple(given)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        body: dict[str, Any] = read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged_error(path, f"it cannot be read: {error}") from error
    return body


def _damaged_error(path: Path, what: str) -> DamagedModelError:
    return DamagedModelError(what, str(path), "Prepare or export the model again.")


def _precision_error(folder: Path, wanted: str, found: list[str]) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"it has no graph of precision {wanted}",
        str(folder),
        f"It has {', '.join(found)}; declare one of these.",
    )
