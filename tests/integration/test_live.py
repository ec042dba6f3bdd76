"""Artifacts that are saved while they are written: what was closed a second ago survives whatever happens."""
import base64
import json
import os
import re
import signal
import textwrap
import threading

import pytest

from conftest import Kist, wait_until

WORKFLOW = """\
    workflows:
      - name: w
        provider: bash
        commands:
          - python3 -u work.py
        artifacts:
          - path: output
            mount: true
      - name: plain
        provider: bash
        commands:
          - echo x > output/x
        artifacts:
          - output
    """


@pytest.fixture
def live(kist):
    """Runs a program whose `output` is a mounted artifact, in the background, and ends it."""
    kist.write(".dstack/workflows.yaml", WORKFLOW)
    started = []

    class Live:
        def program(self, text):
            kist.write("work.py", "import os, time\n" + textwrap.dedent(text))

        def start(self, *words, name="r"):
            """Returns when the program has printed `ready`."""
            process = kist.start(*(words or ("run", "w", "--name", name)), start_new_session=True)
            started.append(process)
            for line in process.stdout:
                if line == "ready\n":
                    threading.Thread(target=process.stdout.read, daemon=True).start()
                    return process
            pytest.fail(f"the program did not get ready\n{process.stderr.read()}")

        def kill(self, process):
            """Everything dies at once: kist, and with it its tasks."""
            process.kill()
            process.wait(timeout=10)

        def listed(self, name="r"):
            done = kist("ls", "-r", name, "--json", code=None)
            if done.returncode != 0:
                return {}
            return {entry["path"]: entry for entry in json.loads(done.stdout)}

        def wait_for(self, *paths, name="r"):
            wait_until(lambda: {"output/" + path for path in paths} <= set(self.listed(name)))

    yield Live()
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def test_what_is_listed_while_a_task_writes_survives_a_kill_of_everything(kist, live):
    live.program("""\
        os.makedirs('output/a/b')
        for i in range(300): open(f'output/a/b/{i}', 'w').write(str(i) * 50)
        open('output/new\\nline', 'w').write('odd')
        open(b'output/\\xff', 'w').write('not UTF-8')
        os.symlink('a/b/7', 'output/link')
        os.chmod('output/a', 0o700)
        open('output/last', 'w').write('last')
        print('ready')
        time.sleep(1000)
        """)
    process = live.start()
    live.wait_for("last", "a/b/299", "link")
    wait_until(lambda: len(live.listed()) == 304)
    live.kill(process)
    assert kist.json("show", "r")["status"] == "interrupted"
    listed = live.listed()
    assert len(listed) == 304
    [odd] = [entry for entry in listed.values() if "path_bytes" in entry]
    assert base64.b64decode(odd["path_bytes"]) == b"output/\xff" and odd["path"] == "output/\ufffd"
    assert "output/new\nline" in listed and "new\\x0aline" in kist("ls", "-r", "r").stdout
    assert kist("cat", "r", "output/a/b/299").stdout == "299" * 50
    assert kist("cat", "r", "output/link").stdout == "7" * 50
    assert kist("cat", "r", "output/new\nline").stdout == "odd"
    assert kist("cat", "r", os.fsdecode(b"output/\xff")).stdout == "not UTF-8"
    kist("cp", "r", "output", "copy")
    assert os.stat(kist.project / "copy/a").st_mode & 0o777 == 0o700


def test_changes_are_followed(kist, live):
    live.program("""\
        os.makedirs('output/before/deep')
        for name in 'kept', 'gone', 'before/deep/file': open('output/' + name, 'w').write('1')
        print('ready')
        time.sleep(1.5)
        os.remove('output/gone')
        os.rename('output/before', 'output/after')
        open('output/after/deep/file', 'a').write('2')
        os.makedirs('output/x/y/z')
        open('output/x/y/z/new', 'w').write('new')
        os.link('output/kept', 'output/hard')
        open('output/.done', 'w')
        time.sleep(1000)
        """)
    process = live.start()
    live.wait_for("kept", "gone", "before/deep/file")
    live.wait_for(".done", "hard", "x/y/z/new")
    assert set(live.listed()) == {"output/" + path for path in
                                  (".done", "after/deep/file", "hard", "kept", "x/y/z/new")}
    assert kist("cat", "r", "output/after/deep/file").stdout == "12"
    live.kill(process)


