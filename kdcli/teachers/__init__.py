"""Teachers that exist elsewhere: files of their predictions, functions, commands and ONNX models."""
