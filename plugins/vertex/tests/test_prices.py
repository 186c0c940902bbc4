"""Which prices are known."""

import jackfield_vertex
from jackfield import (
    Usage,
)
from jackfield.plugin import (
    CostContext,
    ModelRef,
)


def test_prices_are_known_only_where_a_source_says_them():
    def rates(model, usage=None, **context):
        return jackfield_vertex.jackfield_cost(
            ModelRef(model), usage or Usage(10, 10), CostContext(when=0, **context)
        )

    assert str(rates("gemini-2.5-pro").rates["output"].amount) == "10"
    assert rates("gemini-2.5-pro", Usage(200_001, 1)) is None
    assert rates("gemini-2.5-flash", Usage(10, 1, details={"input_audio_tokens": 5})) is None
    assert rates("gemini-2.5-flash", Usage(10, 1, 5)) is None
    assert rates("gemini-2.5-flash", service_tier="PROVISIONED_THROUGHPUT") is None
    assert rates("gemini-2.5-flash", batch=True) is None
    assert rates("gemini-9") is rates("claude-sonnet-4-6") is rates("chat-bison") is None
