"""The same checkout as others would build it, for comparison; none of it is shipped."""
