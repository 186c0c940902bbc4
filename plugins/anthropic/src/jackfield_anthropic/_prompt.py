"""Write a chat as the prompt of a text completion."""

from __future__ import annotations

from typing import Final

from jackfield import Message, RawPart, Text, Thinking, UnsupportedError

__all__ = ["ASSISTANT", "HUMAN", "PROMPT_FORMAT", "chat_prompt"]

PROMPT_FORMAT: Final = "Human/Assistant turns, Anthropic's text completions guide"
HUMAN: Final = "\n\nHuman:"
ASSISTANT: Final = "\n\nAssistant:"
_TURNS: Final = {"user": HUMAN, "assistant": ASSISTANT}


def chat_prompt(messages: tuple[Message, ...]) -> tuple[str, tuple[str, ...]]:
    """Return a conversation in the prompt format that Claude 1, Instant and 2 were trained on.

    Returns:
        The prompt, and no stop sequences: the models stop before the next Human turn by themselves.

    Raises:
        UnsupportedError: A part is not text.
    """
    pieces = []
    for index, message in enumerate(messages):
        for part in message.parts:
            # Thinking and raw parts of other models are left out.
            if not isinstance(part, Text | Thinking | RawPart):
                raise UnsupportedError(
                    f"messages[{index}] contains a {type(part).__name__}; text completions accept only text",
                    parameter="messages",
                )
        pieces.append(f"{_TURNS[message.role]} {message.text}" if message.role in _TURNS else message.text)
    prompt = "".join(pieces)
    if not messages or messages[-1].role != "assistant":
        prompt += ASSISTANT
    return prompt, ()
