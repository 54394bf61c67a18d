"""`python -m tooling soak`: reads its words, starts the system, runs the soak, reports."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import django

from tooling.demo.main import forget
from tooling.local.commands import migrate
from tooling.local.instance import Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import supervise
from tooling.soak import modes, negative, report
from tooling.soak.orders import HOT_PRODUCTS, HOT_UNITS, PLENTIFUL_UNITS, PLENTY, PRICE
from tooling.soak.plan import faults_for
from tooling.soak.report import Report
from tooling.soak.system import Layout, System, direct_environment

_DEFAULT_MINUTES = 4.0
_DEFAULT_SEED = 1
#: What `--plan` shows where only a time is given: about what is accepted in a minute.
_CHECKOUTS_A_MINUTE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of the command line."""
    parser.add_argument("--seed", type=int, default=_DEFAULT_SEED, help="of plan and orders")
    long = parser.add_mutually_exclusive_group()
    long.add_argument("--checkouts", type=int, help="so many accepted ones")
    long.add_argument("--minutes", type=float, help=f"so long ({_DEFAULT_MINUTES:g})")
    long.add_argument("--hours", type=float, help="the same in hours")
    long.add_argument("--brief", type=int, metavar="N", help="N checkouts, one fault of each kind")
    long.add_argument(
        "--slow-but-healthy", type=int, metavar="N", help="N checkouts, nothing broken, all slow"
    )
    parser.add_argument("--gap", type=float, default=modes.GAP, help="checkouts between two faults")
    parser.add_argument(
        "--patience", type=float, default=modes.PATIENCE, help="seconds for coming to rest"
    )
    parser.add_argument(
        "--guards-off",
        action="store_true",
        help="on a copy without guards: it must find violations",
    )
    parser.add_argument("--plan", action="store_true", help="show the plan and end")
    parser.add_argument("--report", type=Path, help="folder for the report, JSON and Markdown")


def main(given: argparse.Namespace) -> int:
    """Run a soak; 0 if nothing was wrong."""
    if given.plan:
        print("\n".join(map(str, _plan(given))))
        return 0
    if given.guards_off:
        return negative.run(_words_of_a_soak(given), command=_command(given), folder=given.report)
    # `make stop` asks in this way; everything that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    mode = replace(_mode(given), patience=given.patience)
    done = soak(mode, Report(command=_command(given), seed=given.seed))
    print(f"\n{done.as_markdown()}")
    if given.report:
        print(f"written to {report.write(done, given.report, name=_name(given))}")
    return 0 if done.is_zero else 1


def soak(mode: modes.Mode, empty: Report) -> Report:
    """Start a fresh system behind proxies, run one soak over it, and stop it."""
    instance = Instance("soak")
    forget(instance)
    with embedded(instance) as services:
        Ledger(instance.ledger).note("supervisor", os.getpid())
        layout = Layout.choose(instance)
        direct = {**direct_environment(instance, layout.behind), **mode.settings}
        migrate(direct)
        os.environ.update(direct)
        django.setup()
        # The models can be imported only now that the settings know the servers.
        from tooling.soak.run import Soak

        opening = _open_shop()
        environment = {**os.environ, **layout.environment(), **mode.settings}
        with supervise(instance, environment, echo=False) as supervisor:
            system = System(layout, services, supervisor, sizes=mode.sizes)
            system.start()
            return Soak(mode, system, direct, opening, empty).run()


def _open_shop() -> Mapping[str, int]:
    """Put products on the shelf; return the units of each."""
    from inventory.services import add_product

    hot = [f"HOT-{number:03}" for number in range(1, HOT_PRODUCTS + 1)]
    opening = {**dict.fromkeys(PLENTY, PLENTIFUL_UNITS), **dict.fromkeys(hot, HOT_UNITS)}
    for sku, units in opening.items():
        add_product(sku=sku, name=sku, description="", price=PRICE, currency="EUR", on_hand=units)
    return opening


def _mode(given: argparse.Namespace) -> modes.Mode:
    if given.slow_but_healthy:
        return modes.slow_but_healthy(given.seed, checkouts=given.slow_but_healthy)
    if given.brief:
        return modes.brief(given.seed, checkouts=given.brief)
    return modes.chaos(
        given.seed, checkouts=given.checkouts, minutes=_minutes(given), gap=given.gap
    )


def _minutes(given: argparse.Namespace) -> float | None:
    if given.checkouts:
        return None
    if given.hours:
        return float(60 * given.hours)
    return float(given.minutes or _DEFAULT_MINUTES)


def _words_of_a_soak(given: argparse.Namespace) -> Sequence[str]:
    """Return what a soak on a copy is told: how long, from which seed, with how much patience."""
    length = {"--checkouts": given.checkouts, "--minutes": given.minutes, "--hours": given.hours}
    chosen = {word: value for word, value in length.items() if value}
    chosen |= {"--seed": given.seed, "--gap": given.gap, "--patience": given.patience}
    return [str(part) for pair in chosen.items() for part in pair]


def _plan(given: argparse.Namespace) -> Sequence[object]:
    if given.brief:
        gap = given.brief / modes.BRIEF_FAULTS
        return faults_for(given.seed, checkouts=given.brief, gap=gap, each_once=True)
    checkouts = given.checkouts or round(_CHECKOUTS_A_MINUTE * (_minutes(given) or 0))
    return faults_for(given.seed, checkouts=checkouts, gap=given.gap)


def _command(given: argparse.Namespace) -> str:
    return f"python -m tooling {' '.join(sys.argv[1:])}"


def _name(given: argparse.Namespace) -> str:
    kind = "-slow" if given.slow_but_healthy else ""
    return f"{report.NAME}{kind}-{given.seed}"
