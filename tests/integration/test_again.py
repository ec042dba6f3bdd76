"""What is run again and what is not: `kist retry`, `kist run --cached`, and retries inside a container set."""
import os
import signal

from conftest import wait_until

PIPELINE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: word, value: one}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: make, template: make}
      - name: use
        depends: make
        template: use
        arguments:
          parameters: [{name: word, value: "{{workflow.parameters.word}}"}]
          artifacts: [{name: in, from: "{{tasks.make.outputs.artifacts.out}}"}]
  - name: make
    container: {image: alpine, command: [sh, -c], args: ["date +%N > /tmp/out; echo ran make"]}
    outputs: {artifacts: [{name: out, path: /tmp/out}]}
  - name: use
    inputs:
      parameters: [{name: word}]
      artifacts: [{name: in, path: /tmp/in}]
    container:
      image: alpine
      command: [sh, -c]
      args: ["echo ran use {{inputs.parameters.word}}; cp /tmp/in /tmp/out; test {{inputs.parameters.word}} != bad"]
    outputs: {artifacts: [{name: out, path: /tmp/out}]}
  - name: bye
    container: {image: alpine, command: [echo, ran bye]}
"""


def said(kist, run):
    return [line.split("ran ", 1)[1] for line in kist("logs", run).stdout.splitlines() if "ran " in line]


def test_retry_runs_what_failed_and_keeps_the_rest(kist):
    kist.write("w.yaml", PIPELINE)
    kist("run", "w.yaml", "--name", "r", "-p", "word=bad", "-t", "kept", code=1)
    made = kist("cat", "r", "make/out").stdout
    before = kist("show", "r", "--json").stdout
    kist("retry", "r", "nobody", code=None)
    assert kist("show", "r", "--json").stdout == before, "what cannot be done changes nothing"

    kist("retry", "r", code=1)
    assert said(kist, "r") == ["make", "use bad", "bye", "use bad", "bye"]
    kist("retry", "r", "-p", "word=good")
    run = kist.json("show", "r")
    assert run["status"] == "succeeded" and "message" not in run
    assert said(kist, "r")[5:] == ["use good", "bye"]
    assert {one["display"]: one["attempt"] for one in run["nodes"]} == {"r": 1, "make": 1, "use": 3, "r.onExit": 3}
    assert kist("cat", "r", "make/out").stdout == made == kist("cat", ":kept", "use/out").stdout
    kist("gc")
    assert kist("cat", "r", "use/out").stdout == made

    refused = kist("retry", "r", code=2)
    assert "has succeeded" in refused.stderr
    kist("retry", "r", "use")
    assert said(kist, "r")[7:] == ["use good", "bye"]


def test_retry_of_the_other_systems(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: train
            provider: bash
            commands: [cat progress/* || true, date > progress/a, test -e GO]
            artifacts: [{path: progress, mount: true}]
        """.replace("GO", str(kist.project / "go")))
    kist("run", "train", "--name", "r", code=1)
    first = kist("cat", "r", "progress/a").stdout
    (kist.project / "go").touch()
    assert first in kist("retry", "r").stdout, "what was saved while it ran is there again"
    assert kist.json("show", "r")["status"] == "succeeded"


def test_retry_loses_nothing_when_it_is_killed(kist):
    kist.write("w.yaml", PIPELINE.replace("test {{", f"test -e {kist.project}/go || sleep 1000; test {{{{"))
    (kist.project / "go").touch()
    kist("run", "w.yaml", "--name", "r", "-p", "word=bad", code=1)
    (kist.project / "go").unlink()
    process = kist.start("retry", "r", "-p", "word=good", start_new_session=True)
    wait_until(lambda: "use good" in said(kist, "r"))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert kist.json("show", "r")["status"] == "interrupted"
    kist("gc")
    (kist.project / "go").touch()
    kist("resume", "r")
    assert kist.json("show", "r")["status"] == "succeeded"
    assert said(kist, "r") == ["make", "use bad", "bye", "use good", "use good", "bye"]
    assert kist("cat", "r", "make/out").stdout == kist("cat", "r", "use/out").stdout


