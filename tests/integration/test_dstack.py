"""dstack's artifacts, both generations, through the built program."""
import os
import re
import signal
import time

import pytest

from conftest import wait_until

HELLO = """\
    workflows:
      - name: hello-txt
        provider: bash
        commands:
          - echo "Hello world" > output/hello.txt
        artifacts:
          - path: {path}
    """


@pytest.mark.parametrize("path", ["output", "./output", "output/"])
def test_an_artifact_directory_exists_before_the_commands_and_is_listed(kist, path):
    kist.write(".dstack/workflows.yaml", HELLO.format(path=path))
    done = kist("run", "hello-txt")
    name = kist.json("ps", "-a")[0]["name"]
    assert re.fullmatch(r"[a-z]+-[a-z]+-1", name)
    assert name in done.stdout + done.stderr
    for words in (["ls", "-r", name], ["artifacts", "list", name]):
        lines = kist(*words).stdout.splitlines()
        assert lines[0].split() == ["PATH", "FILE", "SIZE"]
        assert lines[1].split() == ["output", "hello.txt", "12.0B"]
        assert len(lines) == 2
    kist("artifacts", "download", name, ".")
    assert (kist.project / "output/hello.txt").read_text() == "Hello world\n"


def test_it_exists_too_where_nothing_but_a_scratch_directory_is_allowed(kist):
    kist.environment["KIST_ISOLATION"] = "directory"
    kist.write("output/old.txt", "old")
    kist.write(".dstack/workflows.yaml", HELLO.format(path="output"))
    kist("run", "hello-txt", "--name", "r")
    assert [item["path"] for item in kist.json("ls", "-r", "r")] == ["output/hello.txt"]


def test_the_project_is_not_written_and_its_files_are_hidden_at_an_artifact_path(kist):
    kist.write("output/old.txt", "old")
    kist.write(".dstack/workflows/artifacts.yaml", HELLO.format(path="output"))
    name = kist.run("hello-txt")
    assert os.listdir(kist.project / "output") == ["old.txt"]
    assert "old.txt" not in kist("ls", "-r", name).stdout


def test_deps_by_workflow_and_by_tag(kist):
    kist.write(".dstack/workflows/a.yaml", HELLO.format(path="output"))
    kist.write(".dstack/workflows/b.yaml", """\
        workflows:
          - name: by-workflow
            provider: bash
            deps:
              - workflow: hello-txt
            commands:
              - cat output/hello.txt
          - name: by-tag
            provider: bash
            deps:
              - tag: awesome-tag
            commands:
              - cat output/hello.txt
        """)
    failed = kist("run", "by-workflow", code=2)
    assert "hello-txt" in failed.stderr
    kist("run", "by-tag", code=2)
    name = kist.run("hello-txt")
    assert "Hello world" in kist("run", "by-workflow").stdout
    kist("tags", "add", name, "awesome-tag")
    assert "Hello world" in kist("run", "by-tag").stdout


def test_a_dep_is_a_private_copy(kist):
    kist.write(".dstack/workflows/a.yaml", HELLO.format(path="output"))
    kist.write(".dstack/workflows/b.yaml", """\
        workflows:
          - name: vandal
            provider: bash
            deps: [{workflow: hello-txt}]
            commands:
              - echo changed > output/hello.txt
              - echo more > output/more.txt
              - cat output/hello.txt
        """)
    name = kist.run("hello-txt")
    assert "changed" in kist("run", "vandal").stdout
    assert kist("cat", name, "output/hello.txt").stdout == "Hello world\n"
    kist("doctor")


@pytest.mark.parametrize("order", [("{run}", "awesome-tag"), ("awesome-tag", "{run}")])
def test_tags_in_both_word_orders_outlive_their_run(kist, order):
    kist.write(".dstack/workflows/a.yaml", HELLO.format(path="output"))
    name = kist.run("hello-txt")
    kist("tags", "add", *(word.format(run=name) for word in order))
    kist("tags", "add", name, "second-tag")
    assert {tag["name"] for tag in kist.json("tags")} == {"awesome-tag", "second-tag"}
    kist("rm", "-y", name)
    assert kist.json("ps", "-a") == []
    assert kist("cat", ":awesome-tag", "output/hello.txt").stdout == "Hello world\n"
    # a tag is found without its colon where no run has that name
    assert kist("cat", "awesome-tag", "output/hello.txt").stdout == "Hello world\n"
    assert "hello.txt" in kist("ls", "-r", ":second-tag").stdout


