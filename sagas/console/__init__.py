"""The operator console: what staff see of sagas, and how they set them right."""
