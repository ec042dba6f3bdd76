"""kist is killed in every state in which a run can wait, and `resume` goes on from there: what had ended is not run
again, what waited waits, locks are free, and time that has gone by has gone by."""
import json
import signal
import time

import pytest

from conftest import wait_until
from test_durability import processes_below

HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
"""
SAY = """\
  - name: say
    inputs: {parameters: [{name: word}]}
    container: {image: alpine, command: [sh, -c], args: ["echo ran {{inputs.parameters.word}}"]}
"""


def node(kist, run, display):
    shown = kist("show", run, "--json", code=None)
    if shown.returncode != 0:
        return {}
    return next((one for one in json.loads(shown.stdout).get("nodes", []) if one["display"] == display), {})


class Killed:
    """A run whose kist is killed where it is."""

    def __init__(self, kist, text, name="r"):
        self.kist, self.name = kist, name
        self.go = kist.project / f"go-{name}"
        kist.write(f"{name}.yaml", text.replace("GO", str(self.go)))
        self.process = kist.start("run", f"{name}.yaml", "--name", name, start_new_session=True)

    def is_at(self, display, status="running", message=""):
        there = node(self.kist, self.name, display)
        return there.get("status") == status and message in there.get("message", "")

    def kill_at(self, *place, **more):
        wait_until(lambda: self.is_at(*place, **more))
        self.kill()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=20)
        assert self.kist.json("show", self.name)["status"] == "interrupted"

    def resume(self):
        self.process = self.kist.start("resume", self.name, start_new_session=True)

    def end(self, code=0):
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == code, out + err
        return self.kist.json("show", self.name)

    def said(self):
        """What its steps said, of all attempts."""
        return sorted(line.split("ran ", 1)[1]
                      for line in self.kist("logs", self.name).stdout.splitlines() if "ran " in line)


def test_at_a_gate_it_waits_again_until_somebody_approves(kist):
    run = Killed(kist, HEAD + """\
  templates:
  - name: main
    steps:
    - - {name: before, template: say, arguments: {parameters: [{name: word, value: before}]}}
    - - {name: gate, template: gate}
    - - {name: after, template: say, arguments: {parameters: [{name: word, value: "{{workflow.outputs.parameters.chosen}}"}]}}
  - name: gate
    suspend: {}
    outputs: {parameters: [{name: choice, globalName: chosen, valueFrom: {supplied: {}, default: later}}]}
""" + SAY)
    run.kill_at("gate")
    run.resume()
    wait_until(lambda: run.is_at("gate"))
    time.sleep(0.5)
    assert run.is_at("gate") and node(kist, "r", "after") == {}
    kist("approve", "r")
    assert run.end()["status"] == "succeeded"
    assert run.said() == ["before", "later"]


def test_a_run_that_was_not_approved_waits_again(kist):
    run = Killed(kist, HEAD + """\
  suspend: true
  templates:
  - {name: main, container: {image: alpine, command: [echo, ran main]}}
""")

    def waits():
        return "waits for approval" in kist("show", "r", code=None).stdout

    wait_until(waits)
    run.kill()
    run.resume()
    wait_until(waits)
    time.sleep(0.5)
    assert waits() and run.said() == []
    kist("approve", "r")
    run.end()
    assert run.said() == ["main"]


LOCKS = {"mutex": "mutexes: [{name: m}]", "semaphore": "semaphores: [{configMapKeyRef: {name: limits, key: k}}]"}


def locked(kind):
    limits = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: limits}
data: {k: "1"}
---
"""
    return (limits if kind == "semaphore" else "") + HEAD + f"""\
  templates:
  - name: main
    steps:
    - - {{name: held, template: held}}
  - name: held
    synchronization: {{{LOCKS[kind]}}}
    container:
      image: alpine
      command: [sh, -c]
      args: ["test -e GO || {{ echo began; sleep 1000; }}; echo ran held"]
"""


@pytest.mark.parametrize("kind", LOCKS)
def test_who_waits_for_a_lock_and_who_holds_it(kist, kind):
    holder = Killed(kist, locked(kind), "holder")
    wait_until(lambda: holder.is_at("held"))
    waiter = Killed(kist, locked(kind), "waiter")
    waiter.go.touch()
    waiter.kill_at("held", "pending", message="Waiting for")
    waiter.resume()
    wait_until(lambda: waiter.is_at("held", "pending", message="Waiting for"))
    # What a lost run held is free, and it waits for it like everybody else when it goes on.
    holder.kill()
    assert waiter.end()["status"] == "succeeded"
    assert waiter.said() == ["held"]
    holder.go.touch()
    holder.resume()
    assert holder.end()["status"] == "succeeded"
    assert holder.said() == ["held"]
    third = Killed(kist, locked(kind), "third")
    third.go.touch()
    third.end()


