"""Opaque envelopes: what a provider wants back and a surface has no field for travels through the client, sealed.

An envelope stands where clients keep opaque text and send it back unchanged: the signature of a thinking block, the
encrypted content of a reasoning item. It holds the provider, the model and the data, and is signed: a client can neither
change one nor make one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import RawPart, Text, Thinking, ToolCall
from jackfield.plugin import read_json, write_json

__all__ = ["Envelopes", "Sealed", "apply_to_calls", "put_back"]

_MARK: Final = "jf1."
_MAC_BYTES: Final = 16


@attrs.frozen
class Sealed:
    """What an envelope holds.

    Attributes:
        kind: "thinking", "text", "call" or "raw".
        provider: The provider that made it.
        model: The model that made it.
        data: What goes back to it.
        call: The id of the tool call that the data belongs to.
    """

    kind: str
    provider: str | None
    model: str | None
    data: Mapping[str, Any]
    call: str | None = None


class Envelopes:
    """Seals and opens envelopes.

    Args:
        key: What they are signed with; None makes a key that lives as long as this process, so that envelopes of an earlier
            one are not opened, and the thinking in them is left out.
        owner: Whose they are: an envelope of one owner is not opened for another.
    """

    def __init__(self, key: bytes | None = None, *, owner: str = "") -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._owner = owner.encode()

    def seal(self, sealed: Sealed) -> str:
        """Return an envelope as text of letters, digits, `-`, `_` and `.`."""
        fields = {
            "k": sealed.kind,
            "p": sealed.provider,
            "m": sealed.model,
            "d": sealed.data,
            "c": sealed.call,
        }
        body = write_json({name: value for name, value in fields.items() if value is not None})
        return _MARK + base64.urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def open(self, text: str) -> Sealed | None:
        """Return what an envelope holds; None if it is not one, or not one of ours."""
        if not self.is_one(text):
            return None
        coded = text[len(_MARK) :]
        try:
            data = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
        except ValueError:
            return None
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        fields = read_json(body)
        return Sealed(fields["k"], fields.get("p"), fields.get("m"), fields["d"], fields.get("c"))

    @staticmethod
    def is_one(text: str) -> bool:
        """Return whether a text looks like an envelope, whoever sealed it."""
        return text.startswith(_MARK)

    @staticmethod
    def may_be_in(body: bytes) -> bool:
        """Return whether a body may hold an envelope."""
        return _MARK.encode() in body

    def of_thinking(self, provider: str | None, model: str | None, data: Mapping[str, Any]) -> str:
        """Seal the opaque data of thinking."""
        return self.seal(Sealed("thinking", provider, model, data))

    def of_call(self, call: str, data: Mapping[str, Any]) -> str:
        """Seal the opaque data of a tool call, by provider id."""
        return self.seal(Sealed("call", None, None, data, call))

    def of_text(self, data: Mapping[str, Any]) -> str:
        """Seal the opaque data of a text, by provider id."""
        return self.seal(Sealed("text", None, None, data))

    def of_raw(self, part: RawPart) -> str:
        """Seal a part that only one provider understands."""
        return self.seal(Sealed("raw", part.provider, None, part.data))

    def _mac(self, body: bytes) -> bytes:
        signed = len(self._owner).to_bytes(4, "big") + self._owner + body
        return hmac.new(self._key, signed, hashlib.sha256).digest()[:_MAC_BYTES]


def apply_to_calls(parts: list[Any], data: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """Return the parts of an assistant's turn with the data of its tool calls, by the call's id."""
    if not data:
        return parts
    return [
        attrs.evolve(part, provider_data={**(part.provider_data or {}), **data[part.id]})
        if isinstance(part, ToolCall) and part.id in data
        else part
        for part in parts
    ]


def put_back(sealed: Sealed, text: str, parts: list[Any], calls: dict[str, Mapping[str, Any]]) -> None:
    """Put what an envelope holds back into an assistant's turn.

    Args:
        sealed: What it holds.
        text: The thinking that may be read, beside it.
        parts: The turn so far.
        calls: Collects the data of tool calls.
    """
    if sealed.kind == "call" and sealed.call is not None:
        calls[sealed.call] = sealed.data
    elif sealed.kind == "raw" and sealed.provider is not None:
        parts.append(RawPart(sealed.provider, sealed.data))
    elif sealed.kind == "text":
        for number in reversed(range(len(parts))):
            if isinstance(parts[number], Text):
                old = parts[number].provider_data or {}
                parts[number] = attrs.evolve(parts[number], provider_data={**old, **sealed.data})
                break
    elif sealed.kind == "thinking":
        parts.append(Thinking(text, sealed.provider, sealed.model, sealed.data or None))
