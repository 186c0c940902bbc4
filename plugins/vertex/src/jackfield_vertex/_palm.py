"""PaLM: chat-bison, text-bison and the code models. Retired on 2025-04-09; kept for private servers and recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import (
    Citation,
    CitationDelta,
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    RawEvent,
    RawPart,
    StreamInterruptedError,
    Text,
    TextDelta,
    Thinking,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    Frame,
    Head,
    ModelRef,
    ParameterWriter,
    Translation,
    Wire,
    read_count,
)

from ._gemini_decoder import values_of
from ._names import family_of, path_of

__all__ = ["PalmDecoder", "translate_palm"]

_PARAMETERS: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "max_tokens": "maxOutputTokens",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "seed": "seed",
    "top_logprobs": "logprobs",
}
_AUTHORS: Final = {"user": "user", "assistant": "bot"}


def translate_palm(
    model: ModelRef, request: ChatRequest | CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Translate a chat or a completion into a prediction. Source: Vertex AI, PaLM 2 for chat, for text and Codey (2024)."""
    options = request.options
    body: dict[str, Any] = {}
    writer = ParameterWriter.of(request, model, capabilities, body)
    if isinstance(request, ChatRequest):
        body["instances"] = [_chat(writer, request)]
    elif family_of(model.known_as) == "palm-code":
        body["instances"] = [{"prefix": request.prompt}]
        suffix = writer.take("suffix")
        if suffix is not UNSET:
            body["instances"][0]["suffix"] = suffix
            writer.note("suffix", "renamed", wire="instances.suffix", value=suffix)
    else:
        body["instances"] = [{"prompt": request.prompt}]
    for name, field in _PARAMETERS.items():
        writer.put(name, f"parameters.{field}")
    writer.put("stop", "parameters.stopSequences", list)
    writer.merge_extra(options.extra, "vertex")
    meta = {"family": "palm", "most": (body.get("parameters") or {}).get("maxOutputTokens")}
    report = writer.finish()
    if not request.stream:
        return Translation(Wire(path_of(model, "predict"), body, meta=meta), report)
    tensors: dict[str, Any] = {"inputs": [_tensor(one) for one in body["instances"]]}
    if "parameters" in body:
        tensors["parameters"] = _tensor(body["parameters"])
    path = path_of(model, "serverStreamingPredict")
    wire = Wire(path, tensors, query={"alt": "sse"}, stream=True, framing="sse", meta=meta)
    return Translation(wire, report)


def _chat(writer: ParameterWriter, request: ChatRequest) -> dict[str, Any]:
    """Write a chat as one instance: the context, and alternating messages."""
    contexts: list[str] = []
    system = writer.take("system")
    if system is not UNSET:
        writer.note("system", "renamed", wire="instances.context", value=system)
        contexts.append(system)
    messages: list[dict[str, str]] = []
    for index, message in enumerate(request.messages):
        for part in message.parts:
            if isinstance(part, Thinking | RawPart):
                writer.drop(f"messages[{index}]", "PaLM only accepts text")
            elif not isinstance(part, Text):
                writer.refuse(f"messages[{index}]", "PaLM only accepts text")
        if message.role == "system":
            contexts.append(message.text)
        elif message.role in _AUTHORS:
            messages.append({"author": _AUTHORS[message.role], "content": message.text})
    instance: dict[str, Any] = {"messages": messages}
    if contexts:
        instance = {"context": "\n\n".join(contexts), **instance}
    return instance


def _tensor(value: Any) -> dict[str, Any]:
    """Write a value in the format of the streamed method. Source: google.cloud.aiplatform.v1.Tensor."""
    if isinstance(value, Mapping):
        return {"structVal": {name: _tensor(inner) for name, inner in value.items()}}
    if isinstance(value, list | tuple):
        return {"listVal": [_tensor(inner) for inner in value]}
    if isinstance(value, bool):
        return {"boolVal": [value]}
    kind = {str: "stringVal", int: "intVal", float: "floatVal"}[type(value)]
    return {kind: [value]}


