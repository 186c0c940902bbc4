"""Text on its way into a model and out of it: prompts from templates, characters from tokens, stop strings."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import attrs
import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from jackfield_onnx._files.folder import forgetful
from jackfield_onnx._local_errors import RequestError

__all__ = ["ChatTemplate", "PromptEncoder", "StopScanner", "TokenText", "Turn"]


@attrs.frozen
class Turn:
    """One message of a conversation, as a chat template sees it.

    Args:
        role: Who speaks.
        content: What is said.
        fields: What else the template finds in the message, such as `tool_calls` or `tool_call_id`.
    """

    role: str
    content: str
    fields: Mapping[str, Any] = attrs.field(factory=dict)


class ChatTemplate:
    """A model's own way of writing a conversation as one text.

    The template comes with the model and is a program, so it runs in Jinja's sandbox and cannot change what it is
    given.

    Args:
        source: The Jinja template.
        begin_token: Given to the template as `bos_token`.
        end_token: Given to the template as `eos_token`.
    """

    def __init__(self, source: str, *, begin_token: str = "", end_token: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        # What templates written for Hugging Face's transformers expect to find.
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        self._tokens = {"bos_token": begin_token, "eos_token": end_token}
        self.source = source
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise RequestError(f"the model's chat template cannot be compiled: {error}") from error

    def render(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """Write a conversation so that the model's answer comes next.

        Args:
            turns: The conversation.
            tools: Tools that the model may call, in the shape that templates expect; without any, the template finds
                none instead of an empty list, for that is what it tests.

        Raises:
            RequestError: When the template refuses the conversation, such as an unknown role.
        """
        messages = [{**turn.fields, "role": turn.role, "content": turn.content} for turn in turns]
        offered = {"tools": list(tools)} if tools else {}
        try:
            return self._template.render(
                messages=messages, add_generation_prompt=True, **offered, **self._tokens
            )
        except jinja2.TemplateError as error:
            raise RequestError(f"the model's chat template refused the messages: {error}") from error


def _to_json(value: object, indent: int | None = None) -> str:
    # Jinja's own escapes <, > and & for web pages; a model would see the escapes.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)


class TokenText:
    """Text of tokens as they come, in whole characters only.

    A token may end within a character, and decoding it alone would lose both that character and the space before a
    word; so the stream holds back what is not whole yet.

    Args:
        tokenizer: The model's tokenizer.
        shown: Control tokens whose names are text here; others are left out.
    """

    def __init__(self, tokenizer: Tokenizer, shown: Mapping[int, str] | None = None) -> None:
        self._tokenizer = tokenizer
        self._shown = shown or {}
        self._stream = DecodeStream(skip_special_tokens=True)
        self._tokens: list[int] = []
        self._emitted = 0

    def feed(self, token: int) -> str:
        """Take one token and give the text that it makes certain, often none."""
        if token in self._shown:
            held = self.flush()
            self._stream, self._tokens, self._emitted = DecodeStream(skip_special_tokens=True), [], 0
            return held + self._shown[token]
        self._tokens.append(token)
        text: str = self._stream.step(self._tokenizer, token) or ""
        self._emitted += len(text)
        return text

    def flush(self) -> str:
        """Give what is still held at the end; a character cut in two becomes U+FFFD."""
        whole: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        return whole[self._emitted :]


class StopScanner:
    """Cuts a text at the first stop string, across the borders of its pieces.

    It holds back only what could still become a stop string: nothing at all, most of the time.

    Args:
        stops: The strings, none of them empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """Take a piece.

        Returns:
            The text that may be shown, and the stop string that ended it, if one did.
        """
        if not self._stops:
            return text, None
        text = self._held + text
        found = min(((at, stop) for stop in self._stops if (at := text.find(stop)) >= 0), default=None)
        if found is not None:
            self._held = ""
            return text[: found[0]], found[1]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], None

    def flush(self) -> str:
        """Give what was held back, since nothing follows that could complete a stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Measure the longest end of a text that begins a stop string without completing it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


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

    def control_token(self, name: str) -> int | None:
        """Give the number of a control token, None for a word that is none."""
        return self._control.get(name)

    def text(self, text: str) -> list[int]:
        """Encode a text to be continued. It is the caller's own prompt: names of control tokens count."""
        return self._ids(self._tokenizer, text, markers=True)

    def conversation(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """Encode a conversation, and the tools that the model may call in it.

        Raises:
            RequestError: When the model has no template, or it refuses the conversation.
        """
        if self.template is None:
            raise RequestError("the model has no chat template", "messages", "Give the prompt as a text.")
        names = self._names
        if names is None:
            return self._ids(self._tokenizer, self.template.render(turns, tools), markers=False)
        mask = _Mask(names)
        hidden = [Turn(turn.role, mask.hide(turn.content), mask.hide_in(turn.fields)) for turn in turns]
        hidden_tools = mask.hide_in(list(tools))
        if not mask.used:
            return self._ids(self._tokenizer, self.template.render(turns, tools), markers=False)
        written = self.template.render(hidden, hidden_tools)
        ids: list[int] = []
        at = 0
        for found in names.finditer(written):
            ids += self._literal(mask.show(written[at : found.start()]))
            ids.append(self._control[found[0]])
            at = found.end()
        return ids + self._literal(mask.show(written[at:]))

    def _literal(self, text: str) -> list[int]:
        return self._ids(self._plain, text, markers=False)

    @functools.cached_property
    def _plain(self) -> Tokenizer:
        # A second one, for a tokenizer cannot be switched while another thread uses it. It takes as long to make as
        # the first, and is needed only when a message names a control token.
        plain = forgetful(Tokenizer.from_str(self._tokenizer.to_str()))
        plain.encode_special_tokens = True
        return plain

    @staticmethod
    def _ids(tokenizer: Tokenizer, text: str, *, markers: bool) -> list[int]:
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
        return self._names.sub(self._word, text)

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

    def _word(self, name: re.Match[str]) -> str:
        self._hidden.append(name[0])
        return f"\ue000{self._key}-{len(self._hidden) - 1}\ue001"
