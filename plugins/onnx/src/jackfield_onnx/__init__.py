"""Local models for Jackfield: chat, completion and embeddings on ONNX Runtime, with no key and no network."""
