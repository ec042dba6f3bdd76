"""Steps of Hera's runner are what `python -m hera.workflows.runner` makes of them, whoever has imported Hera for them."""
import json
import os
import sys

import pytest

from conftest import Kist, wait_until
from test_hera import OLDER, environment, said

FLOWS = """\
import atexit, gc, json, locale, os, resource, signal, stat, sys, tempfile, threading, time
from typing import Annotated

from hera.shared import global_config
from hera.workflows import Artifact, Steps, Workflow, script
from hera.workflows.io import Output

global_config.experimental_features["script_pydantic_io"] = True


def lines(path, *names):
    with open(path) as file:
        return [line for line in file.read().splitlines() if not names or line.partition(":")[0] in names]


@script(constructor="runner")
def look(word: str = "a default"):
    print(json.dumps({
        "word": word,
        "words": [sys.argv, sys.orig_argv],
        "path": sys.path,
        "interpreter": [sys.executable, sys.prefix, repr(sys.flags), sys.warnoptions, sys.getrecursionlimit()],
        "main": sorted(vars(sys.modules["__main__"])),
        "modules": sorted(name for name in sys.modules if name.startswith(("hera", "pydantic"))),
        "variables": dict(os.environ),
        "directory": [os.getcwd(), tempfile.gettempdir(), os.listdir("/tmp")],
        "process": [os.getppid(), os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getpriority(0, 0)],
        "rights": lines("/proc/self/status", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
                        "NoNewPrivs", "Seccomp", "Umask", "SigBlk", "SigIgn", "SigCgt", "Threads"),
        "limits": lines("/proc/self/limits") + lines("/proc/self/oom_score_adj") + lines("/proc/self/cgroup"),
        "spaces": [os.readlink("/proc/self/ns/" + name) == os.readlink("/proc/%d/ns/%s" % (os.getpid(), name))
                   for name in ("mnt", "pid", "ipc", "user")],
        "descriptors": [sorted(os.listdir("/proc/self/fd")), [stat.S_IFMT(os.fstat(n).st_mode) for n in range(3)]],
        "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through] for s in (sys.stdin, sys.stdout, sys.stderr)],
        "hooks": [sys.excepthook is sys.__excepthook__, str(signal.getsignal(signal.SIGINT)), gc.get_threshold()],
        "thread": threading.get_ident() == threading.main_thread().ident,
        "locale": locale.getpreferredencoding(),
    }))


@script(constructor="runner")
def how():
    print(open("/proc/self/cmdline").read().split("\\0")[1])


@script(constructor="runner")
def fails() -> Annotated[str, Artifact(name="out")]:
    return {}["nothing"]


@script(constructor="runner")
def mistaken(number: int):
    print(number)


class Out(Output):
    text: Annotated[str, Artifact(name="out")]


@script(constructor="runner")
def ends() -> Out:
    return Out(exit_code=3, result="the result", text="kept")


@script(constructor="runner")
def later():
    def speak():
        time.sleep(0.2)
        print("a thread")

    sys.excepthook = lambda kind, error, trace: print(kind.__name__, trace.tb_frame.f_code.co_name)
    atexit.register(lambda: print("at the end"))
    threading.Thread(target=speak).start()
    raise LookupError


@script(constructor="runner")
def told():
    sys.exit("a last word")


@script(constructor="runner")
def killed():
    print("alive", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


for each, arguments in ((look, {}), (how, {}), (fails, {}), (mistaken, {"number": "many"}), (ends, {}), (later, {}),
                        (told, {}), (killed, {})):
    with Workflow(name=each.__name__, entrypoint="steps"):
        with Steps(name="steps"):
            each(arguments=arguments)
"""
NAMES = ("look", "how", "fails", "mistaken", "ends", "later", "told", "killed")


def what_came_of_it(kist, starters, isolation):
    kist.environment.update(KIST_STARTERS=starters, KIST_ISOLATION=isolation)
    kist("run", "flows/m.py", code=1)
    came = {name: (kist("logs", name).stdout, [
        {key: node.get(key) for key in ("name", "status", "message", "exit_code", "outputs")}
        for node in kist.json("show", name)["nodes"]]) for name in NAMES}
    return came, {name: kist("cat", name, "out").stdout for name in ("fails", "ends")}


