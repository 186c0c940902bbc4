"""Jackfield connects async programs to language models.

What programs use: the mesh, messages, replies, events, errors, configuration. Plugin authors find theirs in
`jackfield.plugin`. Names load when they are first used, so that `import jackfield` costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._faces import lazy

if TYPE_CHECKING:
    from ._calls.check import CheckResult as CheckResult
    from ._calls.explain import Plan as Plan
    from ._calls.streams import Stream as Stream
    from ._config.connections import ConnectionConfig as ConnectionConfig, MeshConfig as MeshConfig
    from ._config.loader import load_config as load_config
    from ._contract.secrets import Secret as Secret
    from ._input.option_types import (
        ChatOptions as ChatOptions,
        EmbedOptions as EmbedOptions,
        RerankOptions as RerankOptions,
    )
    from ._mesh import Mesh as Mesh
    from ._plugins.registry import Registry as Registry
    from ._types.capabilities import ModelCard as ModelCard
    from ._types.content import (
        Audio as Audio,
        Document as Document,
        Image as Image,
        Message as Message,
        MessageLike as MessageLike,
        Part as Part,
        RawPart as RawPart,
        Text as Text,
        Thinking as Thinking,
        Tool as Tool,
        ToolCall as ToolCall,
        ToolResult as ToolResult,
    )
    from ._types.cost import Cost as Cost, CostItem as CostItem
    from ._types.errors import (
        AuthenticationError as AuthenticationError,
        ConfigurationError as ConfigurationError,
        ConnectionFailedError as ConnectionFailedError,
        ContentFilteredError as ContentFilteredError,
        ContextLengthExceededError as ContextLengthExceededError,
        InvalidRequestError as InvalidRequestError,
        JackfieldError as JackfieldError,
        MalformedResponseError as MalformedResponseError,
        MissingCredentialError as MissingCredentialError,
        ModelNotAllowedError as ModelNotAllowedError,
        NotFoundError as NotFoundError,
        OverloadedError as OverloadedError,
        PermissionDeniedError as PermissionDeniedError,
        PluginError as PluginError,
        ProviderError as ProviderError,
        QuotaExceededError as QuotaExceededError,
        RateLimitError as RateLimitError,
        ServerError as ServerError,
        StreamInterruptedError as StreamInterruptedError,
        TimeoutError as TimeoutError,
        TransportError as TransportError,
        UnknownTargetError as UnknownTargetError,
        UnsupportedError as UnsupportedError,
    )
    from ._types.events import (
        Citation as Citation,
        CitationDelta as CitationDelta,
        Event as Event,
        Finish as Finish,
        FinishReason as FinishReason,
        LogprobsDelta as LogprobsDelta,
        PartAdded as PartAdded,
        RawEvent as RawEvent,
        RefusalDelta as RefusalDelta,
        Started as Started,
        TextDelta as TextDelta,
        ThinkingDelta as ThinkingDelta,
        TokenLogprob as TokenLogprob,
        ToolCallDelta as ToolCallDelta,
        ToolCallEnd as ToolCallEnd,
        ToolCallStart as ToolCallStart,
        UsageUpdate as UsageUpdate,
    )
    from ._types.options import Reasoning as Reasoning
    from ._types.parameters import ParameterNote as ParameterNote, ParameterReport as ParameterReport
    from ._types.policies import RetryPolicy as RetryPolicy, TimeoutPolicy as TimeoutPolicy
    from ._types.replies import (
        Attempt as Attempt,
        Choice as Choice,
        EmbedReply as EmbedReply,
        Ranking as Ranking,
        Reply as Reply,
        RerankReply as RerankReply,
        TokenCount as TokenCount,
    )
    from ._types.usage import Usage as Usage
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        {
            "_calls.check": "CheckResult",
            "_calls.explain": "Plan",
            "_calls.streams": "Stream",
            "_config.connections": "ConnectionConfig MeshConfig",
            "_config.loader": "load_config",
            "_contract.secrets": "Secret",
            "_input.option_types": "ChatOptions EmbedOptions RerankOptions",
            "_mesh": "Mesh",
            "_plugins.registry": "Registry",
            "_types.capabilities": "ModelCard",
            "_types.content": "Audio Document Image Message MessageLike Part RawPart Text Thinking Tool ToolCall ToolResult",
            "_types.cost": "Cost CostItem",
            "_types.errors": "AuthenticationError ConfigurationError ConnectionFailedError ContentFilteredError ContextLengthExceededError InvalidRequestError JackfieldError MalformedResponseError MissingCredentialError ModelNotAllowedError NotFoundError OverloadedError PermissionDeniedError PluginError ProviderError QuotaExceededError RateLimitError ServerError StreamInterruptedError TimeoutError TransportError UnknownTargetError UnsupportedError",
            "_types.events": "Citation CitationDelta Event Finish FinishReason LogprobsDelta PartAdded RawEvent RefusalDelta Started TextDelta ThinkingDelta TokenLogprob ToolCallDelta ToolCallEnd ToolCallStart UsageUpdate",
            "_types.options": "Reasoning",
            "_types.parameters": "ParameterNote ParameterReport",
            "_types.policies": "RetryPolicy TimeoutPolicy",
            "_types.replies": "Attempt Choice EmbedReply Ranking Reply RerankReply TokenCount",
            "_types.usage": "Usage",
        },
    )

__version__ = (
    "0.1.0"  # written here as in pyproject.toml (a test compares): importlib.metadata is slow to import
)
