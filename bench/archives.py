#!/usr/bin/env python3
"""Claim: an artifact of JSON lines leaves as .tgz eight times as fast as gzip -6 writes it.

168 MB of lines like those of a training log, by `kist export`, which also reads the store and checks every chunk, beside
`tar | gzip -6` and, where they are installed, pigz and zstd. (Reading: gunzip.cpp.)
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

kist = pathlib.Path(sys.argv[1]).resolve()
SIZE = 168_000_000
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: archives-}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: alpine, command: [cp, -r, SOURCE, /tmp/lines]}
      outputs: {artifacts: [{name: lines, path: /tmp/lines}]}
"""


def seconds(command, rounds=3, **options):
    times = []
    for _ in range(rounds):
        begin = time.monotonic()
        subprocess.run(command, check=True, shell=isinstance(command, str), **options)
        times.append(time.monotonic() - begin)
    return min(times)


def write_lines(path):
    random.seed(5)
    words = [f"{random.choice('bdfgklmnprst')}{random.choice('aeiou')}{random.choice('bdgklmnrst')}{n}" for n in range(900)]
    written = 0
    with open(path, "w") as file:
        step = 0
        while written < SIZE:
            line = json.dumps({"step": step, "loss": round(random.random() * 4, 5), "epoch": step // 1000,
                               "user": random.choice(words), "message": " ".join(random.choices(words, k=9)),
                               "time": f"2024-05-{1 + step % 28:02d}T10:{step % 60:02d}:00Z"}) + "\n"
            file.write(line)
            written += len(line)
            step += 1


with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=os.environ.get("KIST_BENCH_DIRECTORY")) as directory:
    directory = pathlib.Path(directory)
    environment = {**os.environ, "KIST_HOME": str(directory / "home")}
    source = directory / "lines"
    source.mkdir()
    write_lines(source / "log.jsonl")
    (directory / "archives.yaml").write_text(WORKFLOW.replace("SOURCE", str(source)))
    subprocess.run([kist, "run", "archives.yaml", "--name", "lines"], cwd=directory, env=environment, check=True)

    def exported(form):
        return seconds([kist, "export", "lines", "-o", directory / f"own.{form}"], env=environment)

    size = lambda name: (directory / name).stat().st_size / 1e6
    gzip = seconds(f"tar cC {directory} lines | gzip -6 > {directory}/gzip.tgz", rounds=1)
    own = exported("tgz")
    print(f"write .tgz: kist {own:.2f} s ({size('own.tgz'):.0f} MB), gzip -6 {gzip:.2f} s ({size('gzip.tgz'):.0f} MB): "
          f"{gzip / own:.1f}x as fast (to reach: 8)")
    if shutil.which("pigz"):
        pigz = seconds(f"tar cC {directory} lines | pigz -6 > {directory}/pigz.tgz")
        print(f"            pigz -6 {pigz:.2f} s ({size('pigz.tgz'):.0f} MB): gzip / pigz {gzip / pigz:.1f}x")
    own = exported("tar.zst")
    zstd = seconds(f"tar cC {directory} lines | zstd -q -T0 -3 -f -o {directory}/zstd.tar.zst")
    print(f"write .tar.zst: kist {own:.2f} s ({size('own.tar.zst'):.0f} MB), zstd -T0 {zstd:.2f} s "
          f"({size('zstd.tar.zst'):.0f} MB): {zstd / own:.1f}x as fast")
    own = exported("zip")
    print(f"write .zip: kist {own:.2f} s ({size('own.zip'):.0f} MB): {gzip / own:.1f}x as fast as gzip -6")

