"""Progress of first preparations."""

import io
import threading

from jackfield import progress
from jackfield.cli import _bars
from jackfield.cli._bars import hide_progress, progress_shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_listener_hears_what_any_thread_reports_until_its_block_ends():
    heard = []
    with progress.listening(lambda *what: heard.append(what)):
        thread = threading.Thread(target=progress.report, args=("download", 1, 2))
        thread.start()
        thread.join()
        progress.report("convert", 3)
    progress.report("convert", 4)
    assert heard == [("download", 1, 2), ("convert", 3, None)]


def test_listeners_do_not_disturb_one_another_nor_the_work(caplog):
    heard = []

    def torn(*what):
        raise RuntimeError("torn")

    with progress.listening(torn), progress.listening(lambda *what: heard.append(what)):
        progress.report("download", 1, 2)
    assert heard == [("download", 1, 2)]
    assert "a listener for progress failed" in caplog.text


def test_without_a_terminal_there_are_a_few_plain_lines(capsys):
    with progress_shown():
        for done in range(101):
            progress.report("download", done * 1_000_000, 100_000_000)
        progress.report("wait", 0, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "downloading the model 0 MB of 100 MB"
    assert lines[-2] == "downloading the model 100 MB of 100 MB"
    assert lines[-1] == "waiting for another process"
    assert len(lines) <= 8
    assert not any("\x1b" in line for line in lines)


def test_at_a_terminal_there_are_bars_which_make_room_for_the_answer(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_shown():
        hide_progress()
        assert terminal.getvalue() == ""
        progress.report("download", 50_000_000, 100_000_000)
        progress.report("download", 100_000_000, 100_000_000)
        hide_progress()
        shown = terminal.getvalue()
        assert "downloading the model" in shown
        assert "100 MB of 100 MB" in shown
        progress.report("convert", 1, 30)
    assert "converting" in terminal.getvalue()
    assert not _bars._shown


def test_json_stays_free_of_progress(capsys):
    with progress_shown(quiet=True):
        progress.report("download", 1, 2)
    assert capsys.readouterr().err == ""
