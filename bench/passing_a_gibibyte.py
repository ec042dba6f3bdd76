#!/usr/bin/env python3
"""Claim: passing a 1 GiB artifact from one task to the next copies nothing.

The same two commands run by the shell alone and by kist. What kist adds is the reading of the file for its digest; the bytes
on disk stay one copy.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

kist = pathlib.Path(sys.argv[1]).resolve()
MAKE = "openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c 1073741824 > "

with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=os.environ.get("KIST_BENCH_DIRECTORY")) as directory:
    directory = pathlib.Path(directory)
    begin = time.monotonic()
    subprocess.run(["sh", "-c", f"{MAKE} {directory}/big; stat -c %s {directory}/big"], check=True, stdout=subprocess.DEVNULL)
    shell = time.monotonic() - begin
    begin = time.monotonic()
    subprocess.run(["cp", directory / "big", directory / "copy"], check=True)
    copy = time.monotonic() - begin
    os.unlink(directory / "big")
    os.unlink(directory / "copy")
    (directory / "pass.yaml").write_text(f"""
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: pass-}}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {{name: make, template: make}}
        - - name: use
            template: use
            arguments: {{artifacts: [{{name: big, from: "{{{{steps.make.outputs.artifacts.big}}}}"}}]}}
    - name: make
      container: {{image: alpine, command: [sh, -c], args: ["{MAKE.strip()} /tmp/big"]}}
      outputs: {{artifacts: [{{name: big, path: /tmp/big}}]}}
    - name: use
      inputs: {{artifacts: [{{name: big, path: /tmp/big}}]}}
      container: {{image: alpine, command: [stat, -c, "%s", /tmp/big]}}
""")
    home = directory / "home"
    begin = time.monotonic()
    done = subprocess.run([kist, "run", "pass.yaml"], cwd=directory, env={**os.environ, "KIST_HOME": str(home)}, check=True,
                          capture_output=True, text=True)
    ran = time.monotonic() - begin
    assert "1073741824" in done.stdout, done.stdout
    used = int(subprocess.run(["du", "-s", "-B1", home], capture_output=True, text=True, check=True).stdout.split()[0])
    print(f"1 GiB made and passed: shell {shell:.2f} s, kist {ran:.2f} s; a `cp` of it {copy:.2f} s")
    print(f"bytes on disk / bytes of the artifact: {used / 2**30:.2f} (claim: 1.0x, nothing copied)")