def test_cached_takes_what_an_earlier_run_made(kist):
    kist.write("w.yaml", PIPELINE)
    kist("run", "w.yaml", "--name", "first")
    made = kist("cat", "first", "make/out").stdout
    kist("run", "--cached", "w.yaml", "--name", "second")
    assert said(kist, "second") == ["bye"]
    assert kist("show", "second").stdout.count("taken from first") == 2
    kist("run", "--cached", "w.yaml", "--name", "third", "-p", "word=two")
    assert said(kist, "third") == ["use two", "bye"]

    # It is the later run's as well: removing the one that made it takes nothing away.
    kist("rm", "-y", "first")
    kist("gc")
    assert kist("cat", "second", "use/out").stdout == made == kist("cat", "third", "use/out").stdout
    kist("run", "--cached", "w.yaml", "--name", "fourth")
    assert said(kist, "fourth") == ["bye"]
    kist("run", "w.yaml", "--name", "fifth")
    assert said(kist, "fifth") == ["make", "use one", "bye"]


def test_cached_sees_that_secrets_and_config_maps_have_changed(kist):
    def prepare(word, text):
        kist.environment["WORD"] = word
        kist("secrets", "update" if "door" in kist("secrets").stdout else "add", "door", "word", "--from-env", "WORD")
        del kist.environment["WORD"]
        kist.write("w.yaml", f"""\
            apiVersion: argoproj.io/v1alpha1
            kind: Workflow
            metadata: {{generateName: t-}}
            spec:
              entrypoint: main
              volumes: [{{name: map, configMap: {{name: map}}}}]
              templates:
              - name: main
                container:
                  image: busybox
                  command: [sh, -c, "cat /map/text; echo ran"]
                  env: [{{name: WORD, valueFrom: {{secretKeyRef: {{name: door, key: word}}}}}}]
                  volumeMounts: [{{name: map, mountPath: /map}}]
            ---
            {{apiVersion: v1, kind: ConfigMap, metadata: {{name: map}}, data: {{text: "{text}"}}}}
            """)

    def runs(name, word, text):
        prepare(word, text)
        return "ran" in kist("run", "--cached", "w.yaml", "--name", name).stdout

    assert runs("a", "sesame", "one")
    assert not runs("b", "sesame", "one")
    assert runs("c", "mellon", "one")
    assert runs("d", "mellon", "two")
    assert not runs("e", "sesame", "one")


def test_cached_of_a_project_counts_its_files(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - {name: w, provider: bash, commands: [cat train.py > out/x; echo ran], artifacts: [{path: out}]}
        """)
    kist.write("train.py", "one\n")
    kist("run", "w", "--name", "a")
    assert "ran" not in kist("run", "--cached", "w", "--name", "b").stdout
    kist.write("train.py", "two two\n")
    assert "ran" in kist("run", "--cached", "w", "--name", "c").stdout
    assert kist("cat", "c", "out/x").stdout == "two two\n"


def test_a_container_of_a_set_is_tried_again_in_its_pod(kist):
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: t-}
        spec:
          entrypoint: main
          templates:
          - name: main
            volumes: [{name: work, emptyDir: {}}]
            containerSet:
              retryStrategy: {retries: "3", duration: 10ms}
              volumeMounts: [{name: work, mountPath: /data}]
              containers:
              - name: a
                image: alpine
                command: [sh, -c]
                args: ["echo ran a; echo x >> /data/tries; test $(wc -l < /data/tries) -eq 3"]
              - {name: main, image: alpine, command: [sh, -c], args: ["echo ran main"], dependencies: [a]}
        """)
    kist("run", "w.yaml", "--name", "r")
    assert said(kist, "r") == ["a", "a", "a", "main"]
    kist.write("w.yaml", (kist.project / "w.yaml").read_text().replace('"3"', '"2"'))
    kist("run", "w.yaml", "--name", "s", code=1)
    assert said(kist, "s") == ["a", "a"]
    assert {one["display"]: one["status"] for one in kist.json("show", "s")["nodes"]} == {
        "s": "failed", "a": "failed", "main": "omitted"}


