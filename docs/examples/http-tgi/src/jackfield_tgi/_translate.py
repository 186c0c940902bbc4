"""Translate a request into a wire. Pure: no I/O, and the request is not changed."""

from typing import Any

from jackfield import UnsupportedError
from jackfield.plugin import (
    Capabilities,
    CompletionRequest,
    ModelRef,
    ParameterWriter,
    Request,
    Translation,
    Wire,
)

_PARAMETERS = {
    "max_tokens": "max_new_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
}


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire, and report what became of each option."""
    if not isinstance(request, CompletionRequest):
        raise UnsupportedError("TGI's generate only completes text", parameter="kind")
    options = request.options
    body: dict[str, Any] = {"inputs": request.prompt}
    # The writer applies the model's rules and keeps the report; `finish` refuses options that were not written.
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    for name, theirs in _PARAMETERS.items():
        writer.put(name, f"parameters.{theirs}")
    writer.put("stop", "parameters.stop", list)
    if options.temperature == 0:  # the server rejects 0; this has the same meaning
        writer.put("temperature", "parameters.do_sample", lambda _: False)
    else:
        writer.put("temperature", "parameters.temperature")
    writer.default("details", "parameters.details", True, "without it the answer does not say why it ended")
    writer.merge_extra(options.extra, "tgi")
    path = "/generate_stream" if request.stream else "/generate"
    return Translation(Wire(path, body, stream=request.stream, framing="sse"), writer.finish())
