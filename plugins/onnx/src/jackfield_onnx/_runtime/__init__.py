"""ONNX Runtime: sessions, devices, GPU memory. Independent of models, text and the model cache."""
