"""The commands, one a file; `bot.__main__` names them all."""
