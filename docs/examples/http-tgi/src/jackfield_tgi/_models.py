"""The capabilities of models: each server serves one unknown model, but all of them complete text."""

from jackfield.plugin import Capabilities, ModelRef, ParameterRule

SOURCE = "TGI's OpenAPI description 3.3, 2026-11-01"

ANY_MODEL = Capabilities(
    kinds=frozenset({"completion"}),
    parameters={"stop": ParameterRule(max_items=4, source=SOURCE)},
    source=SOURCE,
).with_features(SOURCE, streaming=True, system=False, tools=False)


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model."""
    return ANY_MODEL
