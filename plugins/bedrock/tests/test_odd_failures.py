"""Failures whose body is of a gateway, or of nobody: the status says what they are."""

import pytest
from odd_failures import check_failures_in_streams, check_failures_of_every_status

from jackfield import ContentFilteredError
from jackfield.plugin import FailureInStream
from jackfield_bedrock import jackfield_error
from jackfield_bedrock._guardrails import fail_blocked


def test_the_status_decides_whatever_the_body_is():
    check_failures_of_every_status(jackfield_error)


def test_a_failure_inside_a_good_answer_is_read_whatever_it_holds():
    check_failures_in_streams(jackfield_error)


@pytest.mark.parametrize("odd", ["half \ud83d", 2**70])
def test_a_guardrail_that_blocked_is_named_whatever_its_trace_holds(odd):
    with pytest.raises(FailureInStream) as caught:
        fail_blocked("no", {"match": odd})
    assert isinstance(jackfield_error(caught.value.failure), ContentFilteredError)
