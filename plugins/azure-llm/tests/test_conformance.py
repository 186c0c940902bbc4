"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from __future__ import annotations

from kit_samples import ADD, asked

import jackfield_azure_llm
from jackfield import InvalidRequestError
from jackfield.testing import Case, conformance

WITH_TOOLS = asked(tools=(ADD,))
STREAMED_TOOLS = asked(stream=True, tools=(ADD,))
CALLS = (("add", {"a": 1, "b": 2}),)
SKY = "The sky is blue 🌤."
WHY = "Wavelengths scätter."
SERVERLESS = "https://name.eastus.models.ai.azure.com"
RESOURCE = "https://name.services.ai.azure.com/models"


def case(wire, underlying="deepseek-r1", uri=SERVERLESS, **facts):
    name = f"my-{underlying}"
    declared = {"id": name, "target_uri": uri}
    return Case(model=name, underlying=underlying, declared=declared, wire=wire, **facts)


@conformance(
    jackfield_azure_llm,
    case("wire/inline.sse", text=SKY, thinking=WHY, usage=(12, 5), finish="stop", pair="inline"),
    case("wire/inline.json", text=SKY, thinking=WHY, usage=(12, 5), finish="stop", pair="inline"),
    case("wire/apart.sse", uri=RESOURCE, text=SKY, thinking=WHY, usage=(12, 5), pair="apart"),
    case("wire/apart.json", uri=RESOURCE, text=SKY, thinking=WHY, usage=(12, 5), pair="apart"),
    case("wire/no_usage.sse", text="Hi.", usage=None, finish="stop"),
    case(
        "wire/tools.sse", "gpt-4o", request=STREAMED_TOOLS, tool_calls=CALLS, finish="tool_calls", pair="add"
    ),
    case("wire/tools.json", "gpt-4o", request=WITH_TOOLS, tool_calls=CALLS, finish="tool_calls", pair="add"),
    case("wire/embedding.json", "embed-v-4-0", kind="embedding", embedding=(2, 2)),
    case("wire/unknown_parameter.json", uri=RESOURCE, status=422, error=InvalidRequestError),
)
def test_conformance(check):
    check()
