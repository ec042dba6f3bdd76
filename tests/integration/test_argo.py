"""Argo, Onepanel and Hera files through the built program."""
import os
import stat
import subprocess

import pytest

PASSING = """\
    entrypoint: pass
    templates:
      - name: pass
        dag:
          tasks:
            - name: generate
              template: whalesay
            - name: consume
              dependencies: [generate]
              template: show
              arguments:
                artifacts:
                  - name: message
                    from: "{{tasks.generate.outputs.artifacts.hello-art}}"
      - name: whalesay
        container:
          image: docker/whalesay:latest
          command: [sh, -c]
          args: ["cowsay hello world | tee /tmp/hello_world.txt"]
        outputs:
          artifacts:
            - name: hello-art
              path: /tmp/hello_world.txt
      - name: show
        inputs:
          artifacts:
            - name: message
              path: /tmp/message
        container:
          image: alpine:latest
          command: [sh, -c]
          args: ["cat /tmp/message"]
    """


def workflow(templates, entrypoint="main"):
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: test-
spec:
  entrypoint: {entrypoint}
  templates:
{templates}
"""


def test_a_bare_onepanel_spec_passes_an_artifact(kist):
    kist.write("w.yaml", PASSING)
    done = kist("run", "w.yaml", "--name", "r")
    assert done.stdout.count("hello world") == 2
    assert "hello world" in kist("cat", "r", "hello-art").stdout
    nodes = {node["display"]: node for node in kist.json("show", "r")["nodes"]}
    assert nodes["consume"]["input_artifacts"][0]["tree"] == nodes["generate"]["output_artifacts"][0]["tree"]


TREE = """\
  - name: main
    steps:
      - - {name: make, template: make}
      - - name: check
          template: check
          arguments:
            artifacts:
              - {name: tree, from: "{{steps.make.outputs.artifacts.tree}}"}
  - name: make
    script:
      image: alpine
      command: [sh]
      source: |
        mkdir -p /tmp/tree/empty /tmp/tree/sub
        echo secret > /tmp/tree/sub/file && chmod 640 /tmp/tree/sub/file
        printf '#!/bin/sh\\necho ran\\n' > /tmp/tree/run && chmod 755 /tmp/tree/run
        ln -s sub/file /tmp/tree/link
        ln -s nowhere /tmp/tree/dangling
        : > /tmp/tree/zero
        chmod 711 /tmp/tree/sub
    outputs:
      artifacts:
        - name: tree
          path: /tmp/tree
ARCHIVE  - name: check
    inputs:
      artifacts:
        - {name: tree, path: /data/in}
    script:
      image: alpine
      command: [sh]
      source: |
        cd /data/in
        find . | sort | xargs stat -c '%n %A %N'
        ./run
"""


@pytest.mark.parametrize("archive, suffix", [("", ".tgz"), ("tar: {}", ".tgz"), ("tar: {compressionLevel: 0}", ".tgz"),
                                             ("none: {}", ""), ("zip: {}", ".zip")])
def test_a_tree_comes_through_exactly_whatever_its_archive(kist, archive, suffix):
    templates = TREE.replace("ARCHIVE", f"          archive: {{{archive}}}\n" if archive else "")
    kist.write("w.yaml", workflow(templates))
    out = kist("run", "w.yaml", "--name", "r").stdout
    for expected in ("./empty drwx", "./sub drwx--x--x", "./sub/file -rw-r-----", "./run -rwxr-xr-x",
                     "'./link' -> 'sub/file'", "'./dangling' -> 'nowhere'", "./zero -rw", ": ran"):
        assert expected in out, out
    kist("artifacts", "download", "--packed", "r", "-o", "packed")
    packed = kist.project / f"packed/tree{suffix}"
    assert packed.exists()
    restored = kist.project / "restored"
    restored.mkdir()
    if suffix == ".tgz":
        subprocess.run(["tar", "-xpzf", packed, "-C", restored], check=True)
    elif suffix == ".zip":
        subprocess.run(["unzip", "-q", packed, "-d", restored], check=True)
    tree = restored / "tree" if suffix else packed
    assert (tree / "sub/file").read_text() == "secret\n"
    assert stat.S_IMODE((tree / "sub/file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tree / "sub").stat().st_mode) == 0o711
    assert os.readlink(tree / "link") == "sub/file"
    assert (tree / "empty").is_dir()
    assert (tree / "zero").stat().st_size == 0


def test_optional_on_both_sides(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    steps:
      - - {name: make, template: make}
      - - name: use
          template: use
          arguments:
            artifacts:
              - {name: maybe, from: "{{steps.make.outputs.artifacts.maybe}}"}
  - name: make
    container: {image: alpine, command: ["true"]}
    outputs:
      artifacts:
        - {name: maybe, path: /tmp/maybe, optional: true}
  - name: use
    inputs:
      artifacts:
        - {name: maybe, path: /tmp/maybe, optional: true}
    container: {image: alpine, command: [sh, -c], args: ["test ! -e /tmp/maybe && echo absent"]}
"""))
    assert "absent" in kist("run", "w.yaml").stdout


