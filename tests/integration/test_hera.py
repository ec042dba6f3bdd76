"""`kist run FILE.py`: what a Python module defines with real Hera, of every release that kist answers to."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import pytest

from conftest import ROOT
from test_dstack import wait_until

DRIVER = ROOT / "src/cli/hera_module.py"
OLDER = ("5.27.0", "6.0.0")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kist-tests"


def environment(release):
    """A virtual environment with that release; None is the one the tests run in, with the newest."""
    if release is None:
        return sys.prefix
    directory = CACHE / f"hera-{release}"
    assert (directory / ".installed").exists(), f"{directory} is missing: run scripts/python-environment"
    return str(directory)


@pytest.fixture
def hera(kist):
    kist.environment["VIRTUAL_ENV"] = sys.prefix
    return kist


def said(done):
    return [line.split(": ", 1)[-1] for line in done.stdout.splitlines()]


def inline(name, text="print('{name}')"):
    """A workflow of one inline step, as it stands in a module."""
    return f"""\
from hera.workflows import *

@script()
def say():
    {text.format(name=name)}

with Workflow(generate_name="{name}-", entrypoint="steps") as {name}:
    with Steps(name="steps"):
        say()

"""


@pytest.mark.parametrize("release", [*OLDER, None], ids=lambda release: release or "newest")
def test_every_release_runs_inline_and_runner_steps(kist, release):
    kist.environment["VIRTUAL_ENV"] = environment(release)
    shutil.copytree(ROOT / "examples/hera", kist.project, dirs_exist_ok=True)
    assert said(kist("run", "inline.py", "--name", "i")) == ["['line 1', 'line 2']"]
    assert said(kist("run", "runner.py", "--name", "r")) == [
        'a field: 4 by 3, /tmp/hera-inputs/artifacts/details holds {"area": 12, "edges": [4, 3]}']
    assert kist("cat", "r", "summary").stdout == "4 by 3"


def test_every_workflow_runs_in_the_order_of_the_module_and_one_that_fails_stops_no_other(hera):
    hera.write("m.py", inline("first") + inline("second", "raise SystemExit(3)") + inline("third") + "print('read')\n")
    done = hera("run", "m.py", code=1)
    assert said(done) == ["read", "first", "third"]
    assert [run["status"] for run in hera.json("ps", "-a")] == ["succeeded", "failed", "succeeded"]
    assert said(hera("run", "m.py", "third", "--name", "only")) == ["read", "third"]
    assert "defines 3 workflows" in hera("run", "m.py", "--name", "r", code=2).stderr
    assert "there is no workflow 'fourth'" in hera("run", "m.py", "fourth", code=2).stderr


def test_create_reaches_no_server_and_runs_the_workflow_as_it_is_then(hera):
    hera.write("m.py", """\
from hera.shared import global_config
from hera.workflows import *

def token():
    raise RuntimeError("there is no cluster to ask for one")

global_config.token = token

@script()
def say(word):
    print(word)

with Workflow(name="w", namespace="argo", entrypoint="steps", arguments=Parameter(name="word", value="one"),
              workflows_service=WorkflowsService(host="http://nowhere.invalid")) as w:
    with Steps(name="steps"):
        say(arguments={"word": w.get_parameter("word")})

w.create(wait=True)
w.name, w.arguments = "again", Parameter(name="word", value="two")
w.create()
""")
    assert said(hera("run", "m.py")) == ["one", "two"]
    assert {run["name"] for run in hera.json("ps", "-a")} == {"w", "again"}


def test_below_main_is_read_only_where_nothing_else_defines_a_workflow(hera):
    body = textwrap.indent(inline("w").split("\n", 1)[1], "    ")
    hera.write("below.py", "from hera.workflows import *\nif __name__ == '__main__':\n" + body + "    w.create()\n")
    assert said(hera("run", "below.py")) == ["w"]
    hera.write("beside.py", inline("w") + "if __name__ == '__main__':\n    raise SystemExit(7)\n")
    assert said(hera("run", "beside.py")) == ["w"]


def test_runner_steps_find_the_module_and_its_neighbours_wherever_kist_is_called(hera):
    hera.write("flows/words.py", "WORD = 'from beside'\n")
    hera.write("flows/m.py", """\
from hera.workflows import *
from words import WORD

@script(constructor="runner", image="my-image:v1")
def say():
    print(WORD)

with Workflow(generate_name="w-", entrypoint="steps") as w:
    with Steps(name="steps"):
        say()
