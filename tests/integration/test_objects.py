"""Resource templates: runs, config maps, secrets and claims that steps make, look at, change and remove."""
import json
import shutil
import textwrap

import pytest

from conftest import wait_until

CHILD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: child-
  labels: {made-by: test}
spec:
  entrypoint: main
  templates:
  - name: main
    script:
      image: busybox
      command: [sh]
      source: |
        echo "for {{WORD}}" > /tmp/out; exit {{CODE}}
    outputs: {parameters: [{name: word, globalName: said, valueFrom: {path: /tmp/out}}]}
"""
ENDS = "      successCondition: status.phase == Succeeded\n      failureCondition: status.phase in (Failed, Error)\n"


def resource(name, action, manifest, more="", outputs=""):
    """A template of that name; `more`: further lines of `resource`, `outputs` of the template."""
    text = f"  - name: {name}\n"
    if outputs:
        text += "    outputs:\n      parameters:\n" + textwrap.indent(outputs, "      ")
    text += f"    resource:\n      action: {action}\n{more}"
    if manifest:
        text += "      manifest: |\n" + textwrap.indent(manifest, "        ")
    return text


def workflow(*templates, steps, name="parent-", more=""):
    lines = "".join(f"    - - {step}\n" for step in steps)
    return (f"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: {name}}}\nspec:\n"
            f"  entrypoint: main\n{more}  templates:\n  - name: main\n    steps:\n{lines}" + "".join(templates))


def call(name, template=None, /, **parameters):
    """A step; the parameters are its arguments."""
    values = ", ".join(f"{{name: {key}, value: {json.dumps(value)}}}" for key, value in parameters.items())
    return f"{{name: {name}, template: {template or name}, arguments: {{parameters: [{values}]}}}}"


SAY = """\
  - name: say
    inputs: {parameters: [{name: word}]}
    script: {image: busybox, command: [sh], source: "echo {{inputs.parameters.word}}"}
"""


def child(word="x", code=0):
    return CHILD.replace("{{WORD}}", word).replace("{{CODE}}", str(code))


def path_output(name, path):
    return f"- name: {name}\n  valueFrom: {{jsonPath: '{path}'}}\n"


def test_a_workflow_made_by_a_step_is_a_run_of_its_own_and_waited_for(kist):
    made = resource("make", "create", child("you"), ENDS,
                    path_output("name", "{.metadata.name}") + path_output("phase", "status.phase") +
                    path_output("said", "{.status.outputs.parameters[0].value}"))
    kist.write("w.yaml", workflow(made, SAY, steps=[
        call("make"), call("say", word="{{steps.make.outputs.parameters.phase}} {{steps.make.outputs.parameters.said}} "
                                       "{{steps.make.outputs.parameters.name}}")]))
    done = kist("run", "w.yaml", "--name", "parent")
    runs = {run["name"]: run for run in kist.json("ps", "-a")}
    (name,) = [name for name in runs if name.startswith("child-")]
    assert f"Succeeded for you {name}" in done.stdout
    assert runs[name]["status"] == "succeeded" and runs[name]["labels"] == {"made-by": "test"}
    assert [run["name"] for run in kist.json("ps", "-l", "made-by in (test), !other")] == [name]
    assert kist.json("show", name)["labels"] == {"made-by": "test"}


def test_a_workflow_that_fails_fails_the_step_that_waits_for_it(kist):
    kist.write("w.yaml", workflow(resource("make", "create", child(code=3), ENDS), steps=[call("make")]))
    done = kist("run", "w.yaml", "--name", "parent", code=1)
    assert "failure condition 'status.phase in (Failed, Error)' evaluated true" in done.stderr
    node = next(node for node in kist.json("show", "parent")["nodes"] if node.get("step") == "make")
    assert node["status"] == "failed"


def test_a_template_that_was_applied_or_lies_beside_is_found_by_the_workflow_that_is_made(kist):
    manifest = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: from-template-}
spec:
  workflowTemplateRef: {name: "{{inputs.parameters.name}}"}
"""
    made = resource("make", "create", manifest, ENDS).replace(
        "    resource:", "    inputs: {parameters: [{name: name}]}\n    resource:", 1)
    kist.write("files/w.yaml", workflow(made, steps=[call("make", name="shelf")]))
    kist.write("files/shelf.yaml", child().replace("kind: Workflow", "kind: WorkflowTemplate").replace(
        "generateName: child-", "name: shelf"))
    kist("run", "files/w.yaml", "--name", "beside")
    kist("apply", "files/shelf.yaml")
    (kist.project / "files/shelf.yaml").unlink()
    kist("run", "files/w.yaml", "--name", "applied")
    assert len([run for run in kist.json("ps", "-a") if run["name"].startswith("from-template-")]) == 2


