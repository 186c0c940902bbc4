"""Which API a request goes to, and which decoder reads its answer."""

from jackfield.plugin import Capabilities, CompletionRequest, ModelRef, Request, Translation, unserved

from ._completion import translate_completion
from ._completion_decoder import CompletionDecoder


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the API that serves it."""
    if isinstance(request, CompletionRequest):
        return translate_completion(model, request, capabilities)
    raise unserved("TGI's generate", request)


def decoder() -> CompletionDecoder:
    """Return a decoder for one answer."""
    return CompletionDecoder()
