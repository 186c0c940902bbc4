"""What plugins are written with: hooks, wires, frames, decoders, writers, capabilities, transports, auth, middlewares.

What programs use (messages, events, errors) is in `jackfield`; a name is in one of the two. Names load when they are
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._faces import lazy

if TYPE_CHECKING:
    from ._calls.doubts import find_doubts as find_doubts, find_failures as find_failures
    from ._calls.middlewares import around_calls as around_calls
    from ._calls.relay import RelayedAnswer as RelayedAnswer, RelayRequest as RelayRequest
    from ._calls.replay import events_of as events_of, replayed_reply as replayed_reply
    from ._calls.streams import (
        EventMap as EventMap,
        ReplayedStream as ReplayedStream,
        StreamSource as StreamSource,
        WatchedStream as WatchedStream,
    )
    from ._calls.translation import SUMMARY_PROMPT as SUMMARY_PROMPT
    from ._config.connections import find_model as find_model, is_allowed as is_allowed
    from ._config.defaults import SharedKeys as SharedKeys
    from ._contract.choices import choose_lifetime as choose_lifetime, nearest_effort as nearest_effort
    from ._contract.decoding import WholeDecoder as WholeDecoder, vector_reader as vector_reader
    from ._contract.event_decoder import EventDecoder as EventDecoder, whole_tool_call as whole_tool_call
    from ._contract.hookspecs import hookimpl as hookimpl
    from ._contract.json_frames import read_frame as read_frame, sift_frame as sift_frame
    from ._contract.json_tool import JSONTool as JSONTool, json_tool as json_tool
    from ._contract.keys import is_at_hosts as is_at_hosts, may_carry_secrets as may_carry_secrets
    from ._contract.meanings import attribute_meanings as attribute_meanings
    from ._contract.middleware import (
        Handler as Handler,
        Middleware as Middleware,
        MiddlewareKind as MiddlewareKind,
    )
    from ._contract.paths import quote_path as quote_path, quote_segment as quote_segment
    from ._contract.protocols import (
        Auth as Auth,
        Bearer as Bearer,
        CostContext as CostContext,
        Decoder as Decoder,
        Exchange as Exchange,
        FailureInStream as FailureInStream,
        HttpAccess as HttpAccess,
        Listing as Listing,
        NoAuth as NoAuth,
        ProviderInfo as ProviderInfo,
        Signer as Signer,
        StaticHeader as StaticHeader,
        Token as Token,
        Transport as Transport,
    )
    from ._contract.relaying import (
        pass_headers as pass_headers,
        replace_model as replace_model,
        swap_model as swap_model,
    )
    from ._contract.secrets import secret as secret
    from ._contract.shared_tokens import SharedTokens as SharedTokens
    from ._contract.tables import DatedRates as DatedRates, load_table as load_table
    from ._contract.translating import (
        ParameterWriter as ParameterWriter,
        ReportBuilder as ReportBuilder,
        unserved as unserved,
    )
    from ._contract.turns import Turn as Turn
    from ._contract.wrapped_decoder import WrappedDecoder as WrappedDecoder
    from ._hints import hint as hint, install_command as install_command, suggestion as suggestion
    from ._input.owners import is_owner as is_owner
    from ._json import exact_numbers as exact_numbers, read_json as read_json, write_json as write_json
    from ._mesh import explain_middlewares as explain_middlewares, relay as relay
    from ._plugins.capabilities import resolve_capabilities as resolve_capabilities
    from ._plugins.registry import PluginState as PluginState, Provider as Provider
    from ._plugins.versions import CredentialKind as CredentialKind
    from ._text_files import read_text_file as read_text_file
    from ._types.bookings import BOOKINGS as BOOKINGS, Bookings as Bookings
    from ._types.calls import (
        OWNER as OWNER,
        Call as Call,
        Fingerprint as Fingerprint,
        Forecast as Forecast,
        Outcome as Outcome,
        Timings as Timings,
    )
    from ._types.capabilities import (
        FEATURES as FEATURES,
        Capabilities as Capabilities,
        Capability as Capability,
        Kind as Kind,
        Limits as Limits,
        ModelEntry as ModelEntry,
        ModelRef as ModelRef,
        ParameterRule as ParameterRule,
    )
    from ._types.content import Role as Role, parse_arguments as parse_arguments
    from ._types.cost import Rate as Rate, RateCard as RateCard
    from ._types.error_bodies import (
        ErrorBody as ErrorBody,
        is_error_body as is_error_body,
        read_error_body as read_error_body,
    )
    from ._types.events import (
        EmbeddingData as EmbeddingData,
        RerankScore as RerankScore,
        TokensCounted as TokensCounted,
    )
    from ._types.failures import Failure as Failure
    from ._types.media import (
        media_type_of as media_type_of,
        read_base64 as read_base64,
        split_data_url as split_data_url,
        text_of as text_of,
    )
    from ._types.option_rules import (
        UNSET as UNSET,
        Maybe as Maybe,
        Unset as Unset,
        UnsupportedPolicy as UnsupportedPolicy,
    )
    from ._types.options import Continuation as Continuation, Options as Options
    from ._types.parameters import Translation as Translation
    from ._types.policies import PacePolicy as PacePolicy
    from ._types.replies import Replay as Replay
    from ._types.requests import (
        ChatRequest as ChatRequest,
        CompletionRequest as CompletionRequest,
        CountRequest as CountRequest,
        EmbedRequest as EmbedRequest,
        InputType as InputType,
        Request as Request,
        RerankRequest as RerankRequest,
        SummarizeRequest as SummarizeRequest,
        Truncate as Truncate,
    )
    from ._types.sizes import parse_size as parse_size
    from ._types.usage import read_count as read_count, read_quantity as read_quantity
    from ._types.wire import Frame as Frame, Head as Head, Headers as Headers, Wire as Wire
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        {
            "_calls.doubts": "find_doubts find_failures",
            "_calls.middlewares": "around_calls",
            "_calls.relay": "RelayRequest RelayedAnswer",
            "_calls.replay": "events_of replayed_reply",
            "_calls.streams": "EventMap ReplayedStream StreamSource WatchedStream",
            "_calls.translation": "SUMMARY_PROMPT",
            "_config.connections": "find_model is_allowed",
            "_config.defaults": "SharedKeys",
            "_contract.choices": "choose_lifetime nearest_effort",
            "_contract.decoding": "WholeDecoder vector_reader",
            "_contract.event_decoder": "EventDecoder whole_tool_call",
            "_contract.hookspecs": "hookimpl",
            "_contract.json_frames": "read_frame sift_frame",
            "_contract.json_tool": "JSONTool json_tool",
            "_contract.keys": "is_at_hosts may_carry_secrets",
            "_contract.meanings": "attribute_meanings",
            "_contract.middleware": "Handler Middleware MiddlewareKind",
            "_contract.paths": "quote_path quote_segment",
            "_contract.protocols": "Auth Bearer CostContext Decoder Exchange FailureInStream HttpAccess Listing NoAuth ProviderInfo Signer StaticHeader Token Transport",
            "_contract.relaying": "pass_headers replace_model swap_model",
            "_contract.secrets": "secret",
            "_contract.shared_tokens": "SharedTokens",
            "_contract.tables": "DatedRates load_table",
            "_contract.translating": "ParameterWriter ReportBuilder unserved",
            "_contract.turns": "Turn",
            "_contract.wrapped_decoder": "WrappedDecoder",
            "_hints": "hint install_command suggestion",
            "_input.owners": "is_owner",
            "_json": "exact_numbers read_json write_json",
            "_mesh": "explain_middlewares relay",
            "_plugins.capabilities": "resolve_capabilities",
            "_plugins.registry": "PluginState Provider",
            "_plugins.versions": "CredentialKind",
            "_text_files": "read_text_file",
            "_types.bookings": "BOOKINGS Bookings",
            "_types.calls": "Call Fingerprint Forecast OWNER Outcome Timings",
            "_types.capabilities": "FEATURES Capabilities Capability Kind Limits ModelEntry ModelRef ParameterRule",
            "_types.content": "Role parse_arguments",
            "_types.cost": "Rate RateCard",
            "_types.error_bodies": "ErrorBody is_error_body read_error_body",
            "_types.events": "EmbeddingData RerankScore TokensCounted",
            "_types.failures": "Failure",
            "_types.media": "media_type_of read_base64 split_data_url text_of",
            "_types.option_rules": "UNSET Maybe Unset UnsupportedPolicy",
            "_types.options": "Continuation Options",
            "_types.parameters": "Translation",
            "_types.policies": "PacePolicy",
            "_types.replies": "Replay",
            "_types.requests": "ChatRequest CompletionRequest CountRequest EmbedRequest InputType Request RerankRequest SummarizeRequest Truncate",
            "_types.sizes": "parse_size",
            "_types.usage": "read_count read_quantity",
            "_types.wire": "Frame Head Headers Wire",
        },
    )
