"""What the notebook teaches with: exercises, bugs, the film of a training."""
