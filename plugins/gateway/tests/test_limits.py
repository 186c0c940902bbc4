"""What clients hear of limits: how much is left, and why a call is refused, in the words that they act upon."""

import pytest
from gateway_running import running

from jackfield import QuotaExceededError, Registry
from jackfield.testing import FakeProvider
from jackfield_gateway import GatewaySettings
from jackfield_gateway._keys import hash_key, make_key


class Reached(QuotaExceededError):
    """A refusal, as of a middleware of limits."""

    limit, measure, currency, most, largest, resets_at = "monthly", "money", "USD", "250", "0.18", None
    asked = "0.48"


class Unmeasurable(Reached):
    """A refusal of a call that cannot be counted, before the store was asked."""

    largest, asked = "0", None


class Limit:
    """A middleware as that of jackfield-limits."""

    needs_content = False

    def __init__(self, error=None):
        self.error = error

    async def __call__(self, call, proceed):
        if self.error is not None:
            raise self.error
        answer = await proceed(call)
        if not call.stream:
            row = {
                "limit": "a",
                "measure": "requests",
                "currency": None,
                "action": "refuse",
                "resets_at": 4e9,
            }
            far = {**row, "limit": "b", "most": "100", "remaining": "99"}
            answer.metadata["limits"] = {"b": far, "a": {**row, "most": "10", "remaining": "4"}}
        return answer

    async def explain(self, call):
        return {"limits": [{"limit": "a", "owner": call.owner}]}


def gateway_of(limit):
    fake, key = FakeProvider(), make_key()
    registry = Registry.of(
        fake, tables={"gateway": GatewaySettings}, middlewares={"limits": lambda settings: limit}
    )
    config = {"connections": {"f": {"provider": "fake", "middlewares": ["limits"]}}}
    keys = {"alice": {"hash": hash_key(key), "owner": "org/a"}}
    return running(config, fake, registry=registry, keys=keys), key


BODY = {"model": "f:echo", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


async def test_answers_tell_of_the_limit_that_is_nearest():
    served, key = gateway_of(Limit())
    async with served as gateway:
        status, headers, _ = await gateway.post("/v1/chat/completions", BODY, x_api_key=key)
    assert status == 200
    assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("10", "4")
    assert int(headers["ratelimit-reset"]) > 1000
    assert headers["x-jackfield-limit"] == "a; requests"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_used_up_budget_and_a_rate_are_told_apart(path):
    for error, code, again in (
        (Reached("limit monthly is reached"), "insufficient_quota", "false"),
        (Reached("limit is reached", retry_after=7.2, retryable=True), "rate_limit_exceeded", None),
    ):
        served, key = gateway_of(Limit(error))
        async with served as gateway:
            status, headers, told = await gateway.post(path, BODY, x_api_key=key)
        assert status == 429
        assert headers.get("x-should-retry") == again
        assert headers.get("retry-after") == (None if again else "8")
        assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("250", "0.18")
        assert "limit" in told["error"]["message"]
        if path == "/v1/messages":
            assert told["error"]["type"] == "rate_limit_error"
        else:
            assert told["error"]["code"] == code


async def test_explaining_a_call_tells_which_limits_concern_it():
    served, key = gateway_of(Limit())
    async with served as gateway:
        status, _, told = await gateway.post("/v1/explain", BODY, x_api_key=key)
    assert status == 200
    assert told["limits"] == [{"limit": "a", "owner": "org/a"}]


async def test_a_call_that_cannot_be_counted_does_not_tell_that_nothing_is_left():
    served, key = gateway_of(Limit(Unmeasurable("limit monthly cannot count this call: pass max_tokens=")))
    async with served as gateway:
        status, headers, _ = await gateway.post("/v1/chat/completions", BODY, x_api_key=key)
    assert status == 429
    assert headers["x-jackfield-limit"] == "monthly; USD"
    assert not {name for name in headers if name.lower().startswith("ratelimit-")}
