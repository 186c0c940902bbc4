"""Surfaces: APIs that others speak, served from a mesh; and the official clients on a mesh, without a network."""

from __future__ import annotations

from ._asked import Asked, AskedKind, OwnField
from ._clients import anthropic_client, openai_client, sync_anthropic_client, sync_openai_client
from ._conversation import (
    Turn,
    continue_turn,
    echo_in_answer,
    empty_response,
    end_turn,
    event_frame,
    input_items,
    portable_items,
    unknown_response,
)
from ._encoding import Encoder, new_id
from ._envelopes import Envelopes
from ._failures import SurfaceError
from ._fields import parse_body
from ._losses import LOSSES, Loss
from ._paths import PATHS, Route, find_route
from ._relaying import answer_of_service, ask_to_relay
from ._served import Pieces, Served
from ._serving import answer_call, begin_stream, collect_notes, read_call, serve
from ._surface import SURFACES, Surface, make_surfaces
from ._targets import resolve_target

__all__ = [
    "LOSSES",
    "PATHS",
    "SURFACES",
    "Asked",
    "AskedKind",
    "Encoder",
    "Envelopes",
    "Loss",
    "OwnField",
    "Pieces",
    "Route",
    "Served",
    "Surface",
    "SurfaceError",
    "Turn",
    "answer_call",
    "answer_of_service",
    "anthropic_client",
    "ask_to_relay",
    "begin_stream",
    "collect_notes",
    "continue_turn",
    "echo_in_answer",
    "empty_response",
    "end_turn",
    "event_frame",
    "find_route",
    "input_items",
    "make_surfaces",
    "new_id",
    "openai_client",
    "parse_body",
    "portable_items",
    "read_call",
    "resolve_target",
    "serve",
    "sync_anthropic_client",
    "sync_openai_client",
    "unknown_response",
]