def _plain(tensor: Any) -> Any:
    """Parse a value of a streamed answer; 64-bit integers are text."""
    if not isinstance(tensor, Mapping):
        return None
    if tensor.get("structVal") is not None:
        return {name: _plain(inner) for name, inner in tensor["structVal"].items()}
    if tensor.get("listVal") is not None:
        return [_plain(inner) for inner in tensor["listVal"]]
    for name, values in tensor.items():
        if name.endswith("Val") and isinstance(values, list):
            plain = [int(one) if name.startswith(("int64", "uint64")) else one for one in values]
            return plain[0] if len(plain) == 1 else plain
    return None


class PalmDecoder:
    """Decode predictions, whole or streamed. They end with the clean end of the body.

    Args:
        meta: Of the wire; it has the limit of output tokens.
        stream: Whether the answer is streamed.
    """

    def __init__(self, meta: Mapping[str, Any], *, stream: bool) -> None:
        self._most = meta.get("most")
        self._stream = stream
        self._blocked: dict[int, bool] = {}
        self._detail: dict[int, Any] = {}
        self._out: int | None = None

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode a whole answer, or one piece of a stream."""
        events: list[Event] = []
        for value in values_of(frame, stream=self._stream):
            found = value.get("predictions")
            if found is None:
                found = [_plain(one) for one in value.get("outputs") or ()]
            if not found and "metadata" not in value:
                events.append(RawEvent("prediction", value))
            for prediction in found:
                events += self._prediction(prediction)
            events += self._usage(value.get("metadata"))
        return events

    def finish(self) -> list[Event]:
        """Check that there was an answer, and return why each choice ended."""
        if not self._blocked:
            if self._stream:
                raise StreamInterruptedError("the stream ended before any content; try again")
            raise MalformedResponseError("the answer has no predictions")
        full = self._most is not None and self._out == self._most and len(self._blocked) == 1
        # Nothing in a stream says that it is complete, so its end has no reliable reason.
        plain: FinishReason = "length" if full else "other" if self._stream else "stop"
        return [
            Finish("content_filter" if stopped else plain, index, None, self._detail.get(index))
            for index, stopped in sorted(self._blocked.items())
        ]

    def _prediction(self, prediction: Mapping[str, Any]) -> list[Event]:
        candidates = prediction.get("candidates")
        if candidates is None:  # text has one candidate, and its attributes are not a list
            candidates = [prediction]
        safety = prediction.get("safetyAttributes")
        verdicts = safety if isinstance(safety, list) else [safety]
        events: list[Event] = []
        for index, candidate in enumerate(candidates):
            verdict = (verdicts[index] if index < len(verdicts) else None) or {}
            self._blocked[index] = self._blocked.get(index, False) or bool(verdict.get("blocked"))
            if verdict.get("blocked") or verdict.get("categories"):
                self._detail[index] = {"safetyAttributes": verdict}
            if candidate.get("content") not in (None, ""):
                events.append(TextDelta(candidate["content"], index))
        for name in ("citationMetadata", "groundingMetadata"):
            found = prediction.get(name) or ()
            for index, one in enumerate(found if isinstance(found, list) else [found]):
                events += [
                    CitationDelta(_citation(cited), index) for cited in (one or {}).get("citations") or ()
                ]
        return events

    def _usage(self, metadata: Any) -> list[Event]:
        counts = metadata.get("tokenMetadata") if isinstance(metadata, Mapping) else None
        if not counts or not isinstance(counts, Mapping):
            return []
        asked, said = (
            count.get("totalTokens") if isinstance(count := counts.get(name), Mapping) else None
            for name in ("inputTokenCount", "outputTokenCount")
        )
        self._out = read_count(said)
        return [UsageUpdate(Usage(asked, said), counts)]


def _citation(cited: Mapping[str, Any]) -> Citation:
    return Citation(title=cited.get("title"), url=cited.get("url") or cited.get("uri"), data=cited)
