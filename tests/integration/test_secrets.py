"""kist secrets: values go in by prompt, environment or file, and never come out again."""
import os
import pty
import subprocess

from conftest import wait_until
from test_argo import workflow


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


MAKE = """\
  - name: make
    script:
      image: busybox
      command: [sh]
      source: "echo $WORD > /tmp/p"
      env: [{name: WORD, valueFrom: {secretKeyRef: {name: door, key: word}}}]
    outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]}
"""


def add_word(kist):
    """The secret that MAKE puts into its output `p`."""
    kist.environment["TOKEN"] = "open-sesame"
    kist("secrets", "add", "door", "word", "--from-env", "TOKEN")
    del kist.environment["TOKEN"]


def test_a_secret_in_an_output_parameter_is_for_steps_to_use_and_shown_to_nobody(kist):
    add_word(kist)
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


def test_after_an_interruption_a_secret_made_into_an_output_stays_hidden(kist):
    """Its plain form too, which is written down nowhere."""
    add_word(kist)
    go = kist.project / "go"
    kist.write("w.yaml", f"""\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {{generateName: t-}}
        spec:
          entrypoint: main
          templates:
          - name: main
            steps:
            - - {{name: make, template: make}}
            - - name: use
                template: use
                arguments: {{parameters: [{{name: p, value: "{{{{steps.make.outputs.parameters.p}}}}"}}]}}
          - name: make
            script:
              image: busybox
              command: [sh]
              source: "echo word=$(printf %s $WORD | base64) > /tmp/p"
              env: [{{name: WORD, valueFrom: {{secretKeyRef: {{name: door, key: word}}}}}}]
            outputs: {{parameters: [{{name: p, valueFrom: {{path: /tmp/p}}}}]}}
          - name: use
            inputs: {{parameters: [{{name: p}}]}}
            script:
              image: busybox
              command: [sh]
              source: |
                [ -e {go} ] || {{ echo begun; sleep 1000; }}
                P={{{{inputs.parameters.p}}}}
                echo "got $P, $(echo ${{P#word=}} | base64 -d)"
        """)
    run = kist.start("run", "w.yaml", "--name", "r")
    wait_until(lambda: "begun" in kist("logs", "r", code=None).stdout)
    run.kill()
    run.wait(20)
    go.write_text("")
    said = kist("resume", "r").stdout
    assert "got " in said and "sesame" not in said and "b3Blbi1zZXNhbWU" not in said


def test_a_volume_is_put_together_of_secrets_and_other_texts(kist):
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: t-}
        spec:
          entrypoint: main
          volumes:
          - name: all
            projected:
              sources:
              - configMap: {name: plain}
              - secret: {name: door}
              - secret: {name: door, items: [{key: word, path: under/name, mode: 0440}]}
              - secret: {name: nobody, optional: true}
              - downwardAPI: {items: [{path: where, fieldRef: {fieldPath: metadata.namespace}}]}
          templates:
          - name: main
            container:
              image: busybox
              command: [sh, -c, "cd /all; find . -type f | sort; cat text; wc -c < word; stat -c %a under/name; cat where"]
              volumeMounts: [{name: all, mountPath: /all}]
        ---
        {apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {text: "plain\\n"}}
        ---
        {apiVersion: v1, kind: Secret, metadata: {name: door}, stringData: {word: open-sesame}}
        """)
    out = kist("run", "w.yaml", "--name", "r").stdout
    assert [line.removeprefix("r: ") for line in out.splitlines()] == [
        "./text", "./under/name", "./where", "./word", "plain", "11", "440", "default"]


def test_a_secret_is_shown_neither_in_names_nor_in_keys(kist):
    add_word(kist)
    kist.write("w.yaml", workflow(MAKE + """\
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        arguments: {parameters: [{name: p, value: "{{item}}"}]}
        withItems: ["{{steps.make.outputs.parameters.p}}", plain, "{{steps.make.outputs.parameters.p}}"]
  - name: use
    inputs: {parameters: [{name: p}]}
    memoize: {key: "of-{{inputs.parameters.p}}", cache: {configMap: {name: c}}}
    script:
      image: busybox
      command: [sh]
      source: "[ {{inputs.parameters.p}} != plain ] || [ -e $FLAG ] || exit 1; echo done > /tmp/o"
      env: [{name: FLAG, value: "FLAG_FILE"}]
    outputs: {artifacts: [{name: o, path: /tmp/o, archive: {none: {}}}]}
""".replace("FLAG_FILE", str(kist.project / "flag"))))
    first = kist("run", "w.yaml", "--name", "r", code=1)
    nodes = kist.json("show", "r")["nodes"]
    begun = {node["name"]: node["id"] for node in nodes if "(" in node["name"]}
    assert {name.partition("(")[2] for name in begun} == {"0:***)", "1:plain)", "2:***)"}
    kist.write("flag", "")
    again = kist("retry", "r")
    after = {node["name"]: node["id"] for node in kist.json("show", "r")["nodes"] if "(" in node["name"]}
    assert after == begun and all(node["status"] == "succeeded" for node in kist.json("show", "r")["nodes"])
    memos = [node["memo"] for node in kist.json("show", "r")["nodes"] if node.get("memo")]
    kist("run", "w.yaml", "--name", "second")
    hits = [node["memo"]["hit"] for node in kist.json("show", "second")["nodes"] if node.get("memo")]
    assert memos and hits == [True, True, True]
    records = "".join(path.read_text(errors="replace") for path in kist.home.rglob("*.db*"))
    for shown in (first.stdout, first.stderr, again.stdout, again.stderr, kist("show", "r").stdout,
                  kist("show", "r", "--json").stdout, kist("show", "second", "--json").stdout):
        assert "open-sesame" not in shown
    assert "0:open-sesame" not in records and "of-open-sesame" not in records


def test_no_artifact_lies_under_a_key_that_tells_a_secret(kist):
    add_word(kist)
    kist.write("w.yaml", workflow(MAKE + """\
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        arguments: {parameters: [{name: p, value: "{{steps.make.outputs.parameters.p}}"}]}
  - name: use
    inputs: {parameters: [{name: p}]}
    script: {image: busybox, command: [sh], source: "echo ran; echo x > /tmp/o"}
    outputs: {artifacts: [{name: o, path: /tmp/o, s3: {key: "k/{{inputs.parameters.p}}"}}]}
"""))
    done = kist("run", "w.yaml", "--name", "r", code=1)
    assert "the key of the artifact 'o' contains the value of a secret" in done.stderr and "ran" not in done.stdout
    assert kist.json("keys") == []
    assert "open-sesame" not in done.stdout + done.stderr + kist("show", "r", "--json").stdout
