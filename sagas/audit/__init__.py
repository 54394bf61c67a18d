"""The audit: what sagas claim beside what the domains hold, valid while sagas run."""
