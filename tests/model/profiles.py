"""How long the model runs: a minute, always the same runs; or for longer, with new ones."""

from hypothesis import HealthCheck, Phase, settings

_COMMON = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
#: The same runs every time, so that a red build is red again.
BRIEF = settings(
    _COMMON,
    derandomize=True,
    database=None,
    max_examples=60,
    stateful_step_count=25,
    phases=[Phase.generate],
)
#: New runs every time; `--hypothesis-seed=N` plays them again.
LONG = settings(_COMMON, max_examples=1_000, stateful_step_count=50)

settings.register_profile("model-brief", BRIEF)
settings.register_profile("model-long", LONG)


def chosen_profile() -> settings:
    """Return what ``--hypothesis-profile`` names, or the brief one."""
    name = settings.get_current_profile_name()
    return settings.get_profile(name) if name.startswith("model-") else BRIEF