def test_what_was_made_while_the_project_was_edited_is_not_taken_later(kist):
    kist.write(".dstack/workflows/w.yaml", """\
        workflows:
          - name: w
            provider: bash
            commands:
              - mkdir -p out; echo ran begin; sleep 2; cat data.txt > out/data.txt
            artifacts:
              - path: out
        """)
    data = kist.write("data.txt", "before")
    times = data.stat()
    kist("run", "w", "-d", "--name", "first")
    wait_until(lambda: said(kist, "first"))
    data.write_text("edited")
    wait_until(lambda: kist.json("show", "first")["status"] == "succeeded")
    assert kist("cat", "first", "out/data.txt").stdout == "edited"
    data.write_text("before")
    os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))  # all is as it was when the first began

    kist("run", "w", "--cached", "--name", "second")
    assert kist("cat", "second", "out/data.txt").stdout == "before"
    kist("run", "w", "--cached", "--name", "third")
    assert kist.json("show", "third")["nodes"][0]["taken_from"] == "second"


def test_retry_of_a_dag_whose_targets_are_parameters(kist):
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: t-}
        spec:
          entrypoint: main
          arguments: {parameters: [{name: target, value: b}, {name: code, value: "1"}]}
          templates:
          - name: main
            dag:
              target: "{{workflow.parameters.target}}"
              tasks:
              - {name: a, template: a}
              - {name: b, template: b, dependencies: [a]}
              - {name: c, template: c, dependencies: [b]}
          - {name: a, container: {image: alpine, command: [echo, ran a]}}
          - {name: b, container: {image: alpine, command: [sh, -c], args: ["echo ran b; exit {{workflow.parameters.code}}"]}}
          - {name: c, container: {image: alpine, command: [echo, ran c]}}
        """)
    kist("run", "w.yaml", "--name", "r", code=1)
    kist("retry", "r", "-p", "code=0", "-p", "target=c")
    assert said(kist, "r") == ["a", "b", "b", "c"]


def test_retry_of_steps_whose_names_are_made_of_inputs(kist):
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: t-}
        spec:
          entrypoint: main
          arguments: {parameters: [{name: who, value: me}, {name: code, value: "1"}]}
          templates:
          - name: main
            steps:
            - - {name: "first-{{workflow.parameters.who}}", template: say}
            - - {name: "then-{{workflow.parameters.who}}", template: end}
            - - {name: "last-{{workflow.parameters.who}}", template: say}
          - {name: say, container: {image: alpine, command: [echo, "ran {{steps.name}}"]}}
          - {name: end, container: {image: alpine, command: [sh, -c], args: ["echo ran end; exit {{workflow.parameters.code}}"]}}
        """)
    kist("run", "w.yaml", "--name", "r", code=1)
    kist("retry", "r", "-p", "code=0")
    assert said(kist, "r") == ["first-me", "end", "end", "last-me"]


def test_retry_of_jobs(kist):
    kist.write(".circleci/config.yml", """\
        version: 2.1
        jobs:
          build: {docker: [{image: "cimg/base:stable"}], steps: [{run: echo ran build}]}
          test: {docker: [{image: "cimg/base:stable"}], steps: [checkout, {run: echo ran test && test -e fixed}]}
          after: {docker: [{image: "cimg/base:stable"}], steps: [{run: echo ran after}]}
        workflows:
          main: {jobs: [build, {test: {requires: [build]}}, {after: {requires: [test]}}]}
        """)
    kist("run", "main", "--name", "r", code=1)
    kist.write("fixed", "")
    kist("retry", "r")
    printed = [line.split(": ran ")[1] for line in kist("logs", "r").stdout.splitlines() if ": ran " in line]
    assert printed == ["build", "test", "test", "after"]
