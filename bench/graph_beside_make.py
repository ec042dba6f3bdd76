#!/usr/bin/env python3
"""Claim: a graph of 1,000 trivial tasks runs within 3x of `make -j2` on the same commands, in at most 64 MiB.

Both run in turns; the figures are medians. make starts /bin/true without a shell; kist gives each task a private root and
records its state durably.
"""
import os
import pathlib
import statistics
import sys
import tempfile
import time

TASKS, ROUNDS = 1000, 5
kist = pathlib.Path(sys.argv[1]).resolve()


def timed(words, directory, **environment):
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.chdir(directory)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.execvpe(words[0], words, {**os.environ, **environment})
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{words}: status {status}")
    return time.monotonic() - begin, usage.ru_maxrss * 1024


with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=os.environ.get("KIST_BENCH_DIRECTORY")) as directory:
    directory = pathlib.Path(directory)
    names = [f"t{i}" for i in range(TASKS)]
    (directory / "Makefile").write_text(f"all: {' '.join(names)}\n{' '.join(names)}:\n\t@/bin/true\n")
    tasks = "".join(f"          - {{name: {name}, template: nothing}}\n" for name in names)
    (directory / "graph.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: graph-}\nspec:\n  entrypoint: main\n"
        "  templates:\n    - name: main\n      dag:\n        tasks:\n" + tasks +
        "    - name: nothing\n      container: {image: alpine, command: [/bin/true]}\n")
    made, ran, memory = [], [], 0
    for number in range(ROUNDS):
        made.append(timed(["make", "-j2", "all"], directory)[0])
        seconds, peak = timed([str(kist), "run", "graph.yaml"], directory, KIST_HOME=str(directory / f"home{number}"))
        ran.append(seconds)
        memory = max(memory, peak)
    make_s, kist_s = statistics.median(made), statistics.median(ran)
    print(f"{TASKS} tasks: make -j2 {make_s:.2f} s, kist {kist_s:.2f} s: {kist_s / make_s:.1f}x (claim: 3x)")
    print(f"peak memory of kist {memory / 2**20:.0f} MiB (claim: 64 MiB)")
