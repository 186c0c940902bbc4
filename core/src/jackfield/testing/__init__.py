"""Fakes for the tests of programs, and the conformance kit for the tests of plugins.

Names load when they are first used: a program that wants a fake need not import the kit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield._faces import lazy

if TYPE_CHECKING:
    from ._answers import Answer as Answer
    from ._case import Case as Case
    from ._check import Check as Check, Result as Result, checks as checks
    from ._conformance import (
        ConformanceWarning as ConformanceWarning,
        check_provider as check_provider,
        conformance as conformance,
    )
    from ._eventstream import encode_aws_event as encode_aws_event
    from ._fake_answers import FakeAnswer as FakeAnswer
    from ._fakes import FakeProvider as FakeProvider
    from ._guard import (
        NetworkForbiddenError as NetworkForbiddenError,
        forbid_network as forbid_network,
        no_sockets as no_sockets,
    )
    from ._http_reader import RecordedRequest as RecordedRequest
    from ._pauses import no_retry_pauses as no_retry_pauses
    from ._protocols import FullProviderPlugin as FullProviderPlugin, ProviderPlugin as ProviderPlugin
    from ._server import RecordingServer as RecordingServer
    from ._stand_ins import StandIn as StandIn, stand_ins as stand_ins
    from ._toolkit import (
        Folded as Folded,
        cost_of as cost_of,
        messages_of as messages_of,
        reply_of as reply_of,
        translated as translated,
    )
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        {
            "testing._answers": "Answer",
            "testing._case": "Case",
            "testing._check": "Check Result checks",
            "testing._conformance": "ConformanceWarning check_provider conformance",
            "testing._eventstream": "encode_aws_event",
            "testing._fake_answers": "FakeAnswer",
            "testing._fakes": "FakeProvider",
            "testing._guard": "NetworkForbiddenError forbid_network no_sockets",
            "testing._http_reader": "RecordedRequest",
            "testing._pauses": "no_retry_pauses",
            "testing._protocols": "FullProviderPlugin ProviderPlugin",
            "testing._server": "RecordingServer",
            "testing._toolkit": "Folded cost_of messages_of reply_of translated",
            "testing._stand_ins": "StandIn stand_ins",
        },
    )
