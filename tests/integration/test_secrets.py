"""kist secrets: values go in by prompt, environment or file, and never come out again."""
import os
import pty
import subprocess


def test_values_go_in_and_only_names_come_out(kist):
    kist.write("key.pem", "line one\nline two\n")
    kist.environment["TOKEN"] = "from-the-environment"
    kist("secrets", "add", "login", "token", "--from-env", "TOKEN")
    kist("secrets", "add", "login", "key", "--from-file", "key.pem")
    assert kist.json("secrets", "list") == [{"name": "login", "keys": ["key", "token"]}]
    listed = kist("secrets").stdout
    assert "login" in listed and "from-the-environment" not in listed
    kept = [path for path in (kist.home / "secrets").iterdir() if not path.name.startswith(".")]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]


def test_what_is_there_is_replaced_only_by_update(kist):
    kist.environment["TOKEN"] = "one"
    assert kist("secrets", "update", "login", "token", "--from-env", "TOKEN", code=None).returncode != 0
    kist("secrets", "add", "login", "token", "--from-env", "TOKEN")
    assert "update" in kist("secrets", "add", "login", "token", "--from-env", "TOKEN", code=None).stderr
    kist("secrets", "update", "login", "token", "--from-env", "TOKEN")
    assert "-y" in kist("secrets", "delete", "login", code=None).stderr  # nobody is there to be asked
    kist("secrets", "delete", "-y", "login")
    assert kist.json("secrets", "list") == []


def test_a_terminal_is_asked_and_shows_nothing(kist):
    leader, follower = pty.openpty()
    process = subprocess.Popen([str(kist.names / "kist"), "secrets", "add", "login", "password"], cwd=kist.project,
                               env=kist.environment, stdin=follower, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    seen = b""
    while b"): " not in seen:
        seen += os.read(leader, 1000)
    os.write(leader, b"hunter-two\n")
    assert process.wait(20) == 0
    while True:
        try:
            more = os.read(leader, 1000)
        except OSError:
            break
        if not more:
            break
        seen += more
    os.close(leader)
    assert b"hunter" not in seen
    assert kist.json("secrets", "list") == [{"name": "login", "keys": ["password"]}]


def test_a_secret_in_an_output_parameter_is_for_steps_to_use_and_shown_to_nobody(kist):
    kist.environment["TOKEN"] = "open-sesame"
    kist("secrets", "add", "door", "word", "--from-env", "TOKEN")
    del kist.environment["TOKEN"]
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: t-}
        spec:
          entrypoint: main
          templates:
          - name: main
            steps:
            - - {name: make, template: make}
            - - name: use
                template: use
                arguments: {parameters: [{name: p, value: "<{{steps.make.outputs.parameters.p}}>"}]}
          - name: make
            script:
              image: busybox
              command: [sh]
              source: "echo a-$WORD > /tmp/p"
              env: [{name: WORD, valueFrom: {secretKeyRef: {name: door, key: word}}}]
            outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]}
          - name: use
            inputs: {parameters: [{name: p}]}
            script:
              image: busybox
              command: [sh]
              source: |
                echo "got {{inputs.parameters.p}}"
                echo "length $(printf %s "{{inputs.parameters.p}}" | wc -c)"
                exit 3
        """)
    done = kist("run", "w.yaml", "--name", "r", code=1)
    assert "length 15" in done.stdout and "got <" in done.stdout
    shown = done.stdout + done.stderr
    for command in (("show", "r"), ("show", "r", "--json"), ("logs", "r"), ("ps", "-a"), ("export", "r")):
        shown += (lambda made: made.stdout + made.stderr)(kist(*command, code=None))
    assert "sesame" not in shown
