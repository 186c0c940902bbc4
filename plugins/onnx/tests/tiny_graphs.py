"""Tiny graphs of the layouts that optimum and sentence-transformers leave behind, built with the package onnx."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, save_model
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["<pad>", "<unk>", "<s>", "</s>", "one", "two", "three", "four", "query:", "five", "six", "seven"]
WIDTH = 8
_INTS, _FLOATS = TensorProto.INT64, TensorProto.FLOAT


def table(seed=1):
    return np.random.default_rng(seed).normal(size=(len(WORDS), WIDTH)).astype(np.float32)


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_tokenizer(folder, *, pairs=False):
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    both = "<s>:0 $A:0 </s>:0 $B:1 </s>:1" if pairs else None
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=both, special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))


def _value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def _save(path, nodes, inputs, outputs, constants):
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, str(path))


def write_encoder(
    folder: Path, *, config=None, modules=("Transformer", "Pooling"), pooling=None, integers=_INTS, **files
):
    """Write a sentence-transformers folder whose hidden states are its word vectors."""
    inputs = [_value(name, integers, ["b", "s"]) for name in ("input_ids", "attention_mask")]
    gather = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
    output = _value("last_hidden_state", _FLOATS, ["b", "s", WIDTH])
    _save(folder / "onnx" / "model.onnx", [gather], inputs, [output], {"table": table()})
    write_tokenizer(folder)
    about = {"model_type": "bert", "hidden_size": WIDTH, "max_position_embeddings": 12, "pad_token_id": 0}
    write_json(folder / "config.json", {**about, **(config or {})})
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize", "Dense": "2_Dense"}
    rows = [
        {"idx": i, "name": str(i), "path": paths[kind], "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(modules)
    ]
    write_json(folder / "modules.json", rows)
    if "Pooling" in modules:
        write_json(folder / "1_Pooling" / "config.json", pooling or {"pooling_mode_mean_tokens": True})
    for name, value in files.items():
        write_json(folder / f"{name}.json", value)
    return folder


def write_reranker(folder: Path, *, config=None, labels=1):
    """Write a cross-encoder whose logit is the mean of its tokens' numbers, those of the document counting twice."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [_value(name, _INTS, ["b", "s"]) for name in names]
    nodes = [
        helper.make_node("Add", ["token_type_ids", "one"], ["weight"]),
        helper.make_node("Mul", ["weight", "attention_mask"], ["kept"]),
        helper.make_node("Mul", ["kept", "input_ids"], ["points"]),
        helper.make_node("ReduceSum", ["points", "axis"], ["sum"], keepdims=1),
        helper.make_node("Cast", ["sum"], ["score"], to=_FLOATS),
        helper.make_node("Mul", ["score", "scale"], ["logit"]),
        helper.make_node("Expand", ["logit", "shape"], ["logits"]),
    ]
    constants = {
        "one": np.int64(1), "axis": np.array([1]), "scale": np.float32(0.01), "shape": np.array([1, labels]),
    }  # fmt: skip
    _save(folder / "model.onnx", nodes, inputs, [_value("logits", _FLOATS, ["b", labels])], constants)
    write_tokenizer(folder, pairs=True)
    about = {"max_position_embeddings": 10, "id2label": {str(i): f"L{i}" for i in range(labels)}}
    write_json(folder / "config.json", {**about, **(config or {})})
    return folder


