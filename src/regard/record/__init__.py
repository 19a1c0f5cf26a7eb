"""What one forward pass left: layers, tokens, traces. Knows torch and numpy, no model."""
