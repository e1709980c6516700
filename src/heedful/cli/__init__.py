"""The command line: what a person types becomes values, what happened becomes text. Nothing imports it."""
