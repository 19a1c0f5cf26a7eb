"""May I believe it? Weights are checked, heads are held against gold."""
