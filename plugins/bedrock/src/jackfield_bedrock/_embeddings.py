"""Embeddings: Cohere's in its dialect; Titan's and Nova's one text per call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import Event, MalformedResponseError, RawEvent, UnsupportedError, Usage, UsageUpdate
from jackfield.plugin import (
    UNSET,
    Capabilities,
    EmbeddingData,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Translation,
    Wire,
    vector_reader,
)

from ._dialect import cohere
from ._invoke import with_envelope
from ._models import row_of
from ._names import path_of

__all__ = ["read_embedding", "translate_embedding"]

_PURPOSES: Final[Mapping[str, str]] = {
    "query": "GENERIC_RETRIEVAL",
    "document": "GENERIC_INDEX",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
_CUTS: Final[Mapping[str, str]] = {"error": "NONE", "start": "START", "end": "END"}


def translate_embedding(model: ModelRef, request: EmbedRequest, capabilities: Capabilities) -> Translation:
    """Translate a request for embeddings.

    Raises:
        UnsupportedError: The model's body is unknown, or it accepts only one text per call.
    """
    native = row_of(model.known_as)["native"]
    path = path_of(model, "invoke")
    if native == "cohere-embed":
        from jackfield_cohere import translate as translate_cohere

        translation = translate_cohere(cohere(path, path, generate=False), model, request, capabilities)
        return with_envelope(translation, model, "cohere", stream=False)
    write = _WRITERS.get(native)
    if write is None:
        raise UnsupportedError(
            f"the body of {model.id} is unknown; write `underlying` if a known model is behind it",
            parameter="kind",
        )
    if len(request.inputs) != 1:
        raise UnsupportedError(
            f"{model.id} embeds one text per call, got {len(request.inputs)}", parameter="inputs"
        )
    body: dict[str, Any] = {}
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    write(writer, request.inputs[0])
    writer.merge_extra(request.extra, "bedrock")
    wire = Wire(path, body)
    return with_envelope(Translation(wire, writer.finish()), model, "embedding", stream=False)


def _write_titan(writer: ParameterWriter, text: str) -> None:
    """Write Titan's body. Source: Bedrock user guide, Titan Embeddings Text (2024-2026): too long is an error."""
    writer.body["inputText"] = text
    writer.put("dimensions")
    cut = writer.take("truncate")
    if cut == "error":
        writer.note("truncate", "sent", value=cut, why="the service always rejects a text that is too long")
    elif cut is not UNSET:
        writer.refuse("truncate", "the service never truncates a text; it rejects one that is too long", cut)


def _write_nova(writer: ParameterWriter, text: str) -> None:
    """Write Nova's body. Source: recorded requests of nova-2-multimodal-embeddings, 2026."""
    purpose, cut = writer.take("input_type"), writer.take("truncate")
    inner: dict[str, Any] = {"embeddingPurpose": "GENERIC_INDEX", "text": {"value": text}}
    writer.body["taskType"] = "SINGLE_EMBEDDING"
    writer.body["singleEmbeddingParams"] = inner
    place = "singleEmbeddingParams"
    if purpose is UNSET or purpose not in _PURPOSES:
        if purpose is not UNSET:
            writer.refuse("input_type", f"the service accepts {', '.join(_PURPOSES)}", purpose)
        why = "the service requires the purpose of the text"
        writer.default("input_type", f"{place}.embeddingPurpose", "GENERIC_INDEX", why)
    else:
        writer.write("input_type", f"{place}.embeddingPurpose", _PURPOSES[purpose])
    if cut is UNSET:
        why = "the service requires what to do with a text that is too long"
        writer.default("truncate", f"{place}.text.truncationMode", "NONE", why)
    else:
        writer.write("truncate", f"{place}.text.truncationMode", _CUTS[cut])
    writer.put("dimensions", f"{place}.embeddingDimension")


_WRITERS: Final = {"titan-embed": _write_titan, "nova-embed": _write_nova}


def read_embedding(answer: Mapping[str, Any]) -> Iterator[Event]:
    """Read the embedding of one text, by Titan or Nova."""
    kinds: Mapping[str, Any] = answer.get("embeddingsByType") or {}
    vector = answer.get("embedding")
    several = answer.get("embeddings")
    if vector is None and several:
        vector = several[0]["embedding"]
    if vector is None:
        vector = kinds.get("float") or next(iter(kinds.values()), None)
    if vector is None:
        raise MalformedResponseError(f"the answer has no embedding; it has {', '.join(answer) or 'nothing'}")
    yield EmbeddingData(0, vector_reader()(vector))
    for kind, value in kinds.items():
        if kind != "float":
            yield RawEvent(f"embeddings.{kind}", value)
    count = answer.get("inputTextTokenCount")
    if count is not None:
        yield UsageUpdate(Usage(count))
