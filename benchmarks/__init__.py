"""What takes too long for the tests, measured by hand."""
