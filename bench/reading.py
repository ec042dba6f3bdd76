#!/usr/bin/env python3
"""Claim: what an artifact holds is listed, and one file of it printed or copied, in the time a process takes to start.

Whole processes, the best of several, beside `find` and `cat` on the same files and, where it is installed, restic. A tree
of 40,000 small files is listed; of one of 100,000 a single file is read.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

kist = pathlib.Path(sys.argv[1]).resolve()
FILES, MANY = 40_000, 100_000
ROUNDS = 7

MAKE = """
import os, sys
for i in range(int(sys.argv[1])):
    if i % 50 == 0:
        directory = f"{sys.argv[2]}/d{i // 1000:03d}/s{i // 50 % 20:02d}"
        os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/file-{i:06d}.txt", "w") as file:
        file.write(f"{i} " * (1 + i * 7919 % 300))
"""
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: reading-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: files}]}
  templates:
    - name: main
      script:
        image: python:3
        command: [python3]
        source: |
          import sys
          sys.argv = ["", "{{workflow.parameters.files}}", "/tmp/tree"]
          exec('''MAKE''')
      outputs: {artifacts: [{name: tree, path: /tmp/tree}]}
"""


def best(command, **options):
    times = []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        times.append(time.monotonic() - begin)
    return min(times) * 1000


def show(what, own, peers, bar=None):
    text = f"{what:<44} {own:7.1f} ms"
    if bar:
        text += f" (to reach: {bar} ms)"
    for name, value in peers.items():
        text += f"; {name} {value:.1f} ms ({own / value:.2f}x)"
    print(text)


with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=os.environ.get("KIST_BENCH_DIRECTORY")) as directory:
    directory = pathlib.Path(directory)
    environment = {**os.environ, "KIST_HOME": str(directory / "home")}
    (directory / "reading.yaml").write_text(WORKFLOW.replace("MAKE", MAKE.replace("\n", "\n          ")))
    for name, files in (("small", FILES), ("large", MANY)):
        subprocess.run([sys.executable, "-c", MAKE, str(files), str(directory / name)], check=True)
        subprocess.run([kist, "run", "reading.yaml", "--name", name, "-p", f"files={files}"], cwd=directory, env=environment,
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    restic = {}
    if shutil.which("restic"):
        secret = {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": str(directory / "restic"),
                  "XDG_CACHE_HOME": str(directory / "cache")}
        quiet = {"check": True, "env": secret, "stdout": subprocess.DEVNULL}
        subprocess.run(["restic", "init"], **quiet)
        for name in ("small", "large"):
            subprocess.run(["restic", "backup", "--tag", name, str(directory / name)], **quiet)
        restic = {"env": secret}

    def with_restic(*words):
        return {"restic": best(["restic", *words], **restic)} if restic else {}

    one = "d050/s07/file-050350.txt"
    show("kist --version", best([kist, "--version"]), {"true": best(["true"])})
    show(f"ls -r of {FILES:,} files", best([kist, "ls", "-r", "small"], env=environment),
         {"find": best(["find", directory / "small"]), **with_restic("ls", "latest", "--tag", "small")}, 30)
    show(f"ls -r of {FILES:,} files, as JSON", best([kist, "ls", "-r", "small", "--json"], env=environment),
         {"find -ls": best(["find", directory / "small", "-ls"])})
    show(f"ls -r of 100 of {MANY:,} files",
         best([kist, "ls", "-r", "large", "--limit", "100", "--after", f"tree/{one}"], env=environment), {})
    show(f"cat of a file among {MANY:,}", best([kist, "cat", "large", f"tree/{one}"], env=environment),
         {"cat": best(["cat", directory / "large" / one]),
          **with_restic("dump", "latest", "--tag", "large", str(directory / "large" / one))}, 15)
    show(f"cp of a file among {MANY:,}", best([kist, "cp", "large", f"tree/{one}", directory / "copy"], env=environment),
         {"cp": best(["cp", directory / "large" / one, directory / "copy2"])})
    show("diff of two trees that share most", best([kist, "diff", "-q", "small/tree/d001", "large/tree/d001"], env=environment),
         {"diff -rq": best(["diff", "-rq", directory / "small/d001", directory / "large/d001"])})

    if os.path.exists("/dev/fuse"):
        mounted = directory / "mounted"
        subprocess.run([kist, "mount", "small", mounted], env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            begin = time.monotonic()
            subprocess.run(["tar", "cf", directory / "from-mount.tar", "-C", mounted, "."], check=True)
            first = (time.monotonic() - begin) * 1000
            show("tar of a mount, the first time", first,
                 {"tar of the files": best(["tar", "cf", directory / "from-files.tar", "-C", directory / "small", "."])})
            show("find in a mount, kept by the kernel", best(["find", mounted, "-size", "+1M"]),
                 {"find in the files": best(["find", directory / "small", "-size", "+1M"])})
        finally:
            subprocess.run([kist, "unmount", mounted], check=True)
    else:
        print("no /dev/fuse here: mounts are not measured")
