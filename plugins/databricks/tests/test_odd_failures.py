"""Failures whose body is of a gateway, or of nobody: the status says what they are."""

from odd_failures import check_failures_in_streams, check_failures_of_every_status

from jackfield_databricks import jackfield_error


def test_the_status_decides_whatever_the_body_is():
    check_failures_of_every_status(jackfield_error)


def test_a_failure_inside_a_good_answer_is_read_whatever_it_holds():
    check_failures_in_streams(jackfield_error)
