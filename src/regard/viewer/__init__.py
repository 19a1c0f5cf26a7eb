"""The interactive view, in a notebook and in one file."""
