"""The laws of a store, the same for all: random schedules against a model, and what others' limits got wrong."""

from __future__ import annotations

import asyncio

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from limit_stores import KINDS, counter, open_place

from jackfield_limits import MOST_AMOUNT, Grant, Refusal, Take

COUNTERS = (
    counter("ever", 100, "ever"),
    counter("minute", 50, "minute"),
    counter("day", 200, "day", zone="Europe/Berlin"),
    counter("month", MOST_AMOUNT - 1, "month", zone="America/New_York"),
    counter("rolling 10s", 60, "short"),
    counter("rolling 5h", 150, "long"),
    counter("week", None, "counted", zone="Australia/Lord_Howe"),
)


@attrs.define
class Call:
    """What the model knows of a call."""

    grant: Grant | None
    until: float
    is_over: bool = False  # settled or released


class Model:
    """A store in the simplest words: lists of what is held and what was booked, added up whenever somebody asks."""

    def __init__(self, now):
        self.now = now
        self.calls: dict[str, Call] = {}
        self.booked: list[tuple[str, int, int]] = []  # key, begin of the window, amount

    def lives(self, call):
        return call.grant is not None and not call.is_over and call.until > self.now

    def begin(self, one):
        return one.window.span(self.now)[0]

    def counts(self, one, begin):
        current = self.begin(one)
        return current - one.window.horizon <= begin <= current

    def used(self, one):
        return sum(amount for key, begin, amount in self.booked if key == one.key and self.counts(one, begin))

    def reserved(self, one):
        return sum(
            held.amount
            for call in self.calls.values()
            if self.lives(call)
            for held, state in zip(call.grant.takes, call.grant.states, strict=True)
            if held.counter == one and (one.window.piece or state.begin == self.begin(one))
        )

    def fits(self, one):
        most = one.counter.most
        return most is None or self.used(one.counter) + self.reserved(one.counter) + one.amount <= most

    def ends_of_pieces(self, one):
        window = one.window
        begins = {
            begin
            for key, begin, amount in self.booked
            if key == one.key and self.counts(one, begin) and amount
        }
        return [begin + window.horizon + window.piece for begin in sorted(begins)]

    def resets_at(self, one):
        if one.window.piece:
            return next(iter(self.ends_of_pieces(one)), None)
        return one.window.span(self.now)[1]

    def passes_at(self, one):
        limit = one.counter
        if one.amount > limit.most:
            return None
        if not limit.window.piece:
            return limit.window.span(self.now)[1]
        reserved, now = self.reserved(limit), self.now
        try:
            for moment in self.ends_of_pieces(limit):
                self.now = moment
                if self.used(limit) + reserved + one.amount <= limit.most:
                    return moment
        finally:
            self.now = now
        return None


