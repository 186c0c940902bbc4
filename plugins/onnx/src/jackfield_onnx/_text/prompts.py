"""Turn prompts into tokens; text in a message never becomes a control token."""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from jackfield_onnx._files.folder import disable_cache
from jackfield_onnx._local_errors import RequestError

from .template import ChatTemplate, Turn

__all__ = ["PromptEncoder"]


class PromptEncoder:
    """Turns prompts into tokens, so that only what the model's template writes becomes a control token.

    A tokenizer takes the name of a control token for that token wherever it stands. In a message, whose text may come
    from anybody, that would let its writer end the turn and speak as the system. Such names are masked while the
    template runs, and then read as the characters they are.

    Args:
        tokenizer: The model's tokenizer.
        template: Its chat template, or None when it has none.
    """

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate | None) -> None:
        self.template = template
        self._tokenizer = tokenizer
        known = tokenizer.get_added_tokens_decoder()
        self._control = {token.content: number for number, token in known.items() if token.special}
        # The longest first: one name may begin another.
        names = sorted(self._control, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, names))) if names else None

    def find_control_token(self, name: str) -> int | None:
        """Give the number of a control token, None for a word that is none."""
        return self._control.get(name)

    def encode_text(self, text: str) -> list[int]:
        """Encode a text to be continued. It is the caller's own prompt: names of control tokens count."""
        return self._encode(self._tokenizer, text, markers=True)

    def encode_conversation(
        self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """Encode a conversation, and the tools that the model may call in it.

        Raises:
            RequestError: When the model has no template, or it refuses the conversation.
        """
        if self.template is None:
            raise RequestError("the model has no chat template", "messages", "Give the prompt as a text.")
        names = self._names
        if names is None:
            return self._encode(self._tokenizer, self.template.render(turns, tools), markers=False)
        mask = _Mask(names)
        hidden = [Turn(turn.role, mask.hide(turn.content), mask.hide_in(turn.fields)) for turn in turns]
        hidden_tools = mask.hide_in(list(tools))
        if not mask.used:
            return self._encode(self._tokenizer, self.template.render(turns, tools), markers=False)
        written = self.template.render(hidden, hidden_tools)
        ids: list[int] = []
        at = 0
        for found in names.finditer(written):
            ids += self._encode_literal(mask.show(written[at : found.start()]))
            ids.append(self._control[found[0]])
            at = found.end()
        return ids + self._encode_literal(mask.show(written[at:]))

    def _encode_literal(self, text: str) -> list[int]:
        return self._encode(self._literal_tokenizer, text, markers=False)

    @functools.cached_property
    def _literal_tokenizer(self) -> Tokenizer:
        # A second one, for a tokenizer cannot be switched while another thread uses it. It takes as long to make as
        # the first, and is needed only when a message names a control token.
        plain = disable_cache(Tokenizer.from_str(self._tokenizer.to_str()))
        plain.encode_special_tokens = True
        return plain

    @staticmethod
    def _encode(tokenizer: Tokenizer, text: str, *, markers: bool) -> list[int]:
        encoding: Any = tokenizer.encode(text, add_special_tokens=markers)
        ids: list[int] = encoding.ids
        return ids


class _Mask:
    """Puts words that occur nowhere else in the place of control tokens' names, and back."""

    def __init__(self, names: re.Pattern[str]) -> None:
        self._names = names
        self._key = secrets.token_hex(8)  # cannot be guessed, so no message can hold it
        self._hidden: list[str] = []

    @property
    def used(self) -> bool:
        return bool(self._hidden)

    def hide(self, text: str) -> str:
        return self._names.sub(self._replace, text)

    def hide_in(self, value: Any) -> Any:
        """Hide names in every string of a JSON-like value, keys included."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide_in(key): self.hide_in(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_in(item) for item in value]
        return value

    def show(self, text: str) -> str:
        # Compiled where it is needed: a pattern that no other request has would fill re's cache with each of them.
        return re.sub(f"\ue000{self._key}-(\\d+)\ue001", lambda word: self._hidden[int(word[1])], text)

    def _replace(self, name: re.Match[str]) -> str:
        self._hidden.append(name[0])
        return f"\ue000{self._key}-{len(self._hidden) - 1}\ue001"
