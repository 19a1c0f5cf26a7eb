"""The notebook's own Transformer: its languages, its training. Looks at nothing."""