def _decoder(path, past, integers=_INTS):
    """Write a decoder with one head of one layer: what it says next depends on the text and on all tokens before.

    The keys are word vectors, and so are the values; each token adds its own. The logits are the sum of the text's mean
    and of all values, times a matrix.
    """
    heads = 2
    inputs = [
        _value(name, integers, ["b", n]) for name, n in (("input_ids", "t"), ("encoder_attention_mask", "s"))
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["new"]),
        helper.make_node("Reshape", ["new", "split"], ["parted"]),
        helper.make_node("Transpose", ["parted"], ["mine"], perm=[0, 2, 1, 3]),
    ]
    constants = {
        "table": table(2),
        "split": np.array([0, 0, heads, WIDTH // heads]),
        "head": table(3).T.copy(),
    }
    kv = ["b", heads, "p", WIDTH // heads]
    if past:
        inputs += [
            _value(f"past_key_values.0.{side}.{what}", _FLOATS, kv)
            for side in ("decoder", "encoder")
            for what in ("key", "value")
        ]
        nodes += [
            helper.make_node(
                "Concat", [f"past_key_values.0.decoder.{what}", "mine"], [f"present.0.decoder.{what}"], axis=2
            )
            for what in ("key", "value")
        ]
        text = "past_key_values.0.encoder.value"
        outputs = []
    else:
        inputs.append(_value("encoder_hidden_states", _FLOATS, ["b", "s", WIDTH]))
        nodes += [
            helper.make_node("Identity", ["mine"], [f"present.0.decoder.{what}"]) for what in ("key", "value")
        ]
        nodes += [
            helper.make_node("Reshape", ["encoder_hidden_states", "split"], ["read"]),
            helper.make_node("Transpose", ["read"], ["present.0.encoder.value"], perm=[0, 2, 1, 3]),
            helper.make_node("Identity", ["present.0.encoder.value"], ["present.0.encoder.key"]),
        ]
        text = "present.0.encoder.value"
        outputs = [_value(f"present.0.encoder.{what}", _FLOATS, kv) for what in ("key", "value")]
    nodes += [
        helper.make_node("ReduceMean", [text], ["said"], axes=[2], keepdims=1),
        helper.make_node("ReduceSum", ["present.0.decoder.value", "two"], ["all"], keepdims=1),
        helper.make_node("Add", ["said", "all"], ["state"]),
        helper.make_node("Transpose", ["state"], ["turned"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["turned", "join"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
    ]
    constants |= {"two": np.array([2]), "join": np.array([0, 1, WIDTH])}
    outputs = [
        _value("logits", _FLOATS, ["b", "t", len(WORDS)]),
        *(_value(f"present.0.decoder.{what}", _FLOATS, kv) for what in ("key", "value")),
        *outputs,
    ]
    _save(path, nodes, inputs, outputs, constants)


def _merged(path, folder):
    """Put both decoders behind one switch, as optimum does: one `If`, whose branches see the graph's inputs."""
    first, later = (
        onnx.load(str(folder / name)) for name in ("decoder_model.onnx", "decoder_with_past_model.onnx")
    )
    branches = []
    for model, prefix in ((later, "a_"), (first, "b_")):
        graph = onnx.compose.add_prefix_graph(model.graph, prefix, rename_inputs=False, rename_outputs=True)
        del graph.input[:]
        names = [value.name for value in graph.output]
        if prefix == "a_":  # keys and values of the text are not made again: nothing stands in their place
            for what in ("key", "value"):
                graph.initializer.append(
                    numpy_helper.from_array(np.zeros((0, 2, 1, 4), np.float32), f"a_none.{what}")
                )
                graph.output.append(_value(f"a_none.{what}", _FLOATS, None))
        assert len(names) in {3, 5}
        branches.append(graph)
    outputs = ["logits"] + [
        f"present.0.{side}.{what}" for side in ("decoder", "encoder") for what in ("key", "value")
    ]
    switch = helper.make_node(
        "If", ["use_cache_branch"], outputs, then_branch=branches[0], else_branch=branches[1]
    )
    inputs = {value.name: value for model in (first, later) for value in model.graph.input}
    inputs["use_cache_branch"] = _value("use_cache_branch", TensorProto.BOOL, [1])
    _save(path, [switch], list(inputs.values()), [_value(name, _FLOATS, None) for name in outputs], {})


def write_summarizer(folder: Path, *, merged=False, config=None, generation=None, integers=_INTS):
    """Write a sequence-to-sequence folder as optimum exports it."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = [_value(name, integers, ["b", "s"]) for name in ("input_ids", "attention_mask")]
    gather = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
    output = _value("last_hidden_state", _FLOATS, ["b", "s", WIDTH])
    _save(folder / "encoder_model.onnx", [gather], inputs, [output], {"table": table(4)})
    _decoder(folder / "decoder_model.onnx", past=False, integers=integers)
    _decoder(folder / "decoder_with_past_model.onnx", past=True, integers=integers)
    if merged:
        _merged(folder / "decoder_model_merged.onnx", folder)
        (folder / "decoder_model.onnx").unlink()
        (folder / "decoder_with_past_model.onnx").unlink()
    write_tokenizer(folder)
    about = {
        "model_type": "bart", "d_model": WIDTH, "decoder_attention_heads": 2, "decoder_layers": 1,
        "decoder_start_token_id": 2, "eos_token_id": 3, "max_position_embeddings": 12,
    }  # fmt: skip
    write_json(folder / "config.json", {**about, **(config or {})})
    if generation is not None:
        write_json(folder / "generation_config.json", generation)
    return folder


def next_logits(text_ids, tokens):
    """Compute what the decoder above computes, in plain numpy: `tokens` begin with the start token."""
    state = table(4)[text_ids].mean(axis=0) + table(2)[tokens].sum(axis=0)
    return state @ table(3).T
