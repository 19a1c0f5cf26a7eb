"""Does a known result come out again? A file a result."""