def test_without_a_condition_nobody_waits_and_a_later_step_may(kist):
    slow = child().replace("exit 0", "sleep 1")
    made = resource("make", "create", slow, outputs=path_output("name", "{.metadata.name}"))
    wait = resource("wait", "get", """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: "{{inputs.parameters.name}}"}
""", ENDS).replace("    resource:", "    inputs: {parameters: [{name: name}]}\n    resource:", 1)
    kist.write("w.yaml", workflow(made, wait, steps=[
        call("make"), call("wait", name="{{steps.make.outputs.parameters.name}}")]))
    kist("run", "w.yaml", "--name", "parent")
    assert {run["status"] for run in kist.json("ps", "-a")} == {"succeeded"}


def test_a_step_that_waits_can_be_stopped_and_what_it_made_goes_on(kist):
    slow = child().replace("exit 0", "sleep 3")
    kist.write("w.yaml", workflow(resource("make", "create", slow, ENDS), steps=[call("make")]))
    process = kist.start("run", "w.yaml", "--name", "parent")
    try:
        wait_until(lambda: any(run["name"].startswith("child-") for run in kist.json("ps", "-a")))
        kist("stop", "-y", "parent")
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert kist.json("show", "parent")["status"] == "stopped"
    (name,) = [run["name"] for run in kist.json("ps", "-a") if run["name"].startswith("child-")]
    wait_until(lambda: kist.json("show", name)["status"] == "succeeded")