""")
    assert said(hera("run", "flows/m.py")) == ["from beside"]
    (hera.project.parent / "elsewhere").mkdir()
    assert said(hera("run", hera.project / "flows/m.py", cwd=hera.project.parent / "elsewhere")) == ["from beside"]


def test_a_run_keeps_the_yaml_so_that_resume_needs_no_module(hera):
    gate = hera.project / "gate"
    gate.mkdir()
    hera.write("m.py", inline("w", f"""import os, time
    if not os.path.exists('{gate}/go'):
        time.sleep(777)
    print('went on')"""))
    process = hera.start("run", "m.py", "--name", "r", start_new_session=True)
    try:
        wait_until(lambda: (shown := hera("show", "r", "--json", code=None)).returncode == 0 and any(
            node["kind"] == "task" and node["status"] == "running" for node in json.loads(shown.stdout)["nodes"]))
    finally:
        process.kill()
        process.communicate(timeout=10)
    (hera.project / "m.py").unlink()
    (gate / "go").touch()
    assert said(hera("resume", "r")) == ["went on"]


def test_what_a_module_does_wrong_is_told(hera):
    hera.write("fails.py", "from hera.workflows import Workflow\n\ndef f():\n    return 1 / 0\n\nf()\n")
    told = hera("run", "fails.py", code=2).stderr
    assert told.startswith("Traceback (most recent call last):\n") and 'fails.py", line 6, in <module>' in told
    assert "ZeroDivisionError" in told and "hera_module" not in told and "<string>" not in told
    hera.write("nothing.py", "import hera.workflows\n")
    assert "defines no workflow" in hera("run", "nothing.py", code=2).stderr
    hera.write("plain.py", "print('ran')\n")
    done = hera("run", "plain.py", code=2)
    assert "imports hera" in done.stderr and "ran" not in done.stdout
    hera.write("asks.py", inline("w") + "w.workflows_service.list_workflows(namespace='argo')\n")
    assert "list_workflows() asks a server" in hera("run", "asks.py", code=2).stderr
    hera.write("unsound.py", inline("w") + "w.entrypoint = 'nowhere'\n")
    assert "YAML of unsound.py:" in hera("lint", "unsound.py", code=2).stderr
    hera("lint", "asks.py", code=2)


def test_without_hera_it_is_told_how_to_get_it(kist):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", kist.project / ".venv"], check=True)
    kist.write("m.py", inline("w"))
    told = kist("run", "m.py", code=2).stderr
    assert f"{kist.project}/.venv/bin/python -m pip install 'hera[yaml]'" in told


def test_a_file_of_a_package_never_stands_for_a_module_of_python(hera):
    package = hera.project / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("http", "json", "mailbox", "secrets"):
        (package / f"{name}.py").write_text("from hera.workflows import Workflow\nraise RuntimeError('not this one')\n")
    (package / "helper.py").write_text("WORD = 'helped'\n")
    (package / "m.py").write_text("import mailbox, secrets\nfrom helper import WORD\n" + inline("w", "print('said')")
                                  + "print(WORD)\n")
    for directory, file in ((package, "m.py"), (hera.project, "package/m.py")):
        assert said(hera("run", file, cwd=directory)) == ["helped", "said"]


def test_a_file_in_the_place_of_a_module_of_python_is_named(hera):
    hera.write("mailbox.py", "WORD = 'mine'\n")
    hera.write("m.py", "from mailbox import Maildir\n" + inline("w"))
    told = hera("run", "m.py", code=2).stderr
    assert f"{hera.project}/mailbox.py is imported in the place of Python's own module 'mailbox'" in told
    assert "install it" not in told


def drive(directory, *arguments):
    """The driver by itself: the lines it writes to descriptor 3."""
    script = f'exec "{sys.executable}" "{DRIVER}" {" ".join(map(str, arguments))} 3>documents'
    done = subprocess.run(["bash", "-c", script], cwd=directory, capture_output=True, text=True)
    return done, [json.loads(line) for line in (directory / "documents").read_text().splitlines()]


def test_the_driver_finds_what_a_module_makes_wherever_it_keeps_it(tmp_path):
    (tmp_path / "others.py").write_text(
        "from hera.workflows import *\nshared = WorkflowTemplate(name='shared')\nunused = Workflow(name='unused')\n"
        "used = Workflow(name='used')\n")
    (tmp_path / "m.py").write_text(textwrap.dedent("""\
        from hera.workflows import *
        import others
        from others import used

        def make(name):
            return Workflow(name=name)

        template = WorkflowTemplate(name="template")
        by_list = [make("a"), make("b")]
        make("c")
        nameless = Workflow(entrypoint="x")
        cluster = ClusterWorkflowTemplate(name="cluster")
        submitted = WorkflowsService(host="http://nowhere.invalid").submit_workflow(models.WorkflowSubmitRequest(
            resource_kind="WorkflowTemplate", resource_name="template",
            submit_options=models.SubmitOpts(parameters=["a=b=c"])))
        print(submitted.metadata.name)
        """).replace("from hera.workflows import *\n", "from hera.workflows import *\nfrom hera.workflows import models\n", 1))
    done, lines = drive(tmp_path, "m.py", ".")
    assert [(line.get("kind"), line.get("name")) for line in lines] == [
        ("WorkflowTemplate", "shared"), ("Workflow", "used"), ("WorkflowTemplate", "template"), ("Workflow", "a"),
        ("Workflow", "b"), ("Workflow", "c"), ("Workflow", "m-"), ("ClusterWorkflowTemplate", "cluster"),
        ("Workflow", "template-"), (None, None)]
    assert lines[-1] == {"end": True}
    assert "value: b=c" in lines[-2]["yaml"] and done.stdout.startswith("template-")
