"""How a program inside a task speaks to kist: `kist publish`, `kist report`, and the socket itself."""
import os
import signal
import textwrap

import pytest

from conftest import wait_until

WORKFLOW = """\
    workflows:
      - name: w
        provider: bash
        commands:
          - python3 -u work.py
        artifacts:
          - path: output
    """

PRELUDE = """\
import json, os, signal, socket, subprocess, sys, threading, time

def publish(name, path):
    done = subprocess.run(['kist', 'publish', name, path], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr

def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(os.environ['KIST_TASK'])
    return connection

def ask(request, connection=None):
    connection = connection or connect()
    connection.sendall(request if isinstance(request, bytes) else json.dumps(request).encode() + b'\\n')
    return json.loads(connection.makefile().readline() or '{"closed": true}')
"""


@pytest.fixture
def task(kist):
    """Runs a program as the only task of a run `r`."""
    kist.write(".dstack/workflows.yaml", WORKFLOW)
    started = []

    class Task:
        def program(self, text):
            kist.write("work.py", PRELUDE + textwrap.dedent(text))

        def run(self, text, name="r", **options):
            self.program(text)
            return kist("run", "w", "--name", name, **options)

        def start(self, text, line="ready\n"):
            """Returns when the program has printed a line."""
            self.program(text)
            process = kist.start("run", "w", "--name", "r", start_new_session=True)
            started.append(process)
            for printed in process.stdout:
                if printed == line:
                    return process
            pytest.fail(f"the program did not print {line}{process.stderr.read()}")

    yield Task()
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)


def test_what_was_published_is_there_whatever_happens_the_moment_after(kist, task):
    process = task.start("""\
        os.makedirs('model')
        open('model/weights', 'w').write('epoch 3')
        assert publish('model', 'model')[0] == 0
        print('ready')
        time.sleep(1000)
        """)
    process.kill()
    process.wait(timeout=10)
    assert kist.json("show", "r")["status"] == "interrupted"
    assert kist("cat", "r", "model/weights").stdout == "epoch 3"
    # Also where the next attempt does not publish it again.
    task.program("print('second attempt')")
    kist("resume", "r")
    assert kist.json("show", "r")["status"] == "succeeded"
    assert kist("cat", "r", "model/weights").stdout == "epoch 3"


def test_many_publish_at_once_and_the_last_of_a_name_stays(kist, task):
    task.run("""\
        failed = []
        def one(i):
            open(f'file-{i}', 'w').write(str(i))
            if publish(f'many/{i}', f'file-{i}')[0] != 0: failed.append(i)
        threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert not failed, failed
        for i in range(5):
            open('again', 'w').write(f'version {i}')
            assert publish('again', os.path.abspath('again'))[0] == 0
        """)
    for i in range(40):
        assert kist("cat", "r", f"many/{i}").stdout == str(i)
    assert kist("cat", "r", "again").stdout == "version 4"


def test_what_cannot_be_published_is_said_to_the_program_and_fails_nothing(kist, task):
    done = task.run("""\
        open('here', 'w').write('x')
        os.mkfifo('pipe')
        for name, path in [('a', 'nowhere'), ('../a', 'here'), ('a//b', 'here'), ('', 'here'), ('a', 'pipe'),
                           ('a', '/proc/self/mem'), ('a' * 2000, 'here')]:
            code, text = publish(name, path)
            print(code, text.strip()[:300])
            assert code == 2, (name, path, code, text)
        os.makedirs('tree'); os.mkfifo('tree/pipe'); open('tree/file', 'w').write('kept')
        code, text = publish('tree', 'tree')
        assert code == 0 and 'Not all of it could be kept' in text, text
        """)
    assert "there is nothing at" in done.stdout and "here" in done.stdout
    run = kist.json("show", "r")
    assert run["status"] == "succeeded"
    artifacts = {artifact["name"]: artifact for artifact in run["nodes"][-1]["output_artifacts"]}
    assert set(artifacts) == {"output", "tree"}
    assert artifacts["tree"]["left_out"] == ["pipe: it is a named pipe"]
    assert "tree: left out: pipe: it is a named pipe" in kist("show", "r").stdout
    assert kist("cat", "r", "tree/file").stdout == "kept"


def test_a_program_that_is_asked_to_stop_publishes_what_it_has(kist, task):
    process = task.start("""\
        def stop(*_):
            open('checkpoint', 'w').write('saved on the way out')
            code, text = publish('checkpoint', 'checkpoint')
            open('output/outcome', 'w').write(f'{code} {text}')
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print('ready')
        while True: time.sleep(0.1)
        """)
    kist("stop", "-y", "r")
    process.wait(timeout=60)
    assert kist("cat", "r", "output/outcome").stdout.startswith("0 ")
    assert kist("cat", "r", "checkpoint").stdout == "saved on the way out"


