"""`make demo`: real checkouts on the whole system, with things going wrong, each one checked."""
