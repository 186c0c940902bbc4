import pytest


@pytest.fixture(autouse=True)
def keys(monkeypatch, tmp_path):
    """Made-up keys by reference, and no other identity."""
    monkeypatch.setenv("TEST_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("TEST_SECRET", "made-up-secret-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for key in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(key, raising=False)
