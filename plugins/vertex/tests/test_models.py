"""What the table knows of models."""

import jackfield_vertex
from jackfield.plugin import (
    ModelRef,
)
from jackfield_vertex._models import known_models


def test_the_first_users_models_are_known():
    for name, kind in (("gemini-pro", "chat"), ("gemini-1.0-pro-002", "chat"), ("chat-bison@002", "chat")):
        known = jackfield_vertex.jackfield_capabilities(ModelRef(name))
        assert (known.known, known.kinds) == (True, {kind})
    assert {"chat-bison", "gemini-1.0-pro"} <= known_models().keys()
