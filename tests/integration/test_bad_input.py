"""Bad input: a clear message with its place, the right exit code, and nothing stored is lost."""
import os
import pathlib
import subprocess

import pytest

GOOD = """\
    workflows:
      - name: good
        provider: bash
        commands: [echo kept > output/kept.txt]
        artifacts: [{path: output}]
    """
ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates:
"""

MALFORMED = {
    ".dstack/workflows.yaml": "workflows:\n  - name: x\n   provider: bash\n",
    ".circleci/config.yml": "version: 2\njobs:\n  build: [\n",
    "argo.yaml": "kind: Workflow\nspec:\n\t- x\n",
}


@pytest.mark.parametrize("path", MALFORMED)
def test_malformed_yaml_names_file_line_and_column(kist, path):
    kist.write(path, "")
    (kist.project / path).write_text(MALFORMED[path])
    words = ["run", path] if path == "argo.yaml" else ["run", "x"] if "dstack" in path else ["run"]
    done = kist(*words, code=2)
    assert pathlib.Path(path).name + ":" in done.stderr
    assert any(f":{line}:" in done.stderr for line in (2, 3, 4)), done.stderr
    kist("ps")


WRONG = [
    ("dstack, wrong type", ".dstack/workflows.yaml", "workflows:\n  - name: x\n    provider: bash\n    commands: {a: b}\n", ["x"],
     ":4:"),
    ("circleci, wrong type", ".circleci/config.yml", "version: 2\njobs:\n  build:\n    machine: true\n    steps: 7\n", [], ":5:"),
    ("argo, wrong type", "w.yaml", ARGO + "  - name: main\n    container: [x]\n", ["w.yaml"], ":8:"),
    ("argo, missing template", "w.yaml", ARGO + "  - name: main\n    steps: [[{name: a, template: nope}]]\n", ["w.yaml"],
     "template name 'nope' undefined"),
    ("argo, cycle", "w.yaml", ARGO + "  - name: main\n    dag: {tasks: [{name: a, template: t, dependencies: [b]}, "
     "{name: b, template: t, dependencies: [a]}]}\n  - name: t\n    container: {image: alpine, command: [\"true\"]}\n", ["w.yaml"],
     "cycle"),
    ("argo, missing required artifact", "w.yaml", ARGO + "  - name: main\n    steps: [[{name: a, template: t}]]\n  - name: t\n"
     "    inputs: {artifacts: [{name: needed, path: /tmp/x}]}\n    container: {image: alpine, command: [\"true\"]}\n", ["w.yaml"],
     "needed"),
    ("argo, path that escapes", "w.yaml", ARGO + "  - name: main\n    container: {image: alpine, command: [\"true\"]}\n"
     "    outputs: {artifacts: [{name: x, path: ../../etc}]}\n", ["w.yaml"], "../../etc"),
    ("dstack, path that escapes", ".dstack/workflows.yaml", "workflows:\n  - name: x\n    provider: bash\n    commands: [\"true\"]\n"
     "    artifacts: [{path: ../../out}]\n", ["x"], "../../out"),
    ("dstack, unknown workflow", ".dstack/workflows.yaml", "workflows:\n  - name: x\n    provider: bash\n    commands: [\"true\"]\n",
     ["y"], "x"),
    ("circleci, unknown job", ".circleci/config.yml", "version: 2\njobs: {a: {machine: true, steps: [checkout]}}\n"
     "workflows: {version: 2, w: {jobs: [b]}}\n", [], ":3:"),
    ("circleci, cycle", ".circleci/config.yml", "version: 2\njobs:\n  a: &j {machine: true, steps: [{run: 'true'}]}\n  b: *j\n"
     "workflows: {version: 2, w: {jobs: [{a: {requires: [b]}}, {b: {requires: [a]}}]}}\n", [], "cycle"),
]


@pytest.mark.parametrize("what, path, text, words, expected", WRONG, ids=[case[0] for case in WRONG])
def test_wrong_input_is_refused_before_anything_starts(kist, what, path, text, words, expected):
    kist.write(path, "")
    (kist.project / path).write_text(text)
    done = kist("run", *words, code=2)
    assert expected in done.stderr
    assert kist.json("ps", "-a") == []


@pytest.mark.parametrize("text, expected", [
    ("workflows:\n\t- name: x\n", "w.yaml:2:1: error: a tab"),
    ("workflows: 3\n", "w.yaml:1:12: error: workflows: expected a list of workflows"),
    ("workflows:\n    name: x\n    provider: bash\n", "w.yaml:2:5: error: workflows: expected a list of workflows"),
    ("workflows:\n  - name: x\n    provider: bash\n    commands: [cat x]\n    deps:\n      - tag: no-such\n",
     "w.yaml:6:14: error: there is no tag 'no-such'"),
])
def test_the_mistake_of_a_file_is_the_first_thing_said(kist, text, expected):
    (kist.project / "w.yaml").write_text(text)
    assert kist("run", "w.yaml", code=2).stderr.startswith(expected)


def test_a_file_may_begin_with_a_byte_order_mark_and_end_its_lines_with_cr_lf(kist):
    text = "\ufeffworkflows:\r\n  - name: x\r\n    provider: bash\r\n    commands:\r\n      - |\r\n        echo one\r\n"
    (kist.project / "w.yaml").write_bytes(text.encode())
    assert kist("run", "w.yaml").stdout == "one\n"


@pytest.mark.parametrize("command", ["run", "lint"])
@pytest.mark.parametrize("kind", ["WorkflowEventBinding", "WorkflowTaskSet"])
def test_a_kind_that_is_not_run_is_named(kist, command, kind):
    (kist.project / "w.yaml").write_text(ARGO.replace("kind: Workflow", f"kind: {kind}")
                                         + "  - name: main\n    container: {image: alpine, command: [ls]}\n")
    assert f"w.yaml:1:1: error: not supported yet: kind {kind}" in kist(command, "w.yaml", code=2).stderr


def test_words_that_mean_nothing_are_refused(kist):
    kist.write("w.yaml", ARGO + "  - name: main\n    container: {image: alpine, command: [ls]}\n")
    assert "unexpected 'typo'" in kist("run", "w.yaml", "typo", code=2).stderr
    kist.write(".circleci/config.yml", "version: 2\njobs:\n  build: {machine: true, steps: [run: ls]}\n")
    assert "unexpected 'typo'" in kist("run", "build", "typo", code=2).stderr
    assert kist.json("ps", "-a") == []


def test_an_option_without_its_value_says_so(kist):
    assert kist("run", "x", "-p", code=2).stderr.startswith("kist: --parameter needs a value\n")


def test_a_directory_is_no_workflow_file(kist):
    (kist.project / "d.yaml").mkdir()
    assert "is a directory" in kist("run", "d.yaml", code=2).stderr


def test_what_cannot_be_kept_is_named_and_nothing_else_lost(kist):
    kist.write("w.yaml", ARGO + """\
  - name: main
    container: {image: alpine, command: [sh, -c, "mkdir /tmp/d; mkfifo /tmp/d/pipe; echo x > /tmp/d/x"]}
    outputs: {artifacts: [{name: d, path: /tmp/d}]}
