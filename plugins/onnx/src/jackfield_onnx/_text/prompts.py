"""Tokenise prompts; text in a message never becomes a control token."""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from jackfield_onnx._files.folder import disable_cache
from jackfield_onnx._local_errors import RequestError

from .surrogates import mend_text
from .template import ChatTemplate, Turn

__all__ = ["PromptEncoder"]


class PromptEncoder:
    """Tokenises prompts such that only the model's template can write control tokens.

    A tokenizer turns the name of a control token into that token wherever it occurs. In a message, whose text may come
    from anybody, that would allow its author to end the turn and speak as the system. Such names are masked while the
    template is rendered, and then tokenised as ordinary characters.

    Args:
        tokenizer: The model's tokenizer.
        template: Its chat template, None if it has none.
    """

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate | None) -> None:
        self.template = template
        self._tokenizer = tokenizer
        known = tokenizer.get_added_tokens_decoder()
        self._control = {token.content: number for number, token in known.items() if token.special}
        # The longest first, because one name may be a prefix of another.
        names = sorted(self._control, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, names))) if names else None

    def find_control_token(self, name: str) -> int | None:
        """Return the id of a control token, None if there is no such token."""
        return self._control.get(name)

    def encode_text(self, text: str) -> list[int]:
        """Tokenise a prompt to be continued. It is the caller's own text, so names of control tokens become tokens."""
        return self._encode(self._tokenizer, text, markers=True)

    def encode_conversation(
        self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """Render and tokenise a conversation, and the tools that the model may call in it.

        Raises:
            RequestError: The model has no chat template, or its template refuses the conversation.
        """
        if self.template is None:
            raise RequestError("the model has no chat template", "messages", "Use `complete` with a prompt.")
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
        # A second tokenizer, because the first cannot be reconfigured while another thread uses it. Creating it takes as
        # long as the first, and it is needed only if a message names a control token.
        plain = disable_cache(Tokenizer.from_str(self._tokenizer.to_str()))
        plain.encode_special_tokens = True
        return plain

    @staticmethod
    def _encode(tokenizer: Tokenizer, text: str, *, markers: bool) -> list[int]:
        encoding: Any = tokenizer.encode(mend_text(text), add_special_tokens=markers)
        ids: list[int] = encoding.ids
        return ids


class _Mask:
    """Replaces names of control tokens with unique words, and restores them."""

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
        """Replace names in every string of a JSON-like value, keys included."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide_in(key): self.hide_in(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_in(item) for item in value]
        return value

    def show(self, text: str) -> str:
        # Compiled only if needed: each request's pattern is unique, and all of them would fill re's cache.
        return re.sub(f"{self._key}n(\\d+)m", lambda word: self._hidden[int(word[1])], text)

    def _replace(self, name: re.Match[str]) -> str:
        self._hidden.append(name[0])
        # Letters and digits alone: a template may write the text as JSON, with escapes for all others.
        return f"{self._key}n{len(self._hidden) - 1}m"
