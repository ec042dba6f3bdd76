"""Every file below examples/ runs and does what its first lines say, in a copy of its directory."""
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture
def example(kist):
    """Makes the project a copy of a directory of examples/."""
    def copy(directory):
        shutil.copytree(EXAMPLES / directory, kist.project, dirs_exist_ok=True)
        return kist
    return copy


def files(kist, run):
    """What `ls -r` addresses, with sizes; None for what has none."""
    return {entry["path"]: entry.get("size") for entry in kist.json("ls", "-r", run)}


def said(done):
    """The lines of an Argo run, without the names of pods."""
    return [line.split(": ", 1)[-1] for line in done.stdout.splitlines()]


def test_dstack_artifacts(example):
    kist = example("dstack")
    assert files(kist, kist.run("hello-txt")) == {"output/hello.txt": 12}
    assert files(kist, kist.run("two-artifacts")) == {"report/pages/1.txt": 6, "report/pages/2.txt": 7,
                                                      "data/tables/numbers.csv": 4}
    assert files(kist, kist.run("fails-late", code=1)) == {"output/half.txt": 11}


def test_dstack_commands(example):
    kist = example("dstack")
    done = kist("run", "greet", "Ada", "Grace Hopper", "--name", "r")
    assert done.stdout.splitlines() == ["Good morning, Ada, from r", "Good morning, Grace Hopper, from r",
                                        "that is everybody"]
    assert kist("run", "several-lines").stdout == "first\nsecond\n"


def test_dstack_deps(example):
    kist = example("dstack")
    assert "run it first" in kist("run", "cat-by-workflow", code=2).stderr
    run = kist.run("hello-txt")
    assert kist("run", "cat-by-workflow").stdout == "Hello world\n"
    kist("tags", "add", run, "greeting")
    kist("rm", "-y", run)
    assert kist("run", "cat-by-tag").stdout == "Hello world\n"
    kist.run("hello-txt", name="again")
    shout = kist.run("shout", name="loud")
    assert kist("cat", shout, "loud/hello.txt").stdout == "HELLO WORLD\n"
    assert kist("cat", "again", "output/hello.txt").stdout == "Hello world\n"


def test_dstack_mounted(example):
    kist = example("dstack")
    run = kist.run("hello-sh", "-e", "DELAY=0")
    assert len(files(kist, run)) == 101
    assert kist("cat", run, "output/100.txt").stdout == "100\n"


@pytest.mark.parametrize("name, lines, kept", [
    ("archives", ["all the same"], {"silent": 3893, "plain": 3893, "tar": 3893, "stored": 3893, "zip": 3893}),
    ("directory", ["<h1>kist</h1>", "served"],
     {"site/drafts": None, "site/pages/index.html": 14, "site/serve": 22, "site/start": None}),
    ("nested", ["3 words:", "apple", "pear", "plum"], {"text": 16, "sorted": 16}),
    ("optional", ["there is no note"], {}),
    ("passing", ["hello from kist"], {"hello-art": 16}),
    ("results", ["42", "42 is above 10"], {}),
])
def test_argo(example, name, lines, kept):
    kist = example("argo")
    done = kist("run", f"{name}.yaml", "--name", "r")
    assert said(done) == lines
    assert {path.rstrip("/"): size for path, size in files(kist, "r").items()} == kept


def test_argo_branches(example):
    kist = example("argo")
    assert sorted(said(kist("run", "branches.yaml", "--name", "r"))) == ["cannot", "convert ended with 3", "fetched",
                                                                         "tidied up"]
    status = {node["display"]: node["status"] for node in kist.json("show", "r")["nodes"]}
    assert status["convert"] == "failed" and status["rescue"] == "succeeded"


def test_argo_raw(example):
    assert said(example("argo")("run", "raw.yaml", "--name", "r")) == ["755", "hello world, says r"]


def test_argo_parameters_of_the_command_line(example):
    kist = example("argo")
    assert said(kist("run", "passing.yaml", "-p", "message=good day")) == ["good day"]
    assert said(kist("run", "optional.yaml", "-p", "write=yes")) == ["here I am"]
    assert "enum" in kist("run", "optional.yaml", "-p", "write=perhaps", code=2).stderr


def test_onepanel(example):
    kist = example("onepanel")
    lines = said(kist("run", "passing.yaml", "--name", "passing"))
    assert lines[1] == "< hello >" and lines[:len(lines) // 2] == lines[len(lines) // 2:]
    assert list(files(kist, "passing")) == ["words"]
    assert said(kist("run", "options.yaml", "--name", "options")) == ["config.json", "weights.bin", "no metrics"]
    kist("artifacts", "download", "--packed", "options", "out")
    kept = {path.relative_to(kist.project / "out").as_posix() for path in (kist.project / "out").rglob("*")}
    assert kept == {"model", "model/config.json", "model/weights.bin", "packed-model.tgz"}


@pytest.mark.parametrize("script, lines", [
    ("inline.py", ["['line 1', 'line 2']"]),
    ("runner.py", ['a field: 4 by 3, /tmp/hera-inputs/artifacts/details holds {"area": 12, "edges": [4, 3]}']),
])
def test_hera(example, script, lines):
    kist = example("hera")
    printed = subprocess.run([sys.executable, script], cwd=kist.project, capture_output=True, text=True, check=True)
    (kist.project / "w.yaml").write_text(printed.stdout)
    kist.environment["VIRTUAL_ENV"] = sys.prefix
    done = kist("run", "w.yaml", "--name", "r")
    assert said(done) == lines
    assert all(line.startswith("r-") for line in done.stdout.splitlines())


def test_circleci_artifacts(example):
    kist = example("circleci/artifacts")
    for run in ("first", "second"):
        assert files(kist, kist.run(name=run)) == {"greeting": 6, "tmp/pages/one.txt": 9, "tmp/pages/two.txt": 9}


def test_circleci_core_dump(example):
    kist = example("circleci/core-dump")
    names = list(files(kist, kist.run(code=1)))
    assert len(names) == 1 and names[0].startswith("tmp/core_dumps/core.") and names[0].endswith("!crash"), names


def test_circleci_requires(example):
    kist = example("circleci/requires")
    run = kist.run(code=1)
    assert {node["display"]: node["status"] for node in kist.json("show", run)["nodes"] if node["kind"] == "task"} == {
        "build": "succeeded", "test": "succeeded", "lint": "failed", "publish": "omitted", "report": "succeeded"}
    assert kist("cat", run, "build/result").stdout.endswith("hello 42\n")
    assert kist("cat", run, "test/result").stdout == "test passed\n"


def test_no_example_is_forgotten():
    """A new file needs a test above, and its name here."""
    found = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*")
             if path.suffix in (".yaml", ".yml", ".py") and ".venv" not in path.parts}
    assert found == {
        "argo/archives.yaml", "argo/branches.yaml", "argo/directory.yaml", "argo/nested.yaml", "argo/optional.yaml",
        "argo/passing.yaml", "argo/raw.yaml", "argo/results.yaml", "circleci/artifacts/.circleci/config.yml",
        "circleci/core-dump/.circleci/config.yml", "circleci/requires/.circleci/config.yml",
        "dstack/.dstack/workflows/artifacts.yaml", "dstack/.dstack/workflows/commands.yaml",
        "dstack/.dstack/workflows/deps.yaml", "dstack/.dstack/workflows/mounted.yaml", "hera/inline.py",
        "hera/runner.py", "onepanel/options.yaml", "onepanel/passing.yaml"}
