"""Translate a completion into a wire: the request as data. Nothing is sent here, and the request is not changed."""

from typing import Any

from jackfield.plugin import Capabilities, CompletionRequest, ModelRef, ParameterWriter, Translation, Wire

_PARAMETERS = {
    "max_tokens": "max_new_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
}


def translate_completion(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Translate a completion, and report what became of each option."""
    body: dict[str, Any] = {"inputs": request.prompt}
    # The writer applies the model's rules and keeps the report; `finish` refuses options that were not written.
    writer = ParameterWriter.of(request, model, capabilities, body)
    for name, theirs in _PARAMETERS.items():
        writer.put(name, f"parameters.{theirs}")
    writer.put("stop", "parameters.stop", list)
    if request.options.temperature == 0:  # the server rejects 0; this has the same meaning
        writer.put("temperature", "parameters.do_sample", lambda _: False)
    else:
        writer.put("temperature", "parameters.temperature")
    writer.default("details", "parameters.details", True, "without it the answer does not say why it ended")
    writer.merge_extra(request.options.extra, "tgi")
    path = "/generate_stream" if request.stream else "/generate"
    return Translation(Wire(path, body, stream=request.stream, framing="sse"), writer.finish())
