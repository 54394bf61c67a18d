"""The soak's report: for people on the console and in Markdown, for machines in JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tooling.local.origin import commit, machine
from tooling.soak.injector import Injected
from tooling.soak.plan import BROKER_RESTARTS, KILLS
from tooling.soak.recovering import Recovered, percentile
from tooling.soak.verdict import Violation, Wrong

#: How the reports' files begin.
NAME = "soak"
_SHOWN = 40
_SLOWEST = 12


@dataclass
class Report:
    """Everything that a run says in the end."""

    command: str
    seed: int
    seconds: float = 0.0
    accepted: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    operator: Mapping[str, int] = field(default_factory=dict)
    faults: Sequence[Injected] = ()
    recovered: Sequence[Recovered] = ()
    rested: bool = False
    violations: Sequence[Violation] = ()
    audit: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_zero(self) -> bool:
        """Whether nothing at all was wrong, and everything could be done and looked at."""
        return self.verdict == "zero"

    @property
    def verdict(self) -> str:
        """What the run came to, in a few words."""
        if not self.rested or self.violations or not self.audit["ok"]:
            return "VIOLATIONS"
        failed = sum(bool(one.error) for one in self.faults)
        if failed:
            faults = "1 fault" if failed == 1 else f"{failed} faults"
            return f"nothing wrong; {faults} not brought to an end"
        return "zero"

    @property
    def figures(self) -> Mapping[str, int]:
        """What the figures count."""
        planned = [one.planned for one in self.faults if one.hit]
        return {
            "kills": sum(fault.kind in KILLS for fault in planned),
            "database outages": sum(fault.is_database_outage for fault in planned),
            "broker restarts": sum(fault.kind in BROKER_RESTARTS for fault in planned),
        }

    @property
    def recovery(self) -> Mapping[str, float]:
        """Seconds from a kill to the next progress of what it held up."""
        seconds = [one.seconds for one in self.recovered if one.seconds is not None]
        return {
            "measured": len(self.recovered),
            "never": len(self.recovered) - len(seconds),
            "p50": round(percentile(seconds, 0.50), 1),
            "p90": round(percentile(seconds, 0.90), 1),
            "p99": round(percentile(seconds, 0.99), 1),
            "max": round(max(seconds, default=0.0), 1),
        }

    @property
    def slowest(self) -> Sequence[Mapping[str, object]]:
        """The checkouts that a kill held up for longest, and all faults of that time."""
        measured = [one for one in self.recovered if one.seconds is not None]
        measured.sort(key=lambda one: one.seconds or 0.0, reverse=True)
        return [self._told(one) for one in measured[:_SLOWEST]]

    def by_kind(self) -> Mapping[str, tuple[int, int]]:
        """Return how often each kind of fault was injected, and how much it hit."""
        times = Counter(one.planned.kind for one in self.faults)
        hits: Counter[str] = Counter()
        for one in self.faults:
            hits[one.planned.kind] += one.hit
        return {kind: (n, hits[kind]) for kind, n in sorted(times.items())}

    def by_class(self) -> Mapping[str, int]:
        """Return how many violations of each class there are, zeros included."""
        found = Counter(violation.wrong for violation in self.violations)
        return {wrong: found[wrong] for wrong in Wrong}

    def as_json(self) -> str:
        """Return it for machines."""
        return json.dumps(
            {
                "command": self.command,
                "seed": self.seed,
                "commit": commit(),
                "machine": machine(),
                "seconds": round(self.seconds),
                "accepted": self.accepted,
                "refused_at_once": self.refused,
                "outcomes": self.outcomes,
                "reasons": self.reasons,
                "operator": self.operator,
                "figures": self.figures,
                "faults": self.by_kind(),
                "failed_faults": [
                    f"{one.planned}: {one.error}" for one in self.faults if one.error
                ],
                "recovery": self.recovery,
                "slowest": self.slowest,
                "rested": self.rested,
                "audit": self.audit,
                "classes": self.by_class(),
                "violations": [asdict(violation) for violation in self.violations],
                "zero": self.is_zero,
            },
            indent=2,
        )

    def as_markdown(self) -> str:
        """Return it for docs/evidence/."""
        recovery = self.recovery
        lines = [
            f"# Soak, seed {self.seed}: {self.verdict}",
            "",
            f"`{self.command}` at {commit()}, on {machine()}, {self.seconds / 60:.0f} minutes.",
            "",
            f"- Accepted: {self.accepted} checkouts. {_listed(self.outcomes)}.",
            f"- Undone because of: {_listed(self.reasons)}.",
            f"- Refused at once: {_listed(self.refused)}.",
            f"- {_listed(self.figures)}.",
            f"- Operator: {_listed(self.operator)}.",
            f"- Time from a kill to the next recorded progress of the {recovery['measured']} "
            f"checkouts that it held up, in seconds: p50 {recovery['p50']}, p90 {recovery['p90']}, "
            f"p99 {recovery['p99']}, longest {recovery['max']}; never: {recovery['never']}.",
            f"- Came to rest: {'yes' if self.rested else 'NO'}. Audit: {self._audited}.",
            "",
            "| fault | injected | hit |",
            "|---|---|---|",
            *(f"| {kind} | {n} | {hit} |" for kind, (n, hit) in self.by_kind().items()),
            "",
            "| violation | found |",
            "|---|---|",
            *(f"| {wrong} | {n} |" for wrong, n in self.by_class().items()),
            "",
            *(f"- {each.wrong}: {each.whose}: {each.what}" for each in self.violations[:_SHOWN]),
            *(f"- fault failed: {one.planned}: {one.error}" for one in self.faults if one.error),
        ]
        return "\n".join(lines).rstrip() + "\n"

    def _told(self, held_up: Recovered) -> Mapping[str, object]:
        killed = next(one for one in self.faults if one.planned.number == held_up.kill)
        again = killed.began + (held_up.seconds or 0.0)
        meanwhile = [one for one in self.faults if one.began <= again and one.ended >= killed.began]
        return {
            "saga": str(held_up.saga_id),
            "seconds": round(held_up.seconds or 0.0, 1),
            "faults": [str(one.planned) for one in meanwhile],
        }

    @property
    def _audited(self) -> str:
        findings = self.audit["findings"]
        count = len(findings) if isinstance(findings, list) else 0
        return f"{'ok' if self.audit['ok'] else 'NOT OK'}, {count} findings"


def write(report: Report, folder: Path, *, name: str) -> Path:
    """Write the JSON and the Markdown form beside each other; return the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(report.as_json() + "\n")
    path = folder / f"{name}.md"
    path.write_text(report.as_markdown())
    return path


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {what}" for what, n in counts.items()) or "none"