""")
    done = kist("run", "w.yaml", "--name", "r")
    assert "artifact 'd': left out: pipe: it is a named pipe" in done.stderr
    assert [entry["path"] for entry in kist.json("ls", "-r", "r")] == ["d/x"]


def test_a_bad_file_leaves_other_workflows_and_commands_alone(kist):
    kist.write(".dstack/workflows/good.yaml", GOOD)
    name = kist.run("good")
    (kist.project / ".dstack/workflows/bad.yaml").write_text("workflows:\n  - [\n")
    kist("ps", "-a")
    assert kist("cat", name, "output/kept.txt").stdout == "kept\n"
    kist("run", "good")


def test_a_link_out_of_the_tree_is_kept_as_a_link_and_never_followed_on_download(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: links
            provider: bash
            commands:
              - ln -s /etc output/etc
              - ln -s ../../../.. output/up
              - echo x > output/file
            artifacts: [{path: output}]
        """)
    name = kist.run("links")
    kist("artifacts", "download", name, "-o", "d")
    assert os.readlink(kist.project / "d/output/etc") == "/etc"
    assert os.readlink(kist.project / "d/output/up") == "../../../.."
    kist("artifacts", "download", name, "-o", "d", code=None)
    assert not os.path.exists("/etc/file")


def as_root():
    return os.geteuid() == 0


@pytest.mark.skipif(not as_root(), reason="mounting a small tmpfs needs root")
def test_a_full_disk_loses_nothing_that_was_saved(kist, tmp_path):
    kist.home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", kist.home], check=True)
    try:
        kist.write(".dstack/workflows.yaml", GOOD.rstrip(" ") + """\
      - name: big
        provider: bash
        commands: [head -c 40000000 /dev/urandom > output/big]
        artifacts: [{path: output}]
    """)
        name = kist.run("good", name="good")
        done = kist("run", "big", "--name", "big", code=None)
        assert done.returncode in (1, 3)
        assert "space" in done.stdout + done.stderr
        assert kist("cat", name, "output/kept.txt").stdout == "kept\n"
        kist.json("ps", "-a")
        kist("rm", "-y", "big", code=None)
        kist("run", "good")
    finally:
        subprocess.run(["umount", kist.home], check=True)


@pytest.mark.skipif(not as_root(), reason="a read-only mount needs root")
def test_a_read_only_home_can_be_read(kist):
    kist.write(".dstack/workflows.yaml", GOOD)
    name = kist.run("good")
    subprocess.run(["mount", "--bind", kist.home, kist.home], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", kist.home], check=True)
        assert kist("cat", name, "output/kept.txt").stdout == "kept\n"
        assert len(kist.json("ps", "-a")) == 1
        done = kist("run", "good", code=3)
        assert "Read-only" in done.stderr and str(kist.home) in done.stderr
    finally:
        subprocess.run(["umount", kist.home], check=True)


def test_two_processes_at_once(kist):
    kist.write(".dstack/workflows.yaml", GOOD)
    processes = [kist.start("run", "good") for _ in range(6)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    runs = kist.json("ps", "-a")
    assert len({run["name"] for run in runs}) == 6
    for run in runs:
        assert kist("cat", run["name"], "output/kept.txt").stdout == "kept\n"


@pytest.mark.parametrize("words", [["cat", "nope", "x"], ["ls", "nope"], ["show", "nope"], ["stop", "-y", "nope"], ["rm", "-y", "nope"],
                                   ["logs", "nope"], ["tags", "add", "nope", "other"], ["frobnicate"], ["run", "--frobnicate"]])
def test_what_does_not_exist_is_a_usage_error(kist, words):
    done = kist(*words, code=2)
    assert done.stderr.strip() and "nope" in done.stderr + "nope" * ("nope" not in words)


def test_a_run_whose_parameter_cannot_be_told_ends_and_says_so(kist):
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {name: w}
        spec:
          entrypoint: main
          arguments: {parameters: [{name: number, value: "{{=asInt('x')}}"}]}
          templates:
          - {name: main, container: {image: alpine, command: [echo, "{{workflow.parameters.number}}"]}}
        """)
    kist("run", "w.yaml", code=None)
    runs = kist.json("ps", "-a")
    assert all(run["status"] in ("failed", "error") for run in runs), runs
    for run in runs:
        assert "number" in kist.json("show", run["name"])["message"]
