#!/usr/bin/env python3
"""Claim: a step of Hera's runner takes a third of what an interpreter of its own that imports Hera takes.

A workflow of steps that do nothing, one after the other, with starters and without them in turns; the figures are medians.
The environment is $VIRTUAL_ENV, or a new one with the newest Hera.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

STEPS, ROUNDS = 20, 3
kist = pathlib.Path(sys.argv[1]).resolve()

with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=os.environ.get("KIST_BENCH_DIRECTORY")) as directory:
    directory = pathlib.Path(directory)
    python = os.environ.get("VIRTUAL_ENV")
    if not python:
        python = directory / "environment"
        subprocess.run([sys.executable, "-m", "venv", python], check=True)
        subprocess.run([python / "bin/pip", "install", "-q", "hera[yaml]"], check=True)
    project = directory / "project"
    project.mkdir()
    (project / "m.py").write_text("def nothing():\n    pass\n")
    for count in (1, 1 + STEPS):
        (project / f"{count}.yaml").write_text(
            "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: steps-}\nspec:\n  entrypoint: main\n"
            "  templates:\n    - name: main\n      steps:\n" +
            "".join(f"        - [{{name: s{i}, template: nothing}}]\n" for i in range(count)) +
            "    - name: nothing\n      script:\n        image: my-image\n        command: [python]\n"
            "        args: [-m, hera.workflows.runner, -e, 'm:nothing']\n        source: '[]'\n")

    def seconds(count, starters, number):
        begin = time.monotonic()
        subprocess.run([kist, "run", f"{count}.yaml"], cwd=project, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL,
                       env={**os.environ, "VIRTUAL_ENV": str(python), "KIST_STARTERS": starters,
                            "KIST_HOME": str(directory / f"home-{starters}-{number}")})
        return time.monotonic() - begin

    first, more = {"true": [], "false": []}, {"true": [], "false": []}
    for number in range(ROUNDS):
        for starters in first:
            first[starters].append(seconds(1, starters, number))
            more[starters].append((seconds(1 + STEPS, starters, number) - first[starters][-1]) / STEPS)
    one = {starters: statistics.median(times) for starters, times in first.items()}
    each = {starters: statistics.median(times) for starters, times in more.items()}
    print(f"a run of one step: {one['false']:.2f} s, with a starter {one['true']:.2f} s")
    print(f"each further step: {each['false'] * 1000:.0f} ms, with a starter {each['true'] * 1000:.0f} ms: "
          f"{each['true'] / each['false']:.2f}x (claim: 0.33x)")