@pytest.mark.parametrize("hook,at", [
    ("exit: {template: hook}", "a.onExit"),
    ("""go: {template: hook, expression: "steps['a'].status == 'Running'"}""", "a.hooks.go"),
])
def test_in_a_hook(kist, hook, at):
    run = Killed(kist, HEAD + """\
  templates:
  - name: main
    steps:
    - - name: a
        template: say
        arguments: {parameters: [{name: word, value: a}]}
        hooks: {HOOK}
    - - {name: b, template: say, arguments: {parameters: [{name: word, value: b}]}}
  - name: hook
    container: {image: alpine, command: [sh, -c], args: ["test -e GO || sleep 1000; echo ran hook"]}
""".replace("HOOK", hook) + SAY)
    wait_until(lambda: run.is_at("a", "succeeded"))
    run.kill_at(at)
    run.go.touch()
    run.resume()
    assert run.end()["status"] == "succeeded"
    assert run.said() == ["a", "b", "hook"]


def test_in_the_exit_handler(kist):
    run = Killed(kist, HEAD + """\
  onExit: handler
  templates:
  - name: main
    steps:
    - - {name: a, template: make}
  - name: make
    container: {image: alpine, command: [sh, -c], args: ["echo ran a; echo made > /tmp/x; exit 1"]}
    outputs: {parameters: [{name: x, globalName: x, valueFrom: {path: /tmp/x}}]}
  - name: handler
    container:
      image: alpine
      command: [sh, -c]
      args: ["test -e GO || sleep 1000; echo ran {{workflow.status}} {{workflow.outputs.parameters.x}}"]
""")
    run.kill_at("r.onExit")
    run.go.touch()
    run.resume()
    assert run.end(code=1)["status"] == "failed"
    assert run.said() == ["Failed made", "a"]


def test_between_two_attempts(kist):
    run = Killed(kist, HEAD + """\
  templates:
  - name: main
    retryStrategy: {limit: 3, backoff: {duration: "4"}}
    container: {image: alpine, command: [sh, -c], args: ["echo ran {{retries}}; test {{retries}} -gt 0"]}
""")
    run.kill_at("r", "running", message="Backoff for")
    run.resume()
    run.end()
    assert run.said() == ["0", "1"]


def test_with_a_daemon_running(kist):
    marker = "sleep\x0098765"
    run = Killed(kist, HEAD + """\
  templates:
  - name: main
    steps:
    - - {name: server, template: server}
    - - {name: a, template: say, arguments: {parameters: [{name: word, value: a}]}}
    - - {name: client, template: client}
  - name: server
    daemon: true
    container: {image: alpine, command: [sleep, "98765"]}
  - name: client
    container: {image: alpine, command: [sh, -c], args: ["test -e GO || sleep 1000; echo ran client"]}
""" + SAY)
    run.kill_at("client")
    wait_until(lambda: not processes_below(marker))
    run.go.touch()
    run.resume()
    assert run.end()["status"] == "succeeded"
    assert run.said() == ["a", "client"]
    assert node(kist, "r", "server")["attempt"] == 2
    assert not processes_below(marker)


@pytest.mark.parametrize("limit", ["activeDeadlineSeconds: 3", 'timeout: "3s"'])
def test_limits_of_time_go_on_while_nobody_owns_the_run(kist, limit):
    run = Killed(kist, HEAD + f"""\
  templates:
  - name: main
    {limit}
    container: {{image: alpine, command: [sh, -c], args: ["test -e GO && {{ sleep 1; exit 0; }}; sleep 1000"]}}
""")
    run.kill_at("r")
    run.go.touch()
    time.sleep(3)
    run.resume()
    assert run.end(code=1)["message"] == "Step exceeded its deadline"


def test_the_limit_of_a_run_goes_on_too(kist):
    run = Killed(kist, HEAD + """\
  activeDeadlineSeconds: 3
  templates:
  - name: main
    container: {image: alpine, command: [sh, -c], args: ["test -e GO && { sleep 1; exit 0; }; sleep 1000"]}
""")
    run.kill_at("r")
    run.go.touch()
    time.sleep(3)
    run.resume()
    assert run.end(code=1)["status"] == "failed"


def test_an_approval_that_its_owner_could_not_act_on_any_more(kist):
    run = Killed(kist, HEAD + """\
  templates:
  - name: main
    steps:
    - - {name: gate, template: gate}
    - - {name: after, template: say, arguments: {parameters: [{name: word, value: after}]}}
  - {name: gate, suspend: {}}
""" + SAY)
    wait_until(lambda: run.is_at("gate"))
    run.process.send_signal(signal.SIGSTOP)  # it is there, and takes no request any more
    assert "has not answered yet" in kist("approve", "r", code=None).stderr
    run.kill()
    run.resume()
    assert run.end()["status"] == "succeeded"
    assert run.said() == ["after"]
