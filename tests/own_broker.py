"""A pytest plugin: each process of a test run has a database of the broker's for itself.

It is loaded before the settings are read, since they read the variable.
"""

import os


def _mine(url: str, worker: str) -> str:
    """Return the broker's URL for one process of pytest-xdist, such as gw0."""
    if not worker.startswith("gw"):
        return url
    return f"{url}?virtual_host={int(worker.removeprefix('gw')) + 1}"


if "BROKER_URL" in os.environ:
    os.environ["BROKER_URL"] = _mine(
        os.environ["BROKER_URL"], os.environ.get("PYTEST_XDIST_WORKER", "")
    )
