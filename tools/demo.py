"""`make demo`: push, scan, refuse, sign, run hardened, prove it, read the log.

Everything is real: a Docker Engine (this machine's, or a private one that is started for the demo),
a Debian image made on the spot, the stock docker client. State lies in one folder under /tmp, and
is removed at the end unless KEEP=1. Running it again first clears what an earlier run left.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEAWALL = str(ROOT / ".venv" / "bin" / "seawall")
HERE = Path(tempfile.gettempdir()) / f"seawall-demo-{os.getuid()}"
STATE = HERE / "state"
KEEP = os.environ.get("KEEP") == "1"
DEADLINE_SECONDS = 290
STARTED = time.monotonic()
IS_TTY = sys.stdout.isatty() and "NO_COLOR" not in os.environ
SUDO = [] if os.getuid() == 0 else ["sudo"]
REPOSITORY = "demo/greeter"


class DemoError(Exception):
    """A step that did not do what it should; the demo ends there."""


def main() -> int:
    demo = Demo()
    try:
        demo.run()
    except (DemoError, subprocess.TimeoutExpired) as error:
        say(f"\nFAILED: {error}")
        say(f"logs: {STATE / 'logs'}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        demo.clean_up()
    return 0


class Demo:
    def __init__(self) -> None:
        self.web_port = 0
        self.gate_port = 0
        self.engine_socket = ""
        self.password = ""
        self.up: subprocess.Popen[bytes] | None = None
        self.has_finished = False

    @property
    def host(self) -> str:
        return f"localhost:{self.web_port}"

    def image(self, tag: str) -> str:
        return f"{self.host}/{REPOSITORY}:{tag}"

    def run(self) -> None:
        clear_leftovers()
        HERE.mkdir(mode=0o700)
        self.web_port, self.gate_port = free_port(5443), free_port(2376)
        self.start_engine()
        self.start_seawall()
        self.load_advisories()
        self.make_images()
        self.log_in()
        self.push_and_scan()
        self.show_refusal()
        self.sign_and_run()
        self.prove_confinement()
        self.show_more_refusals()
        self.show_audit()
        self.finish()

    # -- the stage

    def start_engine(self) -> None:
        step("A Docker Engine")
        for path in ("/var/run/docker.sock", "/run/docker.sock"):
            if docker_answers(path):
                self.engine_socket = path
                say(f"this machine's engine answers at {path}")
                return
        folder = HERE / "engine"
        folder.mkdir()
        self.engine_socket = str(folder / "docker.sock")
        dockerd = shutil.which("dockerd") or "/usr/sbin/dockerd"
        with (folder / "log").open("wb") as log:
            subprocess.Popen(
                [
                    *SUDO, dockerd, "--data-root", str(folder / "data"),
                    "--exec-root", str(folder / "exec"), "-H", f"unix://{self.engine_socket}",
                    "-G", str(os.getgid()), "--pidfile", str(folder / "pid"),
                    "--bridge=none", "--iptables=false", "--ip6tables=false",
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        wait_for(lambda: docker_answers(self.engine_socket), 60, "dockerd did not answer")
        say(f"none ran here: started a private one at {self.engine_socket}")

    def start_seawall(self) -> None:
        step("Seawall, on its embedded defaults")
        STATE.mkdir(mode=0o700)
        (STATE / "seawall.toml").write_text(
            f"[web]\nport = {self.web_port}\n\n[gate]\nport = {self.gate_port}\n\n"
            f'[engine]\nsocket = "{self.engine_socket}"\n'
        )
        output = HERE / "up.log"  # a file: it must outlive the demo when it is left running
        with output.open("wb") as log:
            self.up = subprocess.Popen(
                [SEAWALL, "--state", str(STATE), "up"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        (HERE / "up.pid").write_text(str(self.up.pid))

        def is_ready() -> bool:
            if self.up is not None and self.up.poll() is not None:
                raise DemoError(f"seawall up ended: {output.read_text()}")
            return "ready in" in output.read_text()

        wait_for(is_ready, 60, "seawall up is not ready")
        text = output.read_text()
        say("  " + text.rstrip().replace("\n", "\n  "))
        if shown := re.search(r"^seawall: password +(\S+)$", text, re.MULTILINE):
            self.password = shown[1]

    def load_advisories(self) -> None:
        step("Advisories")
        if self.seawall("feeds", "update", check=False).returncode == 0:
            return
        say("the feeds cannot be reached from here: a small sample of real records is used instead")
        self.seawall("feeds", "import", str(ROOT / "tools" / "demo-advisories.osv.jsonl"))

    def make_images(self) -> None:
        step("A small Debian image, made on the spot")
        tree = HERE / "base.tar"
        codename = os_release().get("VERSION_CODENAME", "bookworm")
        if shutil.which("mmdebstrap") is None:
            command([str(ROOT / "tools" / "packages.sh"), "image"])
        command(
            ["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3-minimal", codename,
             str(tree)],
            timeout=180,
        )  # fmt: skip
        self.engine("import", "-c", 'CMD ["/bin/bash"]', str(tree), self.image("1.0"))
        tree.unlink()
        # The second image is the first one with an old Python distribution copied in.
        layer = HERE / "old"
        site = layer / "usr/lib/python3/dist-packages/jinja2-2.10.dist-info"
        site.mkdir(parents=True)
        (site / "METADATA").write_text("Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\n")
        name = f"seawall-demo-{os.getpid()}"
        self.engine("create", "--name", name, self.image("1.0"))
        self.engine("cp", f"{layer}/.", f"{name}:/")
        self.engine("commit", name, self.image("old"))
        self.engine("rm", name)

    def log_in(self) -> None:
        step("docker login, with the password that was shown once")
        command(
            ["docker", "--config", str(HERE / "docker"), "login", "-u", "admin",
             "--password-stdin", self.host],
            stdin=self.password,
        )  # fmt: skip

    # -- the play

    def push_and_scan(self) -> None:
        for tag in ("1.0", "old"):
            step(f"docker push {self.image(tag)}")
            self.engine("push", "--quiet", self.image(tag))
            self.seawall("scan", self.image(tag), "--summary")

    def show_refusal(self) -> None:
        step("docker run, through the gate: refused, because nobody vouches for it")
        self.refuses("not signed", "run", "--rm", self.image("1.0"), "echo", "hello")

    def sign_and_run(self) -> None:
        step("Sign it, and run it again")
        passphrase = HERE / "passphrase"
        passphrase.write_text("demo-" + os.urandom(12).hex())
        passphrase.chmod(0o600)
        key = HERE / "release.key"
        self.seawall(
            "key",
            "generate",
            "--output",
            str(HERE / "release"),
            "--passphrase-file",
            str(passphrase),
        )
        self.seawall("key", "trust", str(HERE / "release.pub"), "--name", "release")
        for tag in ("1.0", "old"):
            self.seawall(
                "sign", self.image(tag), "--key", str(key), "--passphrase-file", str(passphrase)
            )
        self.seawall("verify", self.image("1.0"))
        out = self.gate("run", "--rm", self.image("1.0"), "cat", "/etc/os-release").stdout
        say("  " + out.splitlines()[0])
        piped = self.gate("run", "-i", "--rm", self.image("1.0"), "cat", stdin="a\nb\n").stdout
        if piped != "a\nb\n":
            raise DemoError(f"piped input came back as {piped!r}")
        say("  piped input comes back whole")

    def prove_confinement(self) -> None:
        step("Confined: seen from inside and from outside")
        name = f"seawall-demo-{os.getpid()}"
        self.gate("run", "-d", "--name", name, self.image("1.0"), "sleep", "300")
        try:
            self.seawall("doctor", "--container", name)
        finally:
            self.gate("rm", "-f", name)

    def show_more_refusals(self) -> None:
        step("What else is refused, in the docker client's own error line")
        image = self.image("1.0")
        self.refuses("nothing-fixable", "run", "--rm", self.image("old"), "true")
        self.refuses("Privileged", "run", "--rm", "--privileged", image, "true")
        self.refuses("Binds", "run", "--rm", "-v", "/:/host", image, "true")
        self.refuses("NetworkMode", "run", "--rm", "--network", "host", image, "true")
        step("A tag that is moved after the check")
        self.engine("tag", self.image("old"), image)
        self.engine("push", "--quiet", image)
        self.refuses("not signed", "run", "--rm", image, "true")

    def show_audit(self) -> None:
        step("The log of all this")
        self.seawall("audit", "--limit", "20")
        self.seawall("audit", "verify")

    def finish(self) -> None:
        self.has_finished = True
        seconds = time.monotonic() - STARTED
        step(f"Done in {seconds:.0f} s")
        if not KEEP:
            say(
                "everything is cleaned up; KEEP=1 make demo leaves it running, to look at the pages"
            )
            return
        assert self.up is not None
        say(f"pages     https://{self.host}   (admin / {self.password})")
        say(f"docker    DOCKER_HOST=unix://{STATE}/run/docker.sock docker ps")
        say(f"left running, state in {HERE}; `kill {self.up.pid}`, or the next run, ends it")

    def clean_up(self) -> None:
        if KEEP and self.has_finished:
            return
        clear_leftovers()

    # -- programs

    def seawall(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        say("$ seawall " + " ".join(words))
        return command(
            [SEAWALL, words[0], "--state", str(STATE), *words[1:]], check=check, echo=True
        )

    def engine(self, *words: str) -> subprocess.CompletedProcess[str]:
        return docker(f"unix://{self.engine_socket}", *words)

    def gate(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        say("$ docker " + " ".join(words))
        return docker(f"unix://{STATE}/run/docker.sock", *words, stdin=stdin)

    def refuses(self, reason: str, *words: str) -> None:
        say("$ docker " + " ".join(words))
        done = docker(f"unix://{STATE}/run/docker.sock", *words, check=False)
        say("  " + done.stderr.strip().replace("\n", "\n  "))
        if done.returncode == 0 or reason.lower() not in done.stderr.lower():
            raise DemoError(f"this should have been refused because of {reason}")


def docker(
    host: str, *words: str, stdin: str = "", check: bool = True
) -> subprocess.CompletedProcess[str]:
    program = ["docker", "--config", str(HERE / "docker"), "-H", host, *words]
    return command(program, stdin=stdin, check=check)


def command(
    words: list[str], *, stdin: str = "", check: bool = True, timeout: float = 120,
    echo: bool = False,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    left = DEADLINE_SECONDS - (time.monotonic() - STARTED)
    done = subprocess.run(
        words,
        check=False,
        input=stdin,
        text=True,
        capture_output=True,
        timeout=max(5, min(timeout, left)),
    )
    if echo:
        text = done.stdout + (done.stderr if done.returncode else "")
        say("  " + text.rstrip().replace("\n", "\n  "))
    if check and done.returncode != 0:
        raise DemoError(f"`{' '.join(words[:8])}` failed: {(done.stderr or done.stdout).strip()}")
    return done


def docker_answers(path: str) -> bool:
    if not Path(path).exists():
        return False
    words = ["docker", "-H", f"unix://{path}", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(words, check=False, capture_output=True, timeout=20).returncode == 0


def clear_leftovers() -> None:
    """End what an earlier run left, by the process ids it wrote down, and remove its folder."""
    for name in ("up.pid", "engine/pid"):
        path = HERE / name
        if path.exists() and path.read_text().strip().isdigit():
            end(int(path.read_text()), "seawall" if name == "up.pid" else "dockerd")
    if HERE.exists():
        unmount_below(HERE)
        subprocess.run([*SUDO, "rm", "-rf", "--one-file-system", str(HERE)], check=True)


def end(pid: int, program: str) -> None:
    try:
        is_ours = program in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return
    if is_ours:
        if SUDO:
            subprocess.run([*SUDO, "kill", str(pid)], check=False)
        else:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not running(pid), 30, f"{program} ({pid}) does not end")


def running(pid: int) -> bool:
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)  # our own child would stay as a zombie
    except ChildProcessError:
        return Path(f"/proc/{pid}").exists()
    return done == 0


def unmount_below(folder: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        subprocess.run([*SUDO, "umount", mount], check=False)


def wait_for(condition, seconds: float, message: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(message)
        time.sleep(0.2)


def free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise DemoError("no free port")


def os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}


def step(title: str) -> None:
    line = f"\n[{time.monotonic() - STARTED:5.1f} s] {title}"
    say(f"\033[1m{line}\033[0m" if IS_TTY else line)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
