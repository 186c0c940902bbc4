"""Connections of one identity share its tokens."""

import copy
import pickle
import threading
import time

from jackfield.plugin import SharedTokens, Token


class Authority:
    def __init__(self, seconds=3600.0):
        self.asked = []
        self.seconds = seconds

    def fetch(self, *args, **options):
        self.asked.append((args, options))
        return Token(f"t{len(self.asked)}", time.time() + self.seconds)


def test_connections_of_equal_arguments_share_one_token():
    authority, shared = Authority(), SharedTokens()
    first, second = (shared.sharing(authority.fetch, "scope", proxy=None) for _ in range(2))
    other = shared.sharing(authority.fetch, "another", proxy=None)
    assert [ask().value for ask in (first, second, other)] == ["t1", "t1", "t2"]
    assert authority.asked == [(("scope",), {"proxy": None}), (("another",), {"proxy": None})]


def test_who_asks_again_gets_a_new_token_and_so_do_all_others():
    authority, shared = Authority(), SharedTokens()
    first, second = (shared.sharing(authority.fetch) for _ in range(2))
    assert [first().value, second().value] == ["t1", "t1"]
    assert [first().value, second().value] == [
        "t2",
        "t2",
    ]  # the first was refused; the second has not seen the new one
    assert second().value == "t3"


def test_a_token_that_ends_soon_is_not_handed_on():
    authority, shared = Authority(seconds=30.0), SharedTokens()
    assert [shared.sharing(authority.fetch)().value for _ in range(2)] == ["t1", "t2"]


def test_threads_at_once_fetch_one_token():
    authority, shared = Authority(), SharedTokens()
    asks = [shared.sharing(authority.fetch) for _ in range(8)]
    threads = [threading.Thread(target=ask) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(authority.asked) == 1


def test_a_copy_begins_anew():
    shared = SharedTokens()
    shared.sharing(Authority().fetch)()
    for again in (copy.deepcopy(shared), pickle.loads(pickle.dumps(shared))):
        assert again._kept == {}