def test_a_missing_output_is_an_error_that_names_it(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    container: {image: alpine, command: ["true"]}
    outputs:
      artifacts:
        - {name: needed, path: /tmp/needed}
"""))
    kist.run("w.yaml", code=1, name="r")
    run = kist.json("show", "r")
    assert run["status"] in ("error", "failed")
    assert "needed" in run["nodes"][0]["message"] and "/tmp/needed" in run["nodes"][0]["message"]


def test_raw_input_with_mode_parameters_results_and_paths(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    inputs:
      parameters: [{name: who, value: "{{workflow.parameters.who}}"}]
    steps:
      - - name: tool
          template: tool
          arguments:
            parameters: [{name: who, value: "{{inputs.parameters.who}}"}]
      - - name: say
          template: say
          when: "'{{steps.tool.outputs.result}}' == 'hello you'"
          arguments:
            parameters: [{name: text, value: "{{steps.tool.outputs.parameters.length}}"}]
        - name: never
          template: say
          when: "'{{steps.tool.outputs.result}}' == other"
          arguments:
            parameters: [{name: text, value: never}]
  - name: tool
    inputs:
      parameters: [{name: who}]
      artifacts:
        - name: greet
          path: /bin/greet
          mode: 0755
          raw:
            data: |
              #!/bin/sh
              echo "hello $1"
    script:
      image: alpine
      command: [sh]
      source: |
        test -x {{inputs.artifacts.greet.path}}
        printf 9 > /tmp/length
        greet {{inputs.parameters.who}}
    outputs:
      parameters: [{name: length, valueFrom: {path: /tmp/length}}]
  - name: say
    inputs: {parameters: [{name: text}]}
    container: {image: alpine, command: [echo, "got {{inputs.parameters.text}}"]}
""") + "  arguments:\n    parameters: [{name: who, value: me}]\n")
    out = kist("run", "w.yaml", "-p", "who=you", "--name", "r").stdout
    assert "got 9" in out and "never" not in out
    nodes = {node["display"]: node for node in kist.json("show", "r")["nodes"]}
    assert nodes["never"]["status"] == "skipped"
    assert nodes["never"]["message"] == "when ''hello you' == other' evaluated false"


