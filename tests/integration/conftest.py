"""End-to-end tests drive the built program as a user would: a fresh KIST_HOME, a project directory, a command line."""
import json
import os
import pathlib
import signal
import subprocess
import textwrap
import time

import pytest

from servers import (git_server, hdfs_server, radosgw_server, s3_server, s3_tls_server,  # noqa: F401: fixtures of every test
                     web_server)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("KIST_BINARY", ROOT / "build/release/kist"))

# A shell that puts the tests into the background has SIGINT ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Kist:
    """One user: a home, a project directory, and the program under one of its names."""

    def __init__(self, directory):
        self.home = directory / "home"
        self.project = directory / "project"
        self.project.mkdir(parents=True)
        self.names = directory / "bin"
        self.names.mkdir()
        for name in ("kist", "dstack"):
            (self.names / name).symlink_to(BINARY)
        self.environment = {
            **os.environ,
            "KIST_HOME": str(self.home),
            "PATH": f"{self.names}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        }
        self.environment.pop("VIRTUAL_ENV", None)

    def write(self, path, text, mode=0o644):
        target = self.project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))
        target.chmod(mode)
        return target

    def start(self, *words, program="kist", cwd=None, **options):
        return subprocess.Popen([str(self.names / program), *map(str, words)], cwd=cwd or self.project,
                                env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def __call__(self, *words, code=0, program="kist", cwd=None, timeout=120):
        """Runs a command to its end and expects its exit code; `code=None` takes any."""
        process = self.start(*words, program=program, cwd=cwd)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"{program} {' '.join(map(str, words))} did not end within {timeout} s\n{out}\n{err}")
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if code is not None:
            assert done.returncode == code, f"{done.args}: exit code {done.returncode}, expected {code}\n{out}\n{err}"
        return done

    def json(self, *words, **options):
        return json.loads(self(*words, "--json", **options).stdout)

    def run(self, *words, code=0, name=None, **options):
        """Runs a workflow and returns its run's name."""
        name = name or f"run-{len(self.json('ps', '-a')) + 1}"
        self("run", *words, "--name", name, code=code, **options)
        return name

    def shell(self, text, **options):
        """A command block as typed, the program on the PATH."""
        return subprocess.run(["bash", "-c", text], cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, **options)


def wait_until(condition, timeout=20):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("not within %s seconds" % timeout)


@pytest.fixture
def kist(tmp_path):
    assert BINARY.exists(), f"{BINARY} is not built: run `make build`"
    return Kist(tmp_path)
