"""How a network runs here: ONNX Runtime, processor and cores, exported networks, checkpoint files, file lock.

Knows nothing of audio, text or any one model.
"""
