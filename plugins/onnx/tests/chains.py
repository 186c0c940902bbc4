"""A decoder that says after each token the one that a table names, in a folder as optimum writes it."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

PLAIN = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
_CACHE = ("key", "value")


def words_tokenizer(*words):
    """Return a tokenizer of whole words; `<unk>`, `<s>` and `</s>` are 0, 1 and 2."""
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in ("<s>", "</s>")])
    return tokenizer


def sentencepiece_tokenizer(*words, strip=True):
    """Return a tokenizer as those of Llama 2, Mistral 7B and (`strip=False`) Gemma: other characters are bytes."""
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>"])}
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    for word in words:
        vocabulary[word] = len(vocabulary)
    model = models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tokenizer = Tokenizer(model)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if strip else [])])
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in ("<s>", "</s>")])
    return tokenizer


def write_chain(folder: Path, tokenizer, follows, *, template=PLAIN, table=None, **files):
    """Write the folder.

    Args:
        folder: Where to.
        tokenizer: Its tokenizer.
        follows: The token that follows each token; those that are missing are followed by the end.
        template: A chat template, or a list of named ones, or None.
        table: Logits [last token, next token], in place of those of `follows`.
        files: Contents of further JSON files.
    """
    size = tokenizer.get_vocab_size()
    if table is None:
        table = np.full((size, size), -50.0, np.float32)
        for token in range(size):
            table[token, follows.get(token, 2)] = 50.0
    _save_graph(folder / "onnx" / "model.onnx", size, table)
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {
        "model_type": "llama", "num_attention_heads": 1, "num_key_value_heads": 1, "hidden_size": 1, "head_dim": 1,
        "num_hidden_layers": 1, "vocab_size": size, "max_position_embeddings": 512, "eos_token_id": 2,
    }  # fmt: skip
    words = {"bos_token": "<s>", "eos_token": "</s>"}
    if isinstance(template, str):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    elif template is not None:
        words["chat_template"] = template
    for name, content in {"config": about, "tokenizer_config": words, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def _save_graph(path, size, table):
    """Write the graph: it looks the logits up, and appends a number to its cache for each token."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["logits"]),
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "axes"], ["new"]),
        *(
            helper.make_node("Concat", [f"past_key_values.0.{what}", "new"], [f"present.0.{what}"], axis=2)
            for what in _CACHE
        ),
    ]
    inputs = [
        *(_value(name, TensorProto.INT64, ["b", "s"]) for name in ("input_ids", "position_ids")),
        _value("attention_mask", TensorProto.INT64, ["b", "t"]),
        *(_value(f"past_key_values.0.{what}", TensorProto.FLOAT, ["b", 1, "p", 1]) for what in _CACHE),
    ]
    outputs = [
        _value("logits", TensorProto.FLOAT, ["b", "s", size]),
        *(_value(f"present.0.{what}", TensorProto.FLOAT, ["b", 1, "q", 1]) for what in _CACHE),
    ]
    constants = [
        numpy_helper.from_array(np.asarray(table, np.float32), "table"),
        numpy_helper.from_array(np.array([1, 3]), "axes"),
    ]
    graph = helper.make_graph(nodes, "chain", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, str(path))


def _value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def connection(folder, **keys):
    """Return a configuration with the folder as `l:m`."""
    entry = {"id": "m", "folder": str(folder), "kinds": ["chat", "completion"]}
    local = {"provider": "onnx", "device": "cpu", "threads": 1, "models": [entry], "retry": {"attempts": 1}}
    return {"connections": {"l": {**local, **keys}}}
