"""Failures with a gateway's body, or without one: the status decides."""

from odd_failures import check_failures_in_streams, check_failures_of_every_status

from jackfield_databricks import jackfield_error


def test_the_status_decides_whatever_the_body_is():
    check_failures_of_every_status(jackfield_error)


def test_a_failure_inside_a_successful_response_is_mapped_whatever_it_contains():
    check_failures_in_streams(jackfield_error)