def test_config_maps_are_made_changed_selected_and_removed(kist):
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words, labels: {cleanup: \"yes\"}}\ndata: {a: \"1\"}\n"
    patch = "kind: ConfigMap\nmetadata: {name: words}\ndata: {b: \"2\"}\n"
    changes = "- {op: remove, path: /data/a}\n- {op: add, path: /data/c, value: \"3\"}\n"
    kist.write("w.yaml", workflow(
        resource("make", "create", config), resource("merge", "patch", patch, "      mergeStrategy: merge\n"),
        resource("change", "patch", changes, "      mergeStrategy: json\n      flags: [configmap, words]\n"),
        resource("look", "get", "", "      flags: [cm/words]\n", path_output("all", "{.data}")),
        steps=[call("make"), call("merge"), call("change"), call("look")]))
    kist("run", "w.yaml", "--name", "r")
    look = next(node for node in kist.json("show", "r")["nodes"] if node.get("step") == "look")
    assert json.loads(look["output_parameters"][0]["value"]) == {"b": "2", "c": "3"}
    assert [(each["kind"], each["name"]) for each in kist.json("apply")] == [("ConfigMap", "words")]

    kist.write("w2.yaml", workflow(
        resource("again", "create", config), resource("drop", "delete", "", "      flags: [configmap, -l, cleanup=yes]\n"),
        steps=["{name: again, template: again, continueOn: {failed: true}}", call("drop")]))
    kist("run", "w2.yaml", "--name", "r2")
    nodes = {node.get("step"): node for node in kist.json("show", "r2")["nodes"]}
    assert nodes["again"]["status"] == "failed" and 'configmaps "words" already exists' in nodes["again"]["message"]
    assert kist.json("apply") == []


@pytest.mark.parametrize("action, manifest, more, said", [
    ("create", "- kind: ConfigMap\n", "", "the manifest is to be a mapping"),
    ("create", "kind: ConfigMap\nmetadata: [name]\n", "      flags: [configmap, x]\n", "metadata is to be a mapping"),
    ("replace", "kind: ConfigMap\nmetadata: words\n", "      flags: [configmap, words]\n",
     "metadata is to be a mapping"),
    ("apply", "kind: Workflow\nmetadata: {name: '{{workflow.name}}', labels: [a]}\n", "",
     "metadata.labels is to be a mapping"),
    ("patch", "- {op: add}\n", "      mergeStrategy: merge\n      flags: [configmap, words]\n",
     "the manifest is to be a mapping")])
def test_a_manifest_of_another_shape_is_refused(kist, action, manifest, more, said):
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {a: \"1\"}\n"
    kist.write("w.yaml", workflow(resource("make", "create", config), resource("act", action, manifest, more),
                                  steps=[call("make"), call("act")]))
    kist("run", "w.yaml", "--name", "r", code=1)
    node = next(node for node in kist.json("show", "r")["nodes"] if node.get("step") == "act")
    assert said in node["message"]


def test_labels_without_a_value_change_nothing(kist):
    same = "kind: Workflow\nmetadata:\n  name: '{{workflow.name}}'\n  labels:\n  annotations: {done: \"yes\"}\n"
    kist.write("w.yaml", workflow(resource("act", "apply", same), steps=[call("act")]))
    kist("run", "w.yaml", "--name", "r")


def test_a_secret_that_a_step_made_is_there_for_the_next(kist):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: made}\nstringData: {token: abc-{{workflow.name}}}\n"
    use = """\
  - name: use
    container:
      image: busybox
      command: [sh, -c, 'test "$TOKEN" = abc-r && echo same']
      env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: made, key: token}}}]
"""
    kist.write("w.yaml", workflow(resource("make", "apply", secret), use, steps=[call("make"), call("use")]))
    assert "same" in kist("run", "w.yaml", "--name", "r").stdout
    assert kist.json("secrets", "list")[0]["name"] == "made"


def test_a_claim_that_a_step_made_is_a_volume_of_others_until_it_is_removed(kist):
    claim = ("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {generateName: room-}\n"
             "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n")
    use = """\
  - name: use
    inputs: {parameters: [{name: claim}, {name: command}]}
    volumes: [{name: room, persistentVolumeClaim: {claimName: "{{inputs.parameters.claim}}"}}]
    container:
      image: busybox
      command: [sh, -c, "{{inputs.parameters.command}}"]
      volumeMounts: [{name: room, mountPath: /room}]
"""
    remove = resource("remove", "delete", "apiVersion: v1\nkind: PersistentVolumeClaim\n"
                      "metadata: {name: \"{{inputs.parameters.claim}}\"}\n").replace(
        "    resource:", "    inputs: {parameters: [{name: claim}]}\n    resource:", 1)
    name = "{{steps.make.outputs.parameters.name}}"
    kist.write("w.yaml", workflow(resource("make", "create", claim, outputs=path_output("name", "{.metadata.name}")),
                                  use, remove, steps=[
        call("make"), call("write", "use", claim=name, command="echo kept > /room/f"),
        call("read", "use", claim=name, command="cat /room/f"), call("remove", claim=name)]))
    assert "kept" in kist("run", "w.yaml", "--name", "r").stdout
    assert kist.json("apply") == []
    assert list((kist.home / "claims").iterdir()) == []


def test_what_a_run_owns_goes_with_it(kist):
    owner = "      setOwnerReference: true\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: owned-}\ndata: {a: \"1\"}\n"
    kist.write("w.yaml", workflow(resource("map", "create", config, owner), resource("make", "create", child(), owner + ENDS),
                                  steps=[call("map"), call("make")]))
    kist("run", "w.yaml", "--name", "parent")
    assert len(kist.json("ps", "-a")) == 2 and kist.json("apply")[0]["name"].startswith("owned-")
    kist("rm", "-y", "parent")
    assert kist.json("ps", "-a") == [] and kist.json("apply") == []


def test_of_what_got_its_name_later_nothing_goes_with_a_run(kist):
    owner = "      setOwnerReference: true\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {by: '{{workflow.name}}'}\n"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\nstringData: {by: 'of {{workflow.name}}'}\n"
    made = [resource("map", "create", config, owner), resource("secret", "create", secret, owner)]
    kist.write("own.yaml", workflow(*made, steps=[call("map"), call("secret")]))
    gone = "      flags: [{}]\n"
    kist.write("again.yaml", workflow(
        resource("drop", "delete", "", gone.format("configmap, shared")),
        resource("forget", "delete", "", gone.format("secret, hidden")), *(one.replace(owner, "") for one in made),
        steps=[call("drop"), call("forget"), call("map"), call("secret")]))
    kist("run", "own.yaml", "--name", "first")
    kist("run", "again.yaml", "--name", "second")
    kist("rm", "-y", "first")
    assert [each["name"] for each in kist.json("apply")] == ["shared"]
    assert [each["name"] for each in kist.json("secrets", "list")] == ["hidden"]

    # What people put in its place is theirs, and what they have put there is not taken over.
    kist("apply", "--delete", "ConfigMap/shared")
    kist("secrets", "delete", "-y", "hidden")
    kist("run", "own.yaml", "--name", "third")
    kist.write("mine.yaml", config.replace("{{workflow.name}}", "me") + "---\n" + secret.replace("{{workflow.name}}", "me"))
    kist("apply", "mine.yaml")
    kist.write("change.yaml", workflow(*(one.replace("action: create", "action: apply") for one in made),
                                       steps=[call("map"), call("secret")]))
    kist("run", "change.yaml", "--name", "fourth")
    kist("rm", "-y", "third", "fourth")
    assert len(kist.json("apply")) == 1 and len(kist.json("secrets", "list")) == 1


def test_what_two_runs_own_goes_with_the_last_of_them(kist):
    owner = "      setOwnerReference: true\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: b}\n"
    kist.write("w.yaml", workflow(resource("map", "apply", config, owner), steps=[call("map")]))
    kist("run", "w.yaml", "--name", "first")
    kist("run", "w.yaml", "--name", "second")
    kist("rm", "-y", "first")
    assert len(kist.json("apply")) == 1
    kist("rm", "-y", "second")
    assert kist.json("apply") == []


def test_values_of_a_secret_that_a_step_looks_at_are_hidden_plain_and_in_base64(kist):
    kist.environment["VALUE"] = "hunter-two"
    kist("secrets", "add", "login", "password", "--from-env", "VALUE")
    look = resource("look", "get", "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\n",
                    outputs=path_output("coded", "{.data.password}") + path_output("all", "{.data}"))
    kist.write("w.yaml", workflow(look, SAY.replace("echo {{", "printf '%s' '{{inputs.parameters.word}}' | base64 -d; echo; echo {{"),
                                  steps=[call("look"), call("say", word="{{steps.look.outputs.parameters.coded}}")]))
    done = kist("run", "w.yaml", "--name", "r")
    everything = done.stdout + done.stderr + kist("logs", "r").stdout + kist("show", "r", "--json").stdout + kist("show", "r").stdout
    assert done.stdout.count("***") == 2
    assert "hunter-two" not in everything and "aHVudGVyLXR3bw" not in everything


def test_a_run_writes_labels_on_itself(kist):
    changes = "- {op: add, path: /metadata/labels/foo, value: bar}\n"
    kist.write("w.yaml", workflow(
        resource("mark", "patch", changes, "      mergeStrategy: json\n      flags: [workflow, \"{{workflow.name}}\"]\n"),
        steps=[call("mark")],
        more="  workflowMetadata: {labels: {kind: test}, labelsFrom: {who: {expression: \"'of-' + workflow.name\"}}}\n"))
    kist("run", "w.yaml", "--name", "r")
    assert kist.json("show", "r")["labels"] == {"foo": "bar", "kind": "test", "who": "of-r"}
    assert "foo=bar" in kist("show", "r").stdout
    assert [run["name"] for run in kist.json("ps", "-l", "who=of-r,foo")] == ["r"]
    assert kist.json("ps", "-l", "who=nobody") == []
    assert "expected" in kist("ps", "-l", "a in (b", code=2).stderr


def test_a_manifest_may_come_as_an_artifact(kist):
    write = """\
  - name: write
    script:
      image: busybox
      command: [sh]
      source: |
        printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: from-file}\\ndata: {x: y}\\n' > /tmp/m.yaml
    outputs: {artifacts: [{name: m, path: /tmp/m.yaml}]}
"""
    make = """\
  - name: make
    inputs: {artifacts: [{name: manifest, path: /tmp/manifest.yaml}]}
    resource: {action: create, manifestFrom: {artifact: {name: manifest}}}
"""
    kist.write("w.yaml", workflow(write, make, steps=[call("write"), "{name: make, template: make, arguments: {artifacts: "
                                                      "[{name: manifest, from: \"{{steps.write.outputs.artifacts.m}}\"}]}}"]))
    kist("run", "w.yaml", "--name", "r")
    assert kist.json("apply")[0]["name"] == "from-file"


def test_another_kind_is_refused_on_its_step_and_lint_warns(kist):
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {}\n"
    kist.write("w.yaml", workflow(resource("make", "create", job), steps=[call("make")]))
    said = kist("lint", "w.yaml")
    assert "kist keeps no objects of kind Job" in said.stdout + said.stderr
    kist("run", "w.yaml", "--name", "r", code=1)
    node = next(node for node in kist.json("show", "r")["nodes"] if node.get("step") == "make")
    assert node["status"] == "error" and "kist keeps no objects of kind Job" in node["message"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_outputs_by_jq(kist):
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {a: \"1\"}\n"
    kist.write("w.yaml", workflow(
        resource("make", "create", config, outputs="- name: a\n  valueFrom: {jqFilter: '.data | keys[0]'}\n"), SAY,
        steps=[call("make"), call("say", word="key-{{steps.make.outputs.parameters.a}}")]))
    assert "key-a" in kist("run", "w.yaml").stdout


def test_variables_given_with_the_run_reach_every_container(kist):
    kist.write("w.yaml", workflow("""\
  - name: say
    container: {image: busybox, command: [sh, -c, 'echo $ONE $TWO'], env: [{name: TWO, value: file}]}
""", steps=[call("say")]))
    assert "1 2" in kist("run", "w.yaml", "-e", "ONE=1", "-e", "TWO=2").stdout


def test_the_target_of_a_dag_may_be_a_parameter(kist):
    kist.write("w.yaml", """
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: w-}
        spec:
          entrypoint: main
          arguments: {parameters: [{name: target, value: b}]}
          templates:
          - name: main
            dag:
              target: "{{workflow.parameters.target}}"
              tasks:
              - {name: a, template: say}
              - {name: b, template: say, dependencies: [a]}
              - {name: c, template: say}
          - name: say
            annotations: {workflows.argoproj.io/display-name: "shown as {{tasks.name}}"}
            container: {image: busybox, command: [echo, hello]}
        """)
    kist("run", "w.yaml", "--name", "r")
    assert sorted(node["step"] for node in kist.json("show", "r")["nodes"] if node.get("step")) == ["a", "b"]
    assert "shown as a" in kist("show", "r").stdout
    kist("run", "w.yaml", "--name", "r2", "-p", "target=a c")
    assert sorted(node["step"] for node in kist.json("show", "r2")["nodes"] if node.get("step")) == ["a", "c"]
    assert "target 'x' is not defined" in kist("run", "w.yaml", "-p", "target=x", code=1).stderr


def test_a_part_of_what_lies_outside(kist):
    kist.write("data/inner/a.txt", "part\n")
    kist.write("data/b.txt", "other\n")
    kist.write("w.yaml", f"""
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {{generateName: w-}}
        spec:
          entrypoint: main
          templates:
          - name: main
            inputs: {{artifacts: [{{name: all, file: {{path: {kist.project}/data}}}}]}}
            steps:
            - - name: cat
                template: cat
                arguments:
                  artifacts: [{{name: in, from: "{{{{inputs.artifacts.all}}}}", subPath: inner/a.txt}}]
            - - name: own
                template: cat
                arguments:
                  artifacts: [{{name: in, subPath: inner, file: {{path: {kist.project}/data}}}}]
          - name: cat
            inputs: {{artifacts: [{{name: in, path: /tmp/in}}]}}
            container: {{image: busybox, command: [sh, -c, "find /tmp/in -type f | xargs cat; ls /tmp/in"]}}
        """)
    out = kist("run", "w.yaml").stdout
    assert out.count("part\n") == 2 and "other" not in out


def test_a_config_map_that_a_step_made_or_changed_is_what_later_steps_see(kist):
    manifest = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {word: "{{inputs.parameters.word}}"}
"""
    def with_word(text):
        return text.replace("    resource:", "    inputs: {parameters: [{name: word}]}\n    resource:", 1)
    read = """\
  - name: read
    inputs:
      parameters: [{name: p, valueFrom: {configMapKeyRef: {name: words, key: word}}}]
    volumes: [{name: v, configMap: {name: words}}]
    container:
      image: busybox
      command: [sh, -c]
      args: ["echo read $E $W {{inputs.parameters.p}} $(cat /v/word)"]
      env: [{name: E, valueFrom: {configMapKeyRef: {name: words, key: word}}}]
      envFrom: [{prefix: "", configMapRef: {name: words}}]
      volumeMounts: [{name: v, mountPath: /v}]
""".replace("$W", "$word")
    kist.write("w.yaml", workflow(with_word(resource("make", "create", manifest)), with_word(resource("change", "patch", manifest)),
                                  read, steps=[call("make", word="first"), call("one", "read"),
                                               call("change", word="second"), call("two", "read")]))
    kist("lint", "w.yaml")
    done = kist("run", "w.yaml", "--name", "r")
    lines = [line.split("read ")[1] for line in done.stdout.splitlines() if "read " in line]
    assert lines == ["first first first first", "second second second second"]
    kist.write("w.yaml", workflow(with_word(resource("make", "create", manifest)).replace("name: words", "name: others"), read,
                                  steps=[call("make", word="first"), call("one", "read")]).replace("name: words", "name: lost"))
    assert "config map 'lost' is not known here" in kist("run", "w.yaml", code=1).stderr


def test_a_label_that_is_no_text_fails_the_run_before_it_begins(kist):
    kist.write("w.yaml", workflow(SAY, steps=[call("say", word="x")], more=(
        "  workflowMetadata: {labelsFrom: {who: {expression: \"workflow.parameters.nobody\"}}}\n")))
    done = kist("run", "w.yaml", code=1)
    assert "label 'who'" in done.stderr and "must be a text" in done.stderr


def test_what_the_spec_writes_on_the_workflow_is_a_text(kist):
    more = """\
  arguments: {parameters: [{name: w, value: VALUE}]}
  workflowMetadata:
    labels: {a: "{{workflow.parameters.w}}-{{workflow.labels.plain}}"}
    annotations: {note: "by {{workflow.name}}, {{unknown}}"}
    labelsFrom: {b: {expression: "workflow.parameters.w + '.{{workflow.name}}'"}}
"""
    text = workflow(SAY, steps=[call("say", word="{{workflow.labels.a}} {{workflow.annotations.note}}")], more=more).replace(
        "metadata: {", "metadata: {labels: {plain: p}, annotations: {said: \"{{workflow.name}}\"}, ", 1)
    assert "plain: p" in text
    kist.write("w.yaml", text.replace("VALUE", "red"))
    kist("lint", "w.yaml")
    assert "red-p by r, {{unknown}}" in kist("run", "w.yaml", "--name", "r").stdout
    run = kist.json("show", "r")
    assert run["labels"] == {"a": "red-p", "b": "red.r", "plain": "p"}
    assert run["annotations"] == {"note": "by r, {{unknown}}", "said": "{{workflow.name}}"}
    kist.write("w.yaml", text.replace("VALUE", "'two words'"))
    said = kist("run", "w.yaml", code=1).stderr
    assert 'invalid label value "two words.' in said and 'for label "b" and expression' in said and "alphanumeric" in said
