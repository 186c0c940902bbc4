"""ONNX Runtime: opening sessions, choosing devices, memory on a GPU. Knows nothing of models, text or files of ours."""
