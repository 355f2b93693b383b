"""One adapter per contestant; `child.py` runs each in a process of its own, some in an environment without our code."""
