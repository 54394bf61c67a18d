"""Made-up checkouts in bulk, for benchmarks and for a look at the console with a past."""
