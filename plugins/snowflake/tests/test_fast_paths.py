"""The fast path of the decoder around all routes gives what the general path gives."""

from decimal import Decimal

from hypothesis import given, strategies as st

from jackfield import Finish, TextDelta, ToolCallStart, Usage, UsageUpdate
from jackfield.plugin import Frame
from jackfield_snowflake._finish import CortexDecoder

EVENTS = st.one_of(
    st.builds(TextDelta, st.text(), st.integers(0, 1)),
    st.sampled_from(
        [
            ToolCallStart(0, "t", "add", 0),
            UsageUpdate(Usage(3, 4)),
            Finish("other", 0),
            Finish("stop", 0, "stop"),
        ]
    ),
)


class Inner:
    """Returns what it is made with for every frame."""

    def __init__(self, events):
        self.events = events

    def start(self, head):
        return []

    def feed(self, frame):
        return self.events

    def finish(self):
        return []


@given(st.lists(EVENTS, max_size=3), st.sampled_from([None, {"input": Decimal("0.5"), "output": Decimal(1)}]))
def test_the_fast_path_hands_on_what_the_general_one_does(events, per_token):
    fast = CortexDecoder(Inner(events), 4, per_token).feed(Frame(b""))
    assert fast == CortexDecoder(Inner(events), 4, per_token)._complete(events)