def test_a_file_that_stays_open_is_saved_as_it_grows(kist, live):
    live.program("""\
        log = open('output/log', 'w')
        print('ready')
        for i in range(100000):
            log.write(f'line {i}\\n')
            log.flush()
            time.sleep(0.02)
        """)
    process = live.start()
    live.wait_for("log")
    wait_until(lambda: kist("cat", "r", "output/log").stdout != "")
    first = kist("cat", "r", "output/log").stdout
    wait_until(lambda: kist("cat", "r", "output/log").stdout != first)
    second = kist("cat", "r", "output/log").stdout
    live.kill(process)
    assert second.startswith(first)
    assert kist("cat", "r", "output/log").stdout.startswith(second)
    assert re.fullmatch(r"(line \d+\n)+", second)


PROGRAM_THAT_GOES_ON = """\
    steps = sorted(os.listdir('output'))
    print('found', *steps)
    open(f'output/step-{len(steps)}', 'w').write('done')
    if len(steps) == 0:
        print('ready')
        time.sleep(1000)
    """


def test_an_interrupted_run_finds_its_files_again_and_a_new_one_only_if_asked(kist, live):
    live.program(PROGRAM_THAT_GOES_ON)
    process = live.start()
    live.wait_for("step-0")
    live.kill(process)
    # What is in the record is there at every moment of the next attempt too.
    assert "found step-0\n" in kist("resume", "r").stdout
    run = kist.json("show", "r")
    assert run["status"] == "succeeded" and run["nodes"][-1]["attempt"] == 2
    assert set(live.listed()) == {"output/step-0", "output/step-1"}

    # A new run begins with nothing.
    process = live.start(name="fresh")
    live.wait_for("step-0", name="fresh")
    assert set(live.listed("fresh")) == {"output/step-0"}
    live.kill(process)

    assert "found step-0 step-1\n" in kist("run", "w", "--name", "third", "--restore-from", "r").stdout
    assert len(live.listed("third")) == 3
    assert set(live.listed()) == {"output/step-0", "output/step-1"}
    kist("tags", "add", "keep", "third")
    kist("rm", "-y", "third")
    done = kist("run", "w", "--name", "fourth", "--restore-from", ":keep")
    assert "found step-0 step-1 step-2\n" in done.stdout and "beginning with" in done.stderr


def test_an_attempt_that_dies_before_it_wrote_anything_loses_nothing(kist, live):
    live.program("""\
        if os.listdir('output') == []:
            open('output/precious', 'w').write('made in days')
        print('ready')
        time.sleep(1000)
        """)
    process = live.start()
    live.wait_for("precious")
    live.kill(process)
    for _ in range(3):
        live.kill(live.start("resume", "r"))
        assert kist("cat", "r", "output/precious").stdout == "made in days"


def test_nothing_can_be_restored_where_nothing_is_mounted(kist, live):
    kist("run", "plain", "--name", "p")
    done = kist("run", "plain", "--restore-from", "p", code=2)
    assert "mount: true" in done.stderr
    assert "missing" in kist("run", "w", "--restore-from", "missing", code=2).stderr
    assert [run["name"] for run in kist.json("ps", "-a")] == ["p"]


def test_a_restored_file_can_be_changed_without_harm_to_what_it_came_from(kist, live):
    live.program("""\
        with open('output/file', 'r+' if os.path.exists('output/file') else 'w') as file:
            file.write(os.environ['TEXT'])
        """)
    kist("run", "w", "--name", "one", "-e", "TEXT=aaaa")
    kist("run", "w", "--name", "two", "-e", "TEXT=bb", "--restore-from", "one")
    assert kist("cat", "one", "output/file").stdout == "aaaa"
    assert kist("cat", "two", "output/file").stdout == "bbaa"


def test_what_is_saved_live_reaches_the_remote_before_the_run_has_ended(kist, live, tmp_path):
    live.program("""\
        open('output/checkpoint', 'w').write('epoch 7')
        print('ready')
        time.sleep(1000)
        """)
    remote = tmp_path / "remote"
    kist("remote", "add", "shared", remote)
    other = Kist(tmp_path / "other")
    other("remote", "add", "shared", remote)
    process = live.start("run", "w", "--name", "r", "--remote")
    wait_until(lambda: other("pull", "r", code=None).returncode == 0, timeout=60)
    live.kill(process)
    assert other("cat", "r", "output/checkpoint").stdout == "epoch 7"
    assert other.json("show", "r")["status"] == "interrupted"
    # The owner goes on, and the end replaces what was sent on the way.
    live.program("print(open('output/checkpoint').read())")
    assert "epoch 7" in kist("resume", "r").stdout
    third = Kist(tmp_path / "third")
    third("remote", "add", "shared", remote)
    third("pull", "r")
    assert third.json("show", "r")["status"] == "succeeded"
