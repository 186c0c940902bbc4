import pytest
from running_clients import Gateway, Workplace, times
from scripted_service import ScriptedService


@pytest.fixture(scope="session")
def service():
    with ScriptedService() as service:
        yield service


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, service):
    with Gateway(tmp_path_factory.mktemp("gateway"), service) as gateway:
        yield gateway


@pytest.fixture
def workplace(tmp_path, service):
    service.forget()
    return Workplace(tmp_path)


def pytest_terminal_summary(terminalreporter):
    """Print what each client took."""
    terminalreporter.section("clients")
    for name, way, seconds in times:
        terminalreporter.line(f"{name:<44} {way:<28} {seconds:6.1f} s")
