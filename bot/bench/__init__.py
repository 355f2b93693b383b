"""Speed, memory and accuracy of the model that is set, measured on this machine for `earshot bench`.

Knows no other program to compare with; `tests/bench` does that.
"""
