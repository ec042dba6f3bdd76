"""A push or a pull over a slow line that is killed goes on where it was: bytes are counted on the line."""
import contextlib
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from conftest import Kist, wait_until
from test_serve import Served

SIZE = 150 << 20
PER_SECOND = 5 << 19  # slow enough that its packs do not grow
LOST = 8 << 20        # what docs/kist.1.md promises of a push
SMALL_THINGS = 2 << 20


class SlowLine:
    """Passes connections on to a server: only so many bytes a second, of all connections together, both ways."""

    def __init__(self, address):
        self.server = urllib.parse.urlsplit(address)
        self.per_second = None  # as quick as it goes
        self.sent = 0  # both ways; what goes the other way is little
        self.free_at = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((self.server.hostname, self.server.port))
                threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self.forward, args=(server, client), daemon=True).start()

    def forward(self, source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 15):
                self.wait_for(len(piece))
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def wait_for(self, count):
        with self.lock:
            self.sent += count
            if self.per_second is None:
                return
            self.free_at = max(self.free_at, time.monotonic()) + count / self.per_second
            wait = self.free_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)


@pytest.fixture(scope="module")
def sender(tmp_path_factory):
    """A machine with a run of 150 MiB that do not compress."""
    machine = Kist(tmp_path_factory.mktemp("sender"))
    machine.write(".dstack/workflows.yaml", f"""\
        workflows:
          - name: large
            provider: bash
            commands: ["head -c {SIZE} /dev/urandom > out/large"]
            artifacts: [out]
        """)
    machine.run("large", name="r")
    return machine


@pytest.fixture
def bucket(sender, s3_server):
    """The line to it, and how `kist remote add` names it."""
    line = SlowLine(s3_server.endpoint)
    sender.environment.update(s3_server.environment)
    return line, [f"s3://{s3_server.bucket()}?region={s3_server.region}", "--endpoint", line.address]


@pytest.fixture
def served(tmp_path):
    (tmp_path / "server").mkdir()
    with Served(Kist(tmp_path / "server")) as server:
        line = SlowLine(server.address)
        yield line, [line.address, "--token-file", server.token_file]


def sent_by_two(line, machine, *words):
    """What the line carried until the command was killed at about a fifth, and when it was done again."""
    line.sent = 0
    line.per_second = PER_SECOND
    process = machine.start(*words)
    wait_until(lambda: process.poll() is not None or line.sent > 32 << 20, timeout=120)
    process.kill()
    first = line.sent
    _, told = process.communicate(timeout=60)
    assert process.returncode < 0, told
    time.sleep(1)  # what is still on the line
    line.sent = 0
    line.per_second = None
    machine(*words)
    return first, line.sent


@pytest.mark.parametrize("kind", ["bucket", "served"])
def test_a_killed_push_or_pull_goes_on_where_it_was(kind, sender, request, tmp_path):
    line, place = request.getfixturevalue(kind)
    sender("remote", "add", kind, *place)
    first, then = sent_by_two(line, sender, "push", "r", "--remote", kind)
    assert then <= SIZE - first + LOST + SMALL_THINGS

    (tmp_path / "receiver").mkdir()
    receiver = Kist(tmp_path / "receiver")
    receiver.environment |= {name: value for name, value in sender.environment.items() if name.startswith("AWS_")}
    receiver("remote", "add", kind, *place)
    first, then = sent_by_two(line, receiver, "pull", "r")
    assert then <= SIZE - first + 4 * PER_SECOND + SMALL_THINGS
    for machine, name in ((sender, "a"), (receiver, "b")):
        machine("cp", "r", "out/large", tmp_path / name)
    assert subprocess.run(["cmp", tmp_path / "a", tmp_path / "b"]).returncode == 0
