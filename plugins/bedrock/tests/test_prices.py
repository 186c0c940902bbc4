"""Published prices."""

from bedrock_requests import CLAUDE

import jackfield_bedrock
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield_bedrock._models import known_models


def test_prices_are_known_only_where_a_source_says_them():
    now = CostContext(when=0)
    used = Usage(10, 10)
    cost = jackfield_bedrock.jackfield_cost
    card = cost(ModelRef("eu.meta.llama3-8b-instruct-v1:0"), used, now)
    assert card is not None
    assert cost(ModelRef(CLAUDE), used, now) is None
    assert (
        cost(ModelRef("meta.llama3-8b-instruct-v1:0"), used, CostContext(when=0, service_tier="priority"))
        is None
    )
    assert cost(ModelRef("meta.llama3-8b-instruct-v1:0"), used, CostContext(when=0, batch=True)) is None
    assert cost(ModelRef("meta.llama3-8b-instruct-v1:0"), Usage(10, 10, 5), now) is None
    assert all("price" not in row or row["price"]["input"] for row in known_models().values())
