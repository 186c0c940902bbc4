"""Legacy text completion (`generate`): the request."""

from __future__ import annotations

from jackfield.plugin import UNSET, Capabilities, CompletionRequest, ModelRef, Translation

from ._dialect import Dialect
from ._options import put_sampling, start_writer

__all__ = ["translate_completion"]


def translate_completion(
    dialect: Dialect, model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Translate a text completion. Source: Python SDK 7.3.1."""
    options = request.options
    writer = start_writer(dialect, "generate", model, capabilities, options, options.given())
    writer.body["prompt"] = request.prompt
    put_sampling(writer, dialect.stop)
    writer.put("n", "num_generations")
    wanted = writer.take("logprobs")
    if wanted is not UNSET:
        writer.write("logprobs", "return_likelihoods", "GENERATION" if wanted else "NONE")
    return dialect.wire("generate", model, writer, request, options.extra)
