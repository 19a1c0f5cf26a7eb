"""Any model, run once: its attention is watched and edited in one place."""
