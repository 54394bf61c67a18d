"""Run a module as under ``python -m``, its clock set forward or back.

    python -m tooling.soak.skewed SECONDS MODULE ARGUMENT …

Children that are forked later, such as the pool of a worker, inherit the wrong clock.
"""

import runpy
import sys
import time

import time_machine


def main() -> None:
    """Set the clock and become the module."""
    seconds, module, *arguments = sys.argv[1:]
    traveller = time_machine.travel(time.time() + float(seconds), tick=True)
    traveller.start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
