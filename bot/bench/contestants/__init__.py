"""What is compared. `answering.py` runs each file in a process of its own, some in an environment without ours."""
