"""What the cases of the conformance kit ask and expect, where nothing speaks for a provider's own."""

from jackfield import Message, Tool
from jackfield.plugin import ChatRequest, Options

__all__ = ["ADD", "ASKED", "CALLS", "NOW", "SCHEMA", "SKY", "THOUGHT", "asked"]

ADD = Tool(
    "add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
)
NOW = Tool("now", "Say the time.")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ASKED = (Message("user", "What is 1 + 2?"),)
CALLS = (("add", {"a": 1, "b": 2}), ("now", {}))
SKY, THOUGHT = "The sky scätters blue 🌤 light.", "Rayleigh, of course."


def asked(stream=False, messages=ASKED, **options):
    """Make a request for a chat."""
    return ChatRequest(messages, Options(**options), stream=stream)