@pytest.mark.parametrize("isolation", ["root", "user"])
@pytest.mark.parametrize("release", [*OLDER, None], ids=lambda release: release or "newest")
def test_a_step_cannot_tell_that_hera_was_imported_before(tmp_path, release, isolation):
    if isolation == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    with_one, without = Kist(tmp_path / "one"), Kist(tmp_path / "other")
    with_one.environment["KIST_ISOLATION"] = isolation
    had = with_one.json("doctor")[0]
    if had["status"] != "ok":
        pytest.skip(f"this machine refuses: {had['text']}")
    with_one.write("flows/m.py", FLOWS)
    without.project = with_one.project
    for kist in (with_one, without):
        kist.environment.update(VIRTUAL_ENV=environment(release), PATH=os.environ["PATH"])
    came, files = what_came_of_it(with_one, "true", isolation)
    expected, expected_files = what_came_of_it(without, "false", isolation)
    # What only the machine's own tools can tell: the words that the process was started with.
    assert (came.pop("how")[0].split()[-1], expected.pop("how")[0].split()[-1]) == ("-c", "-m")
    (state, _), (expected_state, _) = came.pop("look"), expected.pop("look")
    assert json.loads(state.split(": ", 1)[1]) == json.loads(expected_state.split(": ", 1)[1])
    assert came == expected
    assert files == expected_files == {"fails": "", "ends": "kept"}
    assert "KeyError: 'nothing'" in came["fails"][0] and "runpy" in came["fails"][0]
    assert "LookupError _run_module_as_main" in came["later"][0]


def test_a_step_that_would_import_other_files_has_an_interpreter_of_its_own(kist):
    kist.environment["VIRTUAL_ENV"] = sys.prefix
    kist.write("extra/sitecustomize.py", "import builtins\nbuiltins.CUSTOM = 'customised'\n")
    kist.write("m.py", f"""\
        import builtins
        from hera.workflows import Env, Steps, Workflow, script

        @script(constructor="runner")
        def how():
            print(open("/proc/self/cmdline").read().split("\\0")[1], hash("a word"))

        @script(constructor="runner", env=[Env(name="PYTHONPATH", value="{kist.project}/extra")])
        def custom():
            print(open("/proc/self/cmdline").read().split("\\0")[1], builtins.CUSTOM)

        with Workflow(generate_name="w-", entrypoint="steps") as w:
            with Steps(name="steps"):
                how(name="first")
                custom()
                how(name="last")
        """)
    first, custom, last = said(kist("run", "m.py"))
    assert custom == "-m customised"
    assert first.startswith("-c ") and first == last  # of one process: their hashes have one seed


def test_nothing_of_a_project_runs_outside_of_a_task(kist):
    """Its own virtual environment, which nobody has activated, is no starter's: that begins on the machine itself."""
    (kist.project / ".venv").symlink_to(sys.prefix)
    kist.write("w.yaml", f"""\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {{generateName: w-}}
        spec:
          entrypoint: how
          templates:
            - name: how
              script:
                image: my-image
                command: [python]
                args: [-m, hera.workflows.runner, -e, "m:how"]
                source: '[]'
        """)
    kist.write("m.py", "def how():\n    print(open('/proc/self/cmdline').read().split('\\0')[1])\n")
    assert said(kist("run", "w.yaml")) == ["-m"]
    kist.environment["VIRTUAL_ENV"] = str(kist.project / ".venv")
    assert said(kist("run", "w.yaml")) == ["-c"]


def test_the_runs_of_a_module_share_who_has_imported_hera(kist):
    kist.environment["VIRTUAL_ENV"] = sys.prefix
    kist.write("m.py", """\
        from hera.workflows import Steps, Workflow, script

        @script(constructor="runner")
        def how():
            print(open("/proc/self/cmdline").read().split("\\0")[1], hash("a word"))

        for name in "abc":
            with Workflow(generate_name=name + "-", entrypoint="steps"):
                with Steps(name="steps"):
                    how()
        """)
    first, *others = said(kist("run", "m.py"))
    assert first.startswith("-c ") and others == [first, first]


def test_who_waits_for_a_starter_hears_that_it_is_to_stop(kist):
    """An interpreter that does not get ready; started by itself it would say so."""
    python = kist.project / "slow/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n[ $1 = -c ] || {{ echo begun; exit 1; }}\necho $$ > {kist.project}/waits\nexec sleep 1000\n")
    python.chmod(0o755)
    kist.environment["VIRTUAL_ENV"] = str(kist.project / "slow")
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: w-}
        spec:
          entrypoint: how
          templates:
          - name: how
            script: {image: a, command: [python], args: [-m, hera.workflows.runner, -e, "m:how"], source: '[]'}
        """)
    run = kist.start("run", "w.yaml", "--name", "r")
    wait_until(lambda: (kist.project / "waits").exists())
    kist("stop", "-y", "r")
    out, _ = run.communicate(timeout=60)
    assert "begun" not in out and kist.json("show", "r")["status"] == "stopped"
