#!/usr/bin/env python3
"""Claim: pushing 4,000 small files, or 1 GiB, to a real S3 server takes at most twice one PUT of the same bytes, and at
least 90 % of the speed of the fastest of the usual tools; and pushing again after an edit of 1 % sends at most 3 %.

MinIO on this machine (scripts/s3-server), the tools beside kist in the same run: s5cmd (built by Go on first use), rclone and
aws where they are installed. Everything is measured three times, in turns; the figures are medians.
"""
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))
from servers import S3Server, serve_s3  # noqa: E402

ROUNDS = 3
FILES, FILE_SIZE, LARGE = 4000, 13 << 10, 1 << 30
S5CMD, S5CMD_VERSION = "github.com/peak/s5cmd/v2", "v2.3.0"
kist = pathlib.Path(sys.argv[1]).resolve()


def timed(words, environment=None, cwd=None):
    begin = time.monotonic()
    done = subprocess.run([str(word) for word in words], env=environment, cwd=cwd, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{words}: status {done.returncode}\n{done.stderr}")
    return time.monotonic() - begin


def s5cmd():
    """The program, built once into the cache of the tests; None where that cannot be done."""
    found = shutil.which("s5cmd")
    cache = pathlib.Path(os.environ.get("KIST_TEST_CACHE", pathlib.Path.home() / ".cache/kist-tests")) / "bin"
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not found and not (cache / "s5cmd").exists() and go:
        # As a module's requirement: `go install` would ask for all versions there are, which not every proxy tells.
        with tempfile.TemporaryDirectory() as module:
            pathlib.Path(module, "go.mod").write_text(f"module bench\ngo 1.20\nrequire {S5CMD} {S5CMD_VERSION}\n")
            subprocess.run([go, "build", "-o", cache / "s5cmd", S5CMD], cwd=module, capture_output=True,
                           env={**os.environ, "GOFLAGS": "-mod=mod"})
    return found or (cache / "s5cmd" if (cache / "s5cmd").exists() else None)


def make_data(directory):
    small = directory / "small"
    small.mkdir()
    source = random.Random(1)
    for number in range(FILES):
        (small / f"{number:04}").write_bytes(source.randbytes(FILE_SIZE))
    large = directory / "large"
    large.mkdir()
    with open(large / "file", "wb") as file:
        for _ in range(LARGE >> 20):
            file.write(source.randbytes(1 << 20))


def edit(path):
    """1 % of the bytes, in ten places."""
    source = random.Random(2)
    with open(path, "r+b") as file:
        for tenth in range(10):
            file.seek(tenth * LARGE // 10)
            file.write(source.randbytes(LARGE // 1000))


class Home:
    """kist with a run of each data set."""

    def __init__(self, directory, data, environment):
        self.environment = {**environment, "KIST_HOME": str(directory / "home")}
        self.project = data.parent  # which tasks see
        for name in ("small", "large"):
            (self.project / f"{name}.yaml").write_text(
                "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\nspec:\n"
                "  entrypoint: main\n  templates:\n    - name: main\n"
                f"      container: {{image: alpine, command: [cp, -r, {data}/{name}, /tmp/out]}}\n"
                "      outputs: {artifacts: [{name: out, path: /tmp/out, archive: {none: {}}}]}\n")

    def __call__(self, *words):
        return timed([kist, *words], self.environment, self.project)


def ratios(what, size, seconds, one_put):
    print(f"{what}: one PUT {one_put:.2f} s ({size / one_put / 2**20:.0f} MiB/s)")
    for name, value in seconds.items():
        print(f"  {name:8} {value:6.2f} s  {value / one_put:5.2f}x one PUT")
    others = [value for name, value in seconds.items() if name != "kist"]
    if others:
        print(f"  kist has {min(others) / seconds['kist'] * 100:.0f} % of the fastest one's speed (claim: 90 %, and 2x)")


def on_s3(server, directory, data):
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"} | server.environment
    tools = {}
    if program := s5cmd():
        tools["s5cmd"] = lambda source, bucket: timed(
            [program, "--endpoint-url", server.endpoint, "cp", f"{source}/", f"s3://{bucket}/"],
            environment)
    if shutil.which("rclone"):
        settings = {"TYPE": "s3", "PROVIDER": "Minio", "ENV_AUTH": "true", "REGION": server.region,
                    "ENDPOINT": server.endpoint}
        tools["rclone"] = lambda source, bucket: timed(
            ["rclone", "copy", "--transfers", "32", "--s3-no-check-bucket", source, f"bench:{bucket}"],
            {**environment, **{f"RCLONE_CONFIG_BENCH_{name}": value for name, value in settings.items()}})
    if shutil.which("aws"):
        tools["aws"] = lambda source, bucket: timed(
            ["aws", "--endpoint-url", server.endpoint, "s3", "cp", "--recursive", source, f"s3://{bucket}/"],
            environment)
    home = Home(directory, data, environment)
    for name in ("small", "large"):
        home("run", f"{name}.yaml", "--name", name)
        body = b"".join(path.read_bytes() for path in sorted((data / name).iterdir()))
        puts, seconds = [], {"kist": [], **{tool: [] for tool in tools}}
        for number in range(ROUNDS):
            bucket = server.bucket()
            begin = time.monotonic()
            status, answer = server.request("PUT", f"/{bucket}/one", body=body)
            puts.append(time.monotonic() - begin)
            assert status == 200, answer
            for tool, copy in tools.items():
                bucket = server.bucket()
                seconds[tool].append(copy(data / name, bucket))
            bucket = server.bucket()
            home("remote", "add", f"{name}{number}", f"s3://{bucket}/kist", "--endpoint", server.endpoint, "--default")
            seconds["kist"].append(home("push", name))
        ratios(f"push {FILES} files of {FILE_SIZE >> 10} KiB to {server.kind}" if name == "small"
               else f"push 1 GiB to {server.kind}", len(body),
               {tool: statistics.median(values) for tool, values in seconds.items()}, statistics.median(puts))

    def stored():
        return sum(path.stat().st_size for path in (directory / "server").rglob("*") if path.is_file())

    edit(data / "large/file")
    home("run", "large.yaml", "--name", "edited")
    before = stored()
    took = home("push", "edited")
    print(f"push again after an edit of 1 %: {took:.2f} s, {(stored() - before) / LARGE * 100:.2f} % sent (claim: 3 %)")


with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=os.environ.get("KIST_BENCH_DIRECTORY")) as made:
    made = pathlib.Path(made)
    data = made / "project/data"
    data.mkdir(parents=True)
    make_data(data)
    with serve_s3(made / "server") as served:
        if isinstance(served, S3Server):
            on_s3(served, made, data)
        else:
            print(f"left out: {served}")
