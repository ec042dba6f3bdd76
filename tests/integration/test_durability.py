"""What was reported as saved survives kill -9; what was interrupted goes on where it was."""
import os
import signal
import subprocess
import time

import pytest

from conftest import wait_until

STEPS = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: first, template: first}
        - - name: second
            template: second
            arguments:
              artifacts: [{name: in, from: "{{steps.first.outputs.artifacts.out}}"}]
    - name: first
      container: {image: alpine, command: [sh, -c], args: ["date +%N > /tmp/out; cat /tmp/out"]}
      outputs: {artifacts: [{name: out, path: /tmp/out}]}
    - name: second
      inputs: {artifacts: [{name: in, path: /tmp/in}]}
      container:
        image: alpine
        command: [sh, -c]
        args: ["test -e GATE/go || { touch GATE/waiting; sleep 1000 & sleep 1000; }; cp /tmp/in /tmp/out"]
      outputs: {artifacts: [{name: out, path: /tmp/out}]}
"""


def processes_below(marker):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if marker in open(f"/proc/{pid}/cmdline").read():
                found.append(int(pid))
        except OSError:
            pass
    return found


def test_kill_9_leaves_nothing_behind_and_resume_goes_on(kist):
    gate = kist.project / "gate"
    gate.mkdir()
    (kist.project / "w.yaml").write_text(STEPS.replace("GATE", str(gate)))
    mounts = open("/proc/mounts").read()
    process = kist.start("run", "w.yaml", "--name", "r", start_new_session=True)
    wait_until(lambda: any(node["display"] == "second" and node["status"] == "running"
                           for node in kist.json("show", "r", code=None if process.poll() is None else 0).get("nodes", []))
               if kist("show", "r", code=None).returncode == 0 else False)
    time.sleep(0.5)
    before = kist("cat", "r", "first/out").stdout
    process.kill()
    process.communicate(timeout=10)
    wait_until(lambda: not processes_below("sleep\x001000"))
    assert open("/proc/mounts").read() == mounts
    run = kist.json("show", "r")
    assert run["status"] == "interrupted"
    assert "Duration" not in kist("show", "r").stdout, "when it ended is not known"
    assert kist("cat", "r", "first/out").stdout == before

    (gate / "go").touch()
    kist("resume", "r")
    run = kist.json("show", "r")
    assert run["status"] == "succeeded"
    nodes = {node["display"]: node for node in run["nodes"]}
    assert nodes["first"]["attempt"] == 1 and nodes["second"]["attempt"] == 2
    assert kist("cat", "r", "first/out").stdout == before == kist("cat", "r", "second/out").stdout


def test_a_run_that_goes_on_is_not_resumed(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - {name: long, provider: bash, commands: [sleep 1000]}
        """)
    kist("run", "-d", "long", "--name", "r")
    wait_until(lambda: kist.json("show", "r")["status"] == "running")
    refused = kist("resume", "r", code=2)
    assert refused.stdout == "" and refused.stderr.startswith("kist: The run 'r' goes on in another process")
    kist("stop", "-x", "-y", "r")


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.2, 0.4])
def test_kill_9_at_any_moment_leaves_a_store_that_works(kist, delay):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: many
            provider: bash
            commands: [for i in $(seq 300); do head -c 3000 /dev/urandom > output/$i; done]
            artifacts: [{path: output}]
        """)
    process = kist.start("run", "many", "--name", "killed", start_new_session=True)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    runs = {run["name"]: run["status"] for run in kist.json("ps", "-a")}
    assert runs.get("killed", "interrupted") in ("interrupted", "succeeded")
    if runs:
        kist("resume", "killed", code=None)
    kist("run", "many", "--name", "next")
    assert len(kist.json("ls", "-r", "next")) == 300


def test_what_a_killed_run_left_in_scratch_is_freed_and_nothing_else(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: fills
            provider: bash
            commands:
              - mkdir -p deep/closed && head -c 20000000 /dev/urandom > deep/closed/large && chmod 0 deep/closed
              - ln -s /etc link && touch ready
              - test -e gate || sleep 1000
        """)
    scratch = kist.home / "scratch"

    def directories():
        return {path for path in scratch.glob("*")}

    def fill(name):
        before = directories()
        process = kist.start("run", "fills", "--name", name, start_new_session=True)
        wait_until(lambda: any(path not in before and list(path.rglob("ready")) for path in directories()))
        return process, directories() - before

    killed, left = fill("killed")
    killed.kill()
    killed.communicate(timeout=10)
    going, held = fill("going")
    assert left and held and not left & directories(), "the next run removes what is left"
    killed, left = fill("again")
    killed.kill()
    killed.communicate(timeout=10)
    would = kist.json("gc", "-n")
    assert would["scratch"] == len(left) and would["scratch_bytes"] > 20_000_000
    assert directories() == left | held
    freed = kist("gc").stdout
    assert "in scratch that" in freed and directories() == held
    assert kist.json("gc")["scratch"] == 0

    # It is needed by nobody: what was interrupted goes on.
    (kist.project / "gate").touch()
    kist("stop", "-x", "-y", "going")
    going.communicate(timeout=60)
    kist("resume", "killed")
    assert not directories()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_nothing_that_is_mounted_in_scratch_is_removed(kist, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    mounted = kist.home / "scratch/task-1/root/mounted"
    mounted.mkdir(parents=True)
    kist("ps")
    subprocess.run(["mount", "--bind", tmp_path / "outside", mounted], check=True)
    try:
        assert "mounted" in kist("gc").stdout
        assert (tmp_path / "outside/file").exists()
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert kist.json("gc")["scratch"] == 1 and not (kist.home / "scratch/task-1").exists()
