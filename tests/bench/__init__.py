"""Speed of Earshot side by side with other programs for the same model: `make bench`."""
