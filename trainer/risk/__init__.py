"""Trains the risk scorer and exports both small encoders (risk and similarity) to ONNX."""