def test_nonsense_on_the_socket_harms_nobody(kist, task):
    task.run("""\
        for nonsense in [b'\\n', b'{\\n', b'[]\\n', b'null\\n', b'"x"\\n', b'{"do": 1}\\n', b'{"do": "dance"}\\n',
                         b'{"do": "publish"}\\n', b'{"do": "publish", "name": "x", "path": "relative"}\\n',
                         b'{"do": "publish", "name": ["x"], "path": {}}\\n', b'{"do": "report"}\\n', b'\\xff\\xfe\\n',
                         b'{"do": "report", "text": "' + b'x' * 5000 + b'"}\\n', b'[' * 5000 + b'\\n',
                         json.dumps({'do': 'publish', 'name': 'a\\nb', 'path': '/tmp'}).encode() + b'\\n']:
            answer = ask(nonsense)
            assert 'error' in answer, (nonsense[:50], answer)

        endless = connect()
        try:
            for _ in range(100): endless.sendall(b'x' * 4096)
        except OSError: pass
        silent = [connect() for _ in range(15)]       # they hold their places and say nothing
        silent[0].sendall(b'{"do": "rep')
        assert ask({'do': 'report', 'text': '1/2'}) == {'ok': True}
        for one in silent: one.close()                 # one of them in the middle of a request

        gone = connect()                               # leaves before it is answered
        gone.sendall(json.dumps({'do': 'publish', 'name': 'gone', 'path': os.path.abspath('work.py')}).encode() + b'\\n')
        gone.close()
        several = connect()                            # asks three times in one breath
        several.sendall(b'{"do":"report","text":"a"}\\n{"do":"nothing"}\\n{"do":"report","text":"b"}\\n')
        answers = several.makefile()
        assert [list(json.loads(answers.readline())) for _ in range(3)] == [['ok'], ['error'], ['ok']]
        assert ask({'do': 'publish', 'name': 'well', 'path': os.path.abspath('work.py')})['files'] == 1
        """)
    assert "import json" in kist("cat", "r", "well").stdout
    assert "import json" in kist("cat", "r", "gone").stdout


def test_what_outlives_the_task_is_not_waited_for(kist, task):
    task.run("""\
        subprocess.Popen([sys.executable, '-c', '''
        import socket, os, time
        held = socket.socket(socket.AF_UNIX); held.connect(os.environ["KIST_TASK"]); held.sendall(b"{")
        time.sleep(1000)
        '''.replace('        ', '')], start_new_session=True)
        open('output/x', 'w').write('x')
        """)
    assert kist("cat", "r", "output/x").stdout == "x"


def test_a_report_is_shown_and_not_kept(kist, task):
    done = task.run("""\
        assert subprocess.run(['kist', 'report', '3/10', 'epochs']).returncode == 0
        assert subprocess.run(['kist', 'report', 'bell \\a and \\x1b[2J']).returncode == 0
        """)
    assert "\x1b[2J" not in done.stdout + done.stderr
    assert "3/10" not in kist("show", "r", "--json").stdout.split('"files"')[0]


def test_outside_a_task_there_is_nobody_to_speak_to(kist):
    assert "not inside a task" in kist("publish", "x", "y", code=3).stderr
    assert "not inside a task" in kist("report", "x", code=3).stderr


def test_a_task_gets_no_home_and_no_token_of_kist(kist, task, tmp_path):
    kist.environment.update(HOME=str(tmp_path), KIST_TOKEN="very-secret-token", KIST_TOKEN_FILE="/very/secret")
    kist.write(".dstack/workflows.yaml", WORKFLOW + "    env: [KIST_TOKEN, KIST_TOKEN_FILE]\n")
    task.run("""\
        for name, text in [('environment', str(os.environ))] + [
                (path, open(path, 'rb').read().decode(errors='replace'))
                for path in ['/proc/%s/environ' % pid for pid in os.listdir('/proc') if pid.isdigit()]
                if os.access(path, os.R_OK)]:
            assert 'secret' not in text, name
        done = subprocess.run(['kist', 'ps'], capture_output=True, text=True)
        assert done.returncode != 0 and 'kist publish' in done.stderr, done
        assert not os.path.exists(os.path.expanduser('~/.kist'))
        own = dict(os.environ, KIST_HOME=os.path.abspath('own'))
        subprocess.run(['kist', 'ps'], env=own, check=True)
        """)
