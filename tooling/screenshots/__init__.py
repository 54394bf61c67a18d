"""The pictures of the console, taken from the real system."""
