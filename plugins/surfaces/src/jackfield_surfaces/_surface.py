"""The surfaces: one object for each API that others speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from jackfield import EmbedReply, ModelCard, Reply, RerankReply, TokenCount
from jackfield.plugin import Headers, UnsupportedPolicy, write_json

from . import _chat_request, _completion, _messages_request, _models, _responses_request, _vectors
from ._asked import Asked
from ._chat_encoder import ChatEncoder, whole_chat
from ._encoding import Encoder
from ._envelopes import Envelopes
from ._errors import Envelope, describe_error, error_answer
from ._fields import parse_body
from ._messages_encoder import MessagesEncoder, whole_message
from ._responses_encoder import ResponsesEncoder, whole_response

__all__ = ["SURFACES", "Answer", "Body", "Surface", "Surfaces", "make_surfaces"]

Body: TypeAlias = bytes | bytearray | memoryview | str | Mapping[str, Any]
Answer: TypeAlias = Reply | EmbedReply | RerankReply | TokenCount | Sequence[ModelCard]
_Reader: TypeAlias = Callable[[Mapping[str, str], Mapping[str, Any], UnsupportedPolicy, Envelopes], Asked]
_NO_NAMES: Final[Mapping[str, str]] = {}


@attrs.frozen(kw_only=True)
class Surface:
    """An API that others speak, and a mesh serves: it reads requests, and writes answers and errors. It does no I/O.

    Attributes:
        name: Its name, such as `openai.chat`.
        family: Whose form errors have.
        names: The client's names of Jackfield's options, where they differ.
        streams: Whether answers may be streamed.
    """

    name: str
    family: Envelope
    names: Mapping[str, str] = _NO_NAMES
    _reader: _Reader = attrs.field(repr=False)
    _whole: Callable[[Asked, Any, Envelopes], dict[str, Any]] = attrs.field(repr=False)
    _encoder: Callable[[Asked, Envelopes], Encoder] | None = attrs.field(default=None, repr=False)
    _envelopes: Envelopes = attrs.field(repr=False)

    @property
    def streams(self) -> bool:
        """Whether answers may be streamed."""
        return self._encoder is not None

    def read(
        self, headers: Mapping[str, str], body: Body, *, unsupported: UnsupportedPolicy = "error"
    ) -> Asked:
        """Read a client's request.

        Args:
            headers: The request's headers.
            body: The request's body.
            unsupported: "error" refuses what changes the answer and cannot be honoured; "drop" leaves it out and reports it.

        Raises:
            SurfaceError: The request is not valid, or asks for what is not served.
        """
        return self._reader(Headers(headers), parse_body(body), unsupported, self._envelopes)

    def encoder(self, asked: Asked) -> Encoder:
        """Return an encoder for one streamed answer.

        Raises:
            TypeError: The surface has no streams.
        """
        if self._encoder is None:
            msg = f"{self.name} has no streamed answers"
            raise TypeError(msg)
        return self._encoder(asked, self._envelopes)

    def whole(self, asked: Asked, reply: Answer) -> bytes:
        """Return the bytes of a whole answer.

        Args:
            asked: The request.
            reply: What the call of the mesh returned; for lists of models, the cards.
        """
        return write_json(self._whole(asked, reply, self._envelopes))

    def error(
        self, error: BaseException, *, trusted: bool = False, request_id: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of an error's answer.

        Args:
            error: The error: one of Jackfield's, or any other, of which nothing is told.
            trusted: The client is the program that declared the connections, and may see messages about these.
            request_id: The id of the request, for envelopes that have one.
        """
        words = describe_error(error, self.family, self.names, trusted=trusted)
        return error_answer(words, self.family, request_id)


Surfaces: TypeAlias = Mapping[str, Surface]


def make_surfaces(envelopes: Envelopes) -> Surfaces:
    """Return all surfaces, by name.

    Args:
        envelopes: Seal what travels through clients. Surfaces of several processes, or of one that is started again, need
            the same key to open what the others have sealed.
    """

    def surface(
        name: str, reader: _Reader, whole: Any, encoder: Any = None, names: Any = _NO_NAMES
    ) -> Surface:
        family: Envelope = "anthropic" if name.startswith("anthropic.") else "openai"
        return Surface(
            name=name,
            family=family,
            names=names,
            reader=reader,
            whole=whole,
            encoder=encoder,
            envelopes=envelopes,
        )

    chat, responses, messages = _chat_request, _responses_request, _messages_request
    made = (
        surface("openai.chat", chat.read_chat, whole_chat, ChatEncoder, chat.NAMES),
        surface(
            "openai.responses", responses.read_response, whole_response, ResponsesEncoder, responses.NAMES
        ),
        surface(
            "openai.input_tokens",
            responses.read_input_tokens,
            _models.whole_input_tokens,
            None,
            responses.NAMES,
        ),
        surface(
            "openai.completions",
            _completion.read_completion,
            _completion.whole_completion,
            _completion.CompletionEncoder,
            _completion.NAMES,
        ),
        surface("openai.embeddings", _vectors.read_embeddings, _vectors.whole_embeddings),
        surface("openai.models", _models.read_models, _models.whole_models),
        surface("anthropic.messages", messages.read_messages, whole_message, MessagesEncoder, messages.NAMES),
        surface("anthropic.count_tokens", messages.read_count, _models.whole_count, None, messages.NAMES),
        surface("anthropic.models", _models.read_models, _models.whole_models_of_messages),
        surface("cohere.rerank", _vectors.read_rerank, _vectors.whole_rerank),
    )
    return {one.name: one for one in made}


SURFACES: Final = make_surfaces(Envelopes())
"""All surfaces, by name. What they seal can be opened in this process only; see `make_surfaces`."""
