"""The commands, one file each; `bot.__main__` lists them."""