def fnv(text):
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def test_node_ids_pod_names_and_messages(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    steps:
      - - {name: fails, template: fails}
  - name: fails
    container: {image: alpine, command: [sh, -c, "exit 3"]}
"""))
    kist.run("w.yaml", code=1, name="wf")
    nodes = {node["name"]: node for node in kist.json("show", "wf")["nodes"]}
    leaf = nodes["wf[0].fails"]
    assert leaf["id"] == f"wf-{fnv('wf[0].fails')}"
    assert leaf["host"] == f"wf-fails-{fnv('wf[0].fails')}"
    assert leaf["message"] == "main: Error (exit code 3)"
    assert nodes["wf"]["message"] == f"child '{leaf['id']}' failed"


def test_what_go_and_argo_read_generously(kist):
    """Keys in another case; a script without source is a container; a volume named by a parameter."""
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: w-}
        spec:
          entrypoint: main
          volumeClaimTemplates: [{metadata: {name: one}}, {metadata: {name: two}}]
          templates:
          - name: main
            steps:
            - - {name: say, template: say}
            - - name: write
                template: write
                arguments: {parameters: [{name: volume, value: "{{item}}"}]}
                withParam: "{{steps.say.outputs.result}}"
            outputs:
              parameters:
              - {name: said, valueFrom: {Parameter: "{{steps.say.outputs.result}}"}}
          - name: say
            script: {image: busybox, command: [echo], args: ['["one", "two"]']}
          - name: write
            inputs: {parameters: [{name: volume}]}
            container:
              image: busybox
              command: [sh, -c]
              args: ["cat /v/x 2>/dev/null; echo {{inputs.parameters.volume}} | tee /v/x"]
              volumeMounts: [{name: "{{inputs.parameters.volume}}", mountPath: /v}]
        """)
    out = kist("run", "w.yaml", "--name", "r").stdout
    assert sorted(line.split(": ")[1] for line in out.splitlines() if "write" in line) == ["one", "two"]
    main = next(node for node in kist.json("show", "r")["nodes"] if node["name"] == "r")
    assert main["output_parameters"] == [{"name": "said", "value": '["one", "two"]'}]


def test_outputs_that_are_written_in_the_template(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    steps:
    - - {name: pod, template: pod, arguments: {parameters: [{name: x, value: "4"}]}}
      - {name: many, template: pod, withItems: [1, 2], arguments: {parameters: [{name: x, value: "{{item}}"}]}}
      - {name: gate, template: gate}
    - - name: show
        template: show
        arguments:
          parameters:
          - name: text
            value: "{{steps.pod.outputs.parameters.constant}} {{steps.many.outputs.parameters.constant}}
              {{steps.gate.outputs.parameters.word}} {{workflow.outputs.parameters.everywhere}}"
  - name: pod
    inputs: {parameters: [{name: x}]}
    container: {image: alpine, command: ["true"]}
    outputs:
      parameters:
      - {name: constant, value: "v{{inputs.parameters.x}}"}
      - {name: other, value: always, globalName: everywhere}
  - name: gate
    suspend: {duration: "0"}
    outputs:
      parameters:
      - {name: word, value: told}
  - name: show
    inputs: {parameters: [{name: text}]}
    container: {image: alpine, command: [echo, "{{inputs.parameters.text}}"]}"""))
    assert 'v4 ["v1","v2"] told always' in kist("run", "w.yaml").stdout


def test_sh_understands_what_that_of_its_image_does(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    container:
      image: alpine:3.20
      command: [sh, -c]
      args: ['[[ "$RANDOM" != "$RANDOM$RANDOM" ]] && echo -e "a\\tb"']"""))
    assert "a\tb" in kist("run", "w.yaml").stdout


def test_tty_is_a_terminal_and_a_log_has_its_lines(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    steps:
    - - {name: with, template: with}
    - - {name: without, template: without, arguments: {parameters: [{name: said, value: "{{steps.with.outputs.result}}"}]}}
  - name: with
    script:
      image: alpine
      command: [sh]
      tty: true
      stdin: true
      source: |
        test -t 0 && test -t 1 && test -t 2 && echo all
        echo three >&2
  - name: without
    inputs: {parameters: [{name: said}]}
    script:
      image: alpine
      command: [sh]
      source: |
        test -t 0 || test -t 1 || test -t 2 || echo '{{inputs.parameters.said}}' | od -c"""))
    done = kist("run", "w.yaml")
    out = done.stdout
    assert "stdin" not in done.stderr  # it is the terminal
    assert "a   l   l  \\n   t   h   r   e   e  \\n" in out and "\r" not in out