def machine(place):
    """Return the class of a state machine over a place, which it finds empty."""

    class Schedules(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.runner = asyncio.Runner()
            self.model = Model(place.now)
            self.stores = [place.open(), place.open(skew=5000.0), place.open(skew=-3_000_000.0)]
            self.number = 0
            # Counters of their own for each example: nothing has to be cleared.
            Schedules.examples += 1
            self.counters = [attrs.evolve(one, key=f"{Schedules.examples}/{one.key}") for one in COUNTERS]

        examples = 0

        def run(self, awaitable):
            return self.runner.run(awaitable)

        def grant_of(self, data, *, alive):
            calls = [
                call
                for call in self.model.calls.values()
                if call.grant is not None and (not alive or self.model.lives(call))
            ]
            return data.draw(st.sampled_from(calls))

        @rule(
            data=st.data(),
            indexes=st.lists(st.integers(0, len(COUNTERS) - 1), min_size=1, max_size=4, unique=True),
            store=st.integers(0, 2),
            lease=st.sampled_from([0.5, 5.0, 90.0, 100_000.0]),
        )
        def reserve(self, data, indexes, store, lease):
            takes = []
            for index in indexes:
                one = self.counters[index]
                wide = (
                    st.integers(0, MOST_AMOUNT // 3) if one.most and one.most > 1000 else st.integers(0, 40)
                )
                takes.append(Take(counter=one, amount=data.draw(wide)))
            self.number += 1
            call_id = f"{Schedules.examples}/{self.number}"
            answer = self.run(self.stores[store].reserve(call_id, takes, lease))
            first = next((one for one in takes if not self.model.fits(one)), None)
            if first is not None:
                assert isinstance(answer, Refusal)
                assert answer.take == first
                assert (answer.state.used, answer.state.reserved) == (
                    self.model.used(first.counter),
                    self.model.reserved(first.counter),
                )
                assert answer.passes_at == self.model.passes_at(first)
                return
            assert isinstance(answer, Grant)
            assert answer.takes == tuple(takes)
            assert answer.until == pytest.approx(self.model.now + lease, abs=1e-5)
            assert [state.begin for state in answer.states] == [
                self.model.begin(one.counter) for one in takes
            ]
            self.model.calls[call_id] = Call(answer, answer.until)

        @precondition(lambda self: any(call.grant for call in self.model.calls.values()))
        @rule(data=st.data(), store=st.integers(0, 2))
        def reserve_again(self, data, store):
            call = self.grant_of(data, alive=False)
            lives = self.model.lives(call)
            asked = self.stores[store].reserve(call.grant.call_id, call.grant.takes, 1000.0)
            if not lives:
                with pytest.raises(ValueError, match="has ended"):
                    self.run(asked)
                return
            answer = self.run(asked)
            assert isinstance(answer, Grant)
            assert answer.until == pytest.approx(call.until, abs=1e-5)
            assert [state.begin for state in answer.states] == [state.begin for state in call.grant.states]

        @precondition(lambda self: any(call.grant for call in self.model.calls.values()))
        @rule(data=st.data(), store=st.integers(0, 2), more=st.sampled_from([0, 0, 0, 7]))
        def settle(self, data, store, more):
            call = self.grant_of(data, alive=False)
            used = {
                one.counter.key: data.draw(st.integers(0, one.amount)) + more
                for one in call.grant.takes
                if data.draw(st.integers(0, 5))
            }
            states = self.run(self.stores[store].settle(call.grant, used))
            if not call.is_over:
                call.is_over = True
                for one, state in zip(call.grant.takes, call.grant.states, strict=True):
                    self.model.booked.append((one.counter.key, state.begin, used.get(one.counter.key, 0)))
            for one, state in zip(call.grant.takes, states, strict=True):
                assert (state.used, state.reserved) == (
                    self.model.used(one.counter),
                    self.model.reserved(one.counter),
                )

        @precondition(lambda self: any(call.grant for call in self.model.calls.values()))
        @rule(data=st.data(), store=st.integers(0, 2))
        def release(self, data, store):
            call = self.grant_of(data, alive=False)
            self.run(self.stores[store].release(call.grant.call_id))
            call.is_over = True

        @rule(store=st.integers(0, 2))
        def release_what_has_not_arrived(self, store):
            self.number += 1
            call_id = f"{Schedules.examples}/{self.number}"
            self.run(self.stores[store].release(call_id))
            with pytest.raises(ValueError, match="has ended"):
                self.run(
                    self.stores[store].reserve(call_id, [Take(counter=self.counters[0], amount=1)], 60.0)
                )

        @precondition(lambda self: any(call.grant for call in self.model.calls.values()))
        @rule(data=st.data(), store=st.integers(0, 2), lease=st.sampled_from([1.0, 600.0]))
        def renew(self, data, store, lease):
            call = self.grant_of(data, alive=False)
            lives = self.model.lives(call)
            assert self.run(self.stores[store].renew(call.grant.call_id, lease)) == lives
            if lives:
                call.until = self.model.now + lease

        @rule(seconds=st.sampled_from([0.25, 0.75, 3.0, 11.0, 61.0, 3601.0, 7201.0, 90_000.0, 3_000_000.0]))
        def time_passes(self, seconds):
            self.model.now += seconds
            if seconds > 3600:  # for so long ended calls are remembered; nobody settles twice an hour later
                for call in self.model.calls.values():
                    call.grant = call.grant if self.model.lives(call) else None
            place.set(self.model.now)

        @rule(store=st.integers(0, 2))
        def find(self, store):
            prefix = f"{Schedules.examples}/"
            found = self.run(self.stores[store].find(prefix))
            assert found == tuple(
                sorted(one.key for one in self.counters if self.model.used(one) or self.model.reserved(one))
            )

        @rule(store=st.integers(0, 2))
        def crash(self, store):
            """A process is gone: another comes, and nobody settles what the first had."""
            self.run(self.stores[store].aclose())
            self.stores[store] = place.open(skew=50.0)

        @invariant()
        def every_store_shows_what_the_model_has(self):
            store = self.stores[self.number % 3]
            states = self.run(store.read(self.counters))
            for one, state in zip(self.counters, states, strict=True):
                assert state.key == one.key
                assert (state.used, state.reserved) == (self.model.used(one), self.model.reserved(one)), one
                assert state.begin == self.model.begin(one)
                assert state.resets_at == self.model.resets_at(one)

        def teardown(self):
            for store in self.stores:
                self.run(store.aclose())
            self.runner.close()

    return Schedules


@pytest.mark.real_time
@pytest.mark.parametrize("kind", KINDS)
def test_any_schedule_of_calls_does_as_the_model(kind, request):
    place = open_place(kind, request)
    run_state_machine_as_test(
        machine(place),
        settings=settings(
            max_examples=60 if kind == "memory" else 15,
            stateful_step_count=30,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a schedule takes minutes
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
