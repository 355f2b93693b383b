"""How a network runs here: ONNX Runtime, processor and cores, exported networks, checkpoint files.

Knows nothing of audio and of any one model.
"""
