"""Failures whose body is of a gateway, or of nobody: the status says what they are."""

from odd_failures import check_failures_in_streams, check_failures_of_every_status

from jackfield_sagemaker import jackfield_error


def test_the_status_decides_whatever_the_body_is():
    check_failures_of_every_status(jackfield_error)


def test_a_failure_inside_a_good_answer_is_read_whatever_it_holds():
    check_failures_in_streams(jackfield_error)


def test_the_words_of_a_container_that_nests_too_deeply_are_its_text():
    from jackfield_sagemaker._errors import _container_text

    text = "[" * 100_000
    assert _container_text(text) == text
