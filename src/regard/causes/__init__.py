"""What depends on a head: it is taken away, and the model is asked again."""
