"""What is known of the models: a server serves one, which nobody knows beforehand, but all complete text."""

from jackfield.plugin import Capabilities, ModelRef, ParameterRule

SOURCE = "TGI's OpenAPI description 3.3, 2026-11-01"

ANY_MODEL = Capabilities(
    kinds=frozenset({"completion"}),
    parameters={"stop": ParameterRule(max_items=4, source=SOURCE)},
    source=SOURCE,
).with_features(SOURCE, streaming=True, system=False, tools=False)


def capabilities(model: ModelRef) -> Capabilities:
    """Say what a model can do."""
    return ANY_MODEL
