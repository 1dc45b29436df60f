"""From a trained model to files that others run: ONNX graphs, a bundle, a Hugging Face folder."""
