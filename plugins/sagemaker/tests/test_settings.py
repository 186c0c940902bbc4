"""What is wrong with a configuration is told at once, when it is loaded."""

import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import Mesh
from jackfield_sagemaker._settings import (
    Asynchronous,
    SageMakerModelKeys,
    SageMakerSettings,
    Template,
    TemplateStream,
)

ENTRY = {"id": "m", "kind": "completion", "mode": "tgi", "rate": {"hour": "1"}}
TEMPLATE = {"body": {"q": "{{prompt}}"}, "text": "a"}


def declared(values):
    connection = {"provider": "sagemaker", "region": "eu-central-1", "models": [ENTRY], **values}
    return {"connections": {"s": connection}}


def with_entry(values):
    return declared({"models": [{**ENTRY, **values}]})


def with_asynchronous(values):
    return with_entry({"asynchronous": values})


def with_template(values):
    return with_entry({"mode": "template", "template": {**TEMPLATE, **values}})


def with_stream(values):
    return with_template({"stream": {"framing": "sse", "text": "t", **values}})


@pytest.mark.parametrize(
    ("cls", "make", "inside", "but"),
    [
        (SageMakerSettings, declared, "", ()),
        (SageMakerModelKeys, with_entry, ".models[0]", ()),
        (Asynchronous, with_asynchronous, ".models[0].asynchronous", ()),
        (Template, with_template, ".models[0].template", ("body",)),
        (TemplateStream, with_stream, ".models[0].template.stream", ()),
    ],
)
def test_a_wrong_type_of_every_key_is_told_at_once(cls, make, inside, but):
    config = make({})
    table = config["connections"]["s"]
    for key in inside.replace("[0]", "").split(".")[1:]:
        table = table[key][0] if key == "models" else table[key]
    every_type_is_told(cls, config, table, "connections.s" + inside, but=but)


def test_every_wrong_form_is_told_alone_and_with_the_others():
    told_alone_and_together(declared, [({"region": "eu-central-1b"}, 'write "eu-central-1"')])
    told_alone_and_together(
        with_entry,
        [
            ({"endpoint": "my endpoint"}, "endpoint must be a name of up to 63"),
            ({"inference_component": "-x"}, "inference_component must be a name"),
            ({"target_variant": "x_y"}, "target_variant must be a name"),
            ({"target_container": "x" * 64}, "target_container must be a name"),
            ({"target_model": " m.tar.gz"}, "target_model must be"),
            ({"prompt": "llama-9"}, "prompt must be one of"),
            ({"custom_attributes": "a\nb"}, "custom_attributes must be printable ASCII"),
            ({"mode": "template"}, "belong together"),
        ],
    )
    told_alone_and_together(
        with_asynchronous,
        [
            ({"input": "bucket"}, "input must be a place in S3"),
            ({"poll": 0}, "poll must be more than 0 seconds"),
            ({"seconds": 5}, "seconds must be 60 to 3600 seconds, not 5"),
            ({"waits": 30_000}, "waits must be 60 to 21600 seconds, not 30000"),
        ],
    )


def test_all_that_is_wrong_with_a_template_is_told_at_once():
    told_alone_and_together(
        with_template,
        [
            (
                {"body": {"a": "{{promt}}", "b": "{{texts}} x"}},
                "body.a: '{{promt}}' is not a known placeholder",
            ),
            ({"body": {"a": "{{promt}}", "b": "{{texts}} x"}}, "body.b: a longer string may contain only"),
            ({"content_type": "text/plain"}, "body must be one placeholder for the content type text/plain"),
            ({"embeddings": "e["}, "embeddings is not a valid JMESPath"),
            ({"text": "a["}, "text is not a valid JMESPath"),
            ({"finish": "]"}, "finish is not a valid JMESPath"),
            ({"roles": {"robot": "bot", "people": "user"}}, "roles has the unknown key robot"),
            ({"roles": {"robot": "bot", "people": "user"}}, "roles has the unknown key people"),
        ],
    )
    told_alone_and_together(
        with_stream, [({"framing": "text"}, "leave it out"), ({"finish": "a["}, "finish is not")]
    )


def test_mistakes_of_the_connection_and_of_its_entries_are_told_together():
    config = declared(
        {"region": "Frankfurt", "models": [{**ENTRY, "endpoint": "a b"}, {**ENTRY, "id": "n", "mode": "tgy"}]}
    )
    said = mistakes_of(config)
    assert "connections.s: region must be" in said
    assert "connections.s.models[0]: endpoint must be" in said
    assert "connections.s.models[1].mode: must be one of" in said


def test_every_entry_that_names_no_endpoint_is_told():
    said = mistakes_of(declared({"models": [{**ENTRY, "id": "a b"}, {**ENTRY, "id": "c d"}]}))
    assert "models[a b] is not the name of an endpoint" in said
    assert "models[c d] is not the name of an endpoint" in said


def test_what_is_well_formed_passes():
    assert Mesh.from_config(declared({"region": "atlantis-south-12"})).connections
    assert Mesh.from_config(with_asynchronous({"seconds": 60, "input": "s3://my.bucket/in"})).connections
