"""Settings: read once, frozen, safe by default. Nothing else in Seawall reads the environment.

Sources, later ones win: built-in defaults, `seawall.toml` in the state directory, the command
line. The environment only says where things are: `SEAWALL_STATE`, `SEAWALL_CONFIG_HOME`, `HOME`,
`XDG_STATE_HOME`, `DOCKER_CONFIG`, `SEAWALL_PKCS11_MODULE`. An unknown key is an error,
an unsafe value is spelled unsafe.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

import msgspec

from seawall.core.errors import InvalidInputError

SETTINGS_FILE: Final = "seawall.toml"
SETTINGS_MAX_BYTES: Final = 256 * 1024
DEFAULT_FEEDS_URL: Final = "https://osv-vulnerabilities.storage.googleapis.com"


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The web process: registry, tokens and pages on one TLS port."""

    host: str = "127.0.0.1"
    port: int = 5443
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Host names and addresses under which clients reach it; they stand in the certificate."""


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gate process in front of the engine."""

    host: str = "127.0.0.1"
    port: int = 2376
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    socket: str = ""
    """Path of the unix socket; empty means `run/docker.sock` in the state directory."""


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Docker Engine behind the gate."""

    socket: str = ""
    """Path of its unix socket; empty means: look at the usual places."""


class Feeds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where advisories come from."""

    url: str = DEFAULT_FEEDS_URL
    names: tuple[str, ...] = ("Debian", "PyPI")
    stale_after_days: int = 7


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where users, tags, reports and the log are kept."""

    url: str = ""
    """`postgresql://USER@HOST/DATABASE`; empty means: a file in the state directory."""
    password_file: str = ""
    """Holds the password, for its owner alone; empty: none is needed, or `~/.pgpass` holds it."""
    connections: int = 16
    """At most, of each process."""
    unsafe_transport: bool = False
    """Allow a connection to another machine that does not prove which server answers."""


class Workers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The processes that scan."""

    count: int = 1


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How signing reaches hardware keys."""

    modules: tuple[str, ...] = ()
    """Paths of PKCS#11 modules, asked in order; empty means: look at the usual places."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `seawall.toml`."""

    web: Web = Web()
    gate: Gate = Gate()
    engine: Engine = Engine()
    feeds: Feeds = Feeds()
    database: Database = Database()
    workers: Workers = Workers()
    tokens: Tokens = Tokens()


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """Places that belong to the person at the shell, not to the installation."""

    keys: Path
    pins: Path
    docker: Path
    login: str
    vault_token: Path = Path(".vault-token")
    """Where the login of Vault and OpenBao leaves its token."""
    token_module: Path | None = None
    """The PKCS#11 module of this person's tokens; goes before the installation's."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is set; each part is given only its slice."""

    state: Path
    options: Options
    home: Home

    @property
    def database(self) -> Path:
        """The database's file, unless it lies on a server."""
        return self.state / "seawall.sqlite"

    @property
    def blobs(self) -> Path:
        return self.state / "blobs"

    @property
    def fingerprints(self) -> Path:
        """The packs of learned fingerprints."""
        return self.state / "fingerprints"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def server_authority(self) -> Path:
        """The authority that signed our servers' certificates; public, for clients to trust."""
        return self.pki / "server-ca.pem"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def policy(self) -> Path:
        return self.state / "policy.yaml"

    @property
    def gate_socket(self) -> Path:
        named = self.options.gate.socket
        return Path(named) if named else self.run / "docker.sock"

    @property
    def registry_hosts(self) -> tuple[str, ...]:
        """`host:port` under every name by which this registry is reached; the first is shown."""
        port = self.options.web.port
        return tuple(f"{name}:{port}" for name in self.options.web.names)

    @property
    def token_modules(self) -> tuple[Path, ...]:
        """PKCS#11 modules to ask, in order; empty: those at the usual places."""
        if self.home.token_module is not None:
            return (self.home.token_module,)
        return tuple(Path(path) for path in self.options.tokens.modules)

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"https://{self.registry_hosts[0]}"


def load(state: str | None = None) -> Settings:
    """Read the settings of the installation in `state`, or of the default one.

    Raises InvalidInputError when the file holds something that is not understood.
    """
    directory = Path(state or os.environ.get("SEAWALL_STATE") or _default_state()).absolute()
    return Settings(state=directory, options=_read_options(directory / SETTINGS_FILE), home=_home())


def child_environment() -> dict[str, str]:
    """Return the environment that the supervised processes are started with."""
    passed = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "XDG_STATE_HOME", "DOCKER_CONFIG")
    return {name: os.environ[name] for name in passed if name in os.environ}


def is_colour_wanted() -> bool:
    """Follow the NO_COLOR convention and plain terminals."""
    return "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"


def _default_state() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/seawall")
    named = os.environ.get("XDG_STATE_HOME")
    return (Path(named) if named else _user_home() / ".local" / "state") / "seawall"


def _user_home() -> Path:
    return Path(os.environ.get("HOME") or _account()[1])


def _account() -> tuple[str, str]:
    """Login and home; a container's user often has no entry, and gets its number and `/`."""
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        return f"uid{os.geteuid()}", "/"
    return entry.pw_name, entry.pw_dir


def _home() -> Home:
    home = _user_home()
    own = os.environ.get("SEAWALL_CONFIG_HOME")
    docker = os.environ.get("DOCKER_CONFIG")
    configuration = Path(own) if own else home / ".config" / "seawall"
    module = os.environ.get("SEAWALL_PKCS11_MODULE")
    return Home(
        keys=configuration / "keys",
        pins=configuration / "pins",
        docker=Path(docker) if docker else home / ".docker",
        login=_account()[0],
        vault_token=home / ".vault-token",
        token_module=Path(module) if module else None,
    )


def _read_options(path: Path) -> Options:
    try:
        with path.open("rb") as file:
            content = file.read(SETTINGS_MAX_BYTES + 1)
    except FileNotFoundError:
        return Options()
    if len(content) > SETTINGS_MAX_BYTES:
        raise InvalidInputError(f"{path} is larger than {SETTINGS_MAX_BYTES} bytes")
    import tomllib

    try:
        options = msgspec.convert(tomllib.loads(content.decode()), Options)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInputError(
            f"{path}: {error}", remedy="see docs/reference/settings.md for what may stand there"
        ) from error
    _check(options, path)
    return options


def _check(options: Options, path: Path) -> None:
    for name, port in (("web", options.web.port), ("gate", options.gate.port)):
        if not 0 < port < 65536:
            raise InvalidInputError(f"{path}: {name}.port {port} is not a port")
    if not options.web.names or not options.gate.names:
        raise InvalidInputError(f"{path}: names must not be empty")
    if not 2 <= options.database.connections <= 256:
        raise InvalidInputError(f"{path}: database.connections must be between 2 and 256")
    if not all(Path(module).is_absolute() for module in options.tokens.modules):
        raise InvalidInputError(f"{path}: tokens.modules must be absolute paths")
    if not 1 <= options.workers.count <= 64:
        raise InvalidInputError(f"{path}: workers.count must be between 1 and 64")
