"""`make mutants`: takes each guard away in turn and shows that a named test fails."""
