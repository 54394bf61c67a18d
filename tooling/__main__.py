"""`python -m tooling COMMAND`: what the Makefile calls."""

import argparse
import signal
import subprocess
import sys

from tooling.crashtest import main as crash_test
from tooling.demo.main import main as demo
from tooling.local import commands
from tooling.local.embedded import CannotStart
from tooling.local.instance import AlreadyRunning
from tooling.local.supervisor import NotReady
from tooling.screenshots.main import main as screenshots
from tooling.soak import main as soak

#: Commands that take no words.
_PLAIN = {
    "run": commands.run,
    "stop": commands.stop,
    "clean": commands.clean,
    "demo": demo,
    "screenshots": screenshots,
}


def main() -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tooling", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="the whole system in the foreground")
    verbs.add_parser("stop", help="stop what was started")
    verbs.add_parser("clean", help="remove data and caches")
    verbs.add_parser("screenshots", help="take the pictures of the console again")
    verbs.add_parser("demo", help="place real checkouts and show what became of each")
    soak.add_arguments(verbs.add_parser("soak", help="checkouts while everything breaks"))
    crash_test.add_arguments(
        verbs.add_parser("crash-test", help="let processes die at every crash point")
    )
    execute = verbs.add_parser("exec", help="run a command beside embedded servers")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    match given.verb:
        case "exec":
            return commands.execute([word for word in given.command if word != "--"])
        case "soak":
            return soak.main(given)
        case "crash-test":
            return crash_test.main(given)
    return _PLAIN[given.verb]()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AlreadyRunning, CannotStart, NotReady) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd))} failed with status {error.returncode}")
