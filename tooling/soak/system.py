"""What the soak breaks: programs, embedded servers, and the proxies in front of them."""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from redis import Redis

from tooling.local import stack
from tooling.local.instance import DATABASES, Instance, free_port
from tooling.local.ledger import Ledger
from tooling.local.services import Services
from tooling.local.stack import WORKERS, Ports
from tooling.local.supervisor import Program, Supervisor
from tooling.soak.plan import BEAT, BROKER, DATABASE_LINKS, MAIL, PROVIDER, WEB
from tooling.soak.proxy import Controls

_POSTGRES_SOCKET = ".s.PGSQL.5432"
_PROXY = "proxy"
_UP_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything listens, in front of the proxies and behind them.

    ``behind`` are the servers' own ports, ``front`` those that the system is told.
    """

    instance: Instance
    behind: Ports
    front: Ports

    @classmethod
    def choose(cls, instance: Instance) -> "Layout":
        """Choose free ports."""
        behind = Ports.choose()
        front = Ports(web=behind.web, provider=free_port(), mail=free_port())
        return cls(instance=instance, behind=behind, front=front)

    @property
    def control(self) -> Path:
        """The socket over which the proxies are told how to be."""
        return self.instance.sockets / "control"

    def environment(self) -> dict[str, str]:
        """Return what the system is told: every server behind a proxy of its own."""
        urls = {
            variable: f"postgres://postgres@{quote(str(self._folder(link)), safe='')}/{database}"
            for link, (variable, database) in zip(DATABASE_LINKS, DATABASES.items(), strict=True)
        }
        broker = f"redis+socket://{quote(str(self.instance.sockets))}/b"
        return {
            **self.instance.environment(),
            **self.front.environment(),
            **urls,
            "BROKER_URL": broker,
        }

    def proxy(self) -> Program:
        """Return the program of the proxies."""
        sockets = self.instance.sockets
        links = {
            link: (f"{self._folder(link)}/{_POSTGRES_SOCKET}", f"{sockets}/{_POSTGRES_SOCKET}")
            for link in DATABASE_LINKS
        }
        links[BROKER] = (f"{sockets}/b", f"{sockets}/valkey.sock")
        links[PROVIDER] = (str(self.front.provider), str(self.behind.provider))
        links[MAIL] = (str(self.front.mail), str(self.behind.mail))
        routes = [f"{name}={listen}={up}" for name, (listen, up) in links.items()]
        return stack.python(
            _PROXY, "-m", "tooling.soak.proxy", "--control", str(self.control), *routes,
            ready="proxy ready", last=True,
        )  # fmt: skip

    def _folder(self, link: str) -> Path:
        # One letter: a socket's path has some hundred characters at the most.
        return self.instance.sockets / link[0]


@dataclass
class System:
    """The running system and handles to break it; one fault at a time has a target."""

    layout: Layout
    services: Services
    supervisor: Supervisor
    #: worker -> pool size, where it is not the usual one.
    sizes: Mapping[str, int] = field(default_factory=dict)
    _targets: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    @property
    def controls(self) -> Controls:
        """The proxies' controls."""
        return Controls(self.layout.control)

    @property
    def journal(self) -> Path:
        """The provider's ledger."""
        return stack.journal_of(self.layout.instance)

    @property
    def mails(self) -> Path:
        """Where the mail server keeps its mails."""
        return stack.mails_of(self.layout.instance)

    @property
    def api(self) -> str:
        """Where shoppers find the API; no proxy is in between."""
        return f"http://127.0.0.1:{self.layout.behind.web}/api/v1"

    def broker(self) -> "Redis":
        """Return a connection to the broker that goes around its proxy."""
        path = str(self.services.valkey.socket)
        return Redis(unix_socket_path=path, socket_timeout=5, decode_responses=True)

    def program(self, name: str) -> Program:
        """Return how a program is started."""
        ports = self.layout.behind
        if name in WORKERS:
            return stack.worker(name, size=self.sizes.get(name))
        made: Mapping[str, Callable[[], Program]] = {
            WEB: lambda: stack.web(ports),
            BEAT: stack.beat,
            PROVIDER: lambda: stack.provider(self.journal, ports),
            MAIL: lambda: stack.mailcatcher(self.mails, ports),
        }
        return made[name]()

    def second(self, name: str) -> Program:
        """Return a second one of a worker, or of beat, that shares the work of the first."""
        program = self.program(name)
        command = [word.replace(f"{name}@", f"{name}-2@") for word in program.command]
        return replace(program, name=f"{name}-2", command=command)

    def start(self) -> None:
        """Start every program, behind the proxies, and wait until all are up."""
        self.supervisor.start(self.layout.proxy())
        self.supervisor.wait_ready(_PROXY, timeout=_UP_SECONDS)
        for name in self.programs():
            self.supervisor.start(self.program(name))
        self.supervisor.wait_ready(timeout=_UP_SECONDS)

    def programs(self) -> Sequence[str]:
        """Return the names of the programs, as they are started."""
        return (PROVIDER, MAIL, WEB, *WORKERS, BEAT)

    def target(self, name: str) -> threading.Lock:
        """Return the lock of a target."""
        return self._targets[name]

    def note_postgres(self) -> None:
        """Write its process id down, so that `make stop` finds it."""
        Ledger(self.layout.instance.ledger).note("postgres", self.services.postgres.pid)

    def note_valkey(self) -> None:
        """The same of the broker."""
        Ledger(self.layout.instance.ledger).note("valkey", self.services.valkey.pid)

    def queues_of(self, name: str) -> Sequence[str]:
        """Return the queues of a worker; none of another program."""
        return WORKERS[name][0].split(",") if name in WORKERS else ()


def direct_environment(instance: Instance, ports: Ports) -> dict[str, str]:
    """Return the environment of those who look on: past all proxies."""
    return {**os.environ, **instance.environment(), **ports.environment()}
