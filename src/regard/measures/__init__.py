"""Numbers of a trace: what a head does, in one figure or a few."""