def endless(path, mount=False):
    return f"""\
        workflows:
          - name: endless
            provider: bash
            commands:
              - echo begun > {path}/begun.txt
              - sleep 1000
            artifacts:
              - path: {path}
        """.rstrip(" ") + ("                mount: true\n" if mount else "")


def test_a_tag_given_to_a_run_is_moved_without_asking(kist):
    kist.write(".dstack/workflows/a.yaml", HELLO.format(path="output"))
    for run in ("first", "second"):
        kist.run("hello-txt", "-t", "newest", name=run)
        assert [(tag["name"], tag["run"]) for tag in kist.json("tags")] == [("newest", run)]
    kist("rm", "-y", "first")
    kist("rm", "-y", "second")
    assert kist("cat", ":newest", "output/hello.txt").stdout == "Hello world\n"


@pytest.mark.parametrize("words, state, kept", [(["stop", "-y"], "stopped", True), (["stop", "-x", "-y"], "aborted", False)])
def test_stop_saves_and_abort_does_not(kist, words, state, kept):
    kist.write(".dstack/workflows/a.yaml", endless("output"))
    kist("run", "endless", "-d", "--name", "r")
    wait_until(lambda: kist.json("show", "r")["status"] == "running")
    time.sleep(0.5)
    kist(*words, "r")
    assert kist.json("show", "r")["status"] == state
    assert ("begun.txt" in kist("ls", "-r", "r").stdout) == kept


def test_a_mounted_artifact_is_listed_while_the_run_goes_on_and_kept_after_an_abort(kist):
    kist.write(".dstack/workflows/a.yaml", endless("output", mount=True))
    kist("run", "endless", "-d", "--name", "r")
    wait_until(lambda: "begun.txt" in kist("ls", "-r", "r", code=None).stdout)
    assert kist.json("show", "r")["status"] == "running"
    assert kist("cat", "r", "output/begun.txt").stdout == "begun\n"
    kist("stop", "-x", "-y", "r")
    assert kist("cat", "r", "output/begun.txt").stdout == "begun\n"


def test_a_failed_workflow_keeps_its_artifacts(kist):
    kist.write(".dstack/workflows/a.yaml", """\
        workflows:
          - name: fails
            provider: bash
            commands:
              - echo partial > output/partial.txt
              - exit 3
              - echo never > output/never.txt
            artifacts: [{path: output}]
        """)
    name = kist.run("fails", code=1)
    assert kist.json("show", name)["status"] == "failed"
    listing = kist("ls", "-r", name).stdout
    assert "partial.txt" in listing and "never.txt" not in listing


def test_arguments_environment_background_and_blocks(kist):
    kist.write(".dstack/workflows/a.yaml", """\
        workflows:
          - name: everything
            provider: bash
            env:
              - GREETING=hello there
            commands:
              - sleep 100 &
              - |
                for word in ${{ run.args }}
                do
                  echo "$GREETING $word"
                done
              - echo "price {{ not a hole }} ${{ run.name }}"
        """)
    out = kist("run", "everything", "--name", "r", "a", "b").stdout
    assert "hello there a\nhello there b\n" in out
    assert "price {{ not a hole }} r" in out


def test_under_the_name_dstack_the_documented_commands_work(kist):
    kist.write(".dstack/workflows/a.yaml", HELLO.format(path="./output"))
    done = kist.shell("dstack run hello-txt")
    assert done.returncode == 0, done.stderr
    name = kist.json("ps", "-a")[0]["name"]
    done = kist.shell(f"""set -e
        dstack ls -r {name}
        dstack artifacts list {name}
        dstack artifacts download {name} .
        dstack tags add {name} awesome-tag
        dstack ps -a
        dstack rm -y {name}
        dstack ls -r :awesome-tag""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("hello.txt") >= 3
    assert "Done" in done.stdout
    refused = kist.shell("dstack push :awesome-tag")
    assert refused.returncode == 2 and "No remote configured" in refused.stderr
    kist("remote", "add", "shared", "../shared")
    assert kist.shell("dstack push :awesome-tag && dstack pull :awesome-tag").stdout == "OK\nOK\n"
    assert kist("init", "-t", "token", program="dstack").stdout == "OK\n"


def test_ctrl_c_stops_gracefully_and_keeps_artifacts(kist):
    kist.write(".dstack/workflows/a.yaml", endless("output"))
    process = kist.start("run", "endless", "--name", "r")
    wait_until(lambda: any(run["status"] == "running" for run in kist.json("ps")))
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert kist.json("show", "r")["status"] == "stopped"
    assert "begun.txt" in kist("ls", "-r", "r").stdout
