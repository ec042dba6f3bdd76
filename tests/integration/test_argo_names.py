"""Names in Argo's files that are made when the workflow runs, and names that are there twice."""

HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: names-}
spec:
  entrypoint: main
"""
SAY = """\
  - name: say
    inputs: {parameters: [{name: word}]}
    script: {image: busybox, command: [sh], source: "echo said {{inputs.parameters.word}}"}
"""


def parameters(**values):
    return "{parameters: [" + ", ".join(f"{{name: {name}, value: '{value}'}}" for name, value in values.items()) + "]}"


def said(kist, run):
    """The last words of each line of its log."""
    return [line.split("said ", 1)[1] for line in kist("logs", run).stdout.splitlines() if "said " in line]


def test_names_of_steps_are_made_of_the_inputs_of_their_template(kist):
    kist.write("w.yaml", HEAD + f"""\
  templates:
  - name: main
    steps:
    - - name: days
        template: day
        withItems: [mon, tue]
        arguments: {parameters(date="{{item}}")}
  - name: day
    inputs: {{parameters: [{{name: date}}]}}
    steps:
    - - name: run-{{{{inputs.parameters.date}}}}
        template: say
        arguments: {parameters(word="{{inputs.parameters.date}}")}
    - - name: check-{{{{inputs.parameters.date}}}}
        template: say
        when: "{{{{steps.run-{{{{inputs.parameters.date}}}}.status}}}} == Succeeded"
        arguments: {parameters(word="{{steps.run-{{inputs.parameters.date}}.outputs.result}}")}
""" + SAY)
    run = kist.run("w.yaml")
    names = {node["display"] for node in kist.json("show", run)["nodes"]}
    assert {"run-mon", "check-mon", "run-tue", "check-tue"} <= names
    assert sorted(said(kist, run)) == ["mon", "said mon", "said tue", "tue"]
    bad = (kist.project / "w.yaml").read_text().replace("run-{{", "run_{{")
    kist.write("bad.yaml", bad)
    assert "is invalid" in kist("lint", "bad.yaml", code=2).stderr


def test_names_of_tasks_are_made_of_the_workflows_parameters(kist):
    kist.write("w.yaml", HEAD + f"""\
  arguments: {parameters(who="me")}
  templates:
  - name: main
    dag:
      tasks:
      - {{name: "a-{{{{workflow.parameters.who}}}}", template: say, arguments: {parameters(word="one")}}}
      - name: b
        dependencies: ["a-{{{{workflow.parameters.who}}}}"]
        template: say
        arguments: {parameters(word="two")}
""" + SAY)
    run = kist.run("w.yaml", "-p", "who=you")
    assert said(kist, run) == ["one", "two"]
    assert "a-you" in {node["display"] for node in kist.json("show", run)["nodes"]}


def test_names_of_outputs_and_of_the_runs_outputs_are_made_of_inputs(kist):
    kist.write("w.yaml", HEAD + f"""\
  onExit: after
  templates:
  - name: main
    steps:
    - - {{name: make, template: make, arguments: {parameters(kind="car")}}}
    - - name: use
        template: use
        arguments:
          parameters: [{{name: word, value: "{{{{steps.make.outputs.parameters.wheels-car}}}}"}}]
          artifacts: [{{name: x, from: "{{{{steps.make.outputs.artifacts.result-car}}}}"}}]
  - name: make
    inputs: {{parameters: [{{name: kind}}]}}
    steps:
    - - {{name: inner, template: inner, arguments: {parameters(kind="{{inputs.parameters.kind}}")}}}
    outputs:
      parameters:
      - name: wheels-{{{{inputs.parameters.kind}}}}
        valueFrom: {{parameter: "{{{{steps.inner.outputs.parameters.wheels-{{{{inputs.parameters.kind}}}}}}}}"}}
      artifacts:
      - name: result-{{{{inputs.parameters.kind}}}}
        from: "{{{{steps.inner.outputs.artifacts.result-{{{{inputs.parameters.kind}}}}}}}}"
        globalName: all-{{{{inputs.parameters.kind}}}}
  - name: inner
    inputs: {{parameters: [{{name: kind}}]}}
    script:
      image: busybox
      command: [sh]
      source: "echo four > /tmp/n; echo a {{{{inputs.parameters.kind}}}} > /tmp/r"
    outputs:
      parameters:
      - {{name: "wheels-{{{{inputs.parameters.kind}}}}", globalName: "g-{{{{inputs.parameters.kind}}}}", valueFrom: {{path: /tmp/n}}}}
      artifacts:
      - {{name: "result-{{{{inputs.parameters.kind}}}}", path: /tmp/r}}
  - name: use
    inputs: {{parameters: [{{name: word}}], artifacts: [{{name: x, path: /tmp/x}}]}}
    script: {{image: busybox, command: [sh], source: "echo said $(cat /tmp/x) {{{{inputs.parameters.word}}}}"}}
  - name: after
    steps:
    - - name: exit
        template: use
        arguments:
          parameters: [{{name: word, value: "{{{{workflow.outputs.parameters.g-car}}}}"}}]
          artifacts: [{{name: x, from: "{{{{workflow.outputs.artifacts.all-car}}}}"}}]
""")
    run = kist.run("w.yaml")
    assert said(kist, run) == ["a car four", "a car four"]
    assert kist("cat", run, "result-car").stdout == "a car\n"


def test_the_template_that_is_called_is_named_by_the_item(kist):
    shelf = "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: NAME}\nspec:\n  templates:\n"
    for name in ("red", "green"):
        kist.write(f"{name}.yaml", shelf.replace("NAME", f"paint-{name}") + SAY.replace("said ", f"said {name} "))
    kist("apply", "green.yaml")
    kist.write("w.yaml", HEAD + f"""\
  templates:
  - name: main
    steps:
    - - name: there
        withItems: [red, green]
        templateRef: {{name: "paint-{{{{item}}}}", template: say}}
        arguments: {parameters(word="{{item}}")}
    - - name: here
        template: "{{{{item.t}}}}"
        withItems: [{{t: say}}, {{t: cry}}]
        arguments: {parameters(word="{{item.t}}")}
""" + SAY + SAY.replace("name: say", "name: cry").replace("said", "said loud"))
    run = kist.run("w.yaml", "red.yaml")
    assert sorted(said(kist, run)) == ["green green", "loud cry", "red red", "say"]
    kist.write("w.yaml", (kist.project / "w.yaml").read_text().replace("{t: cry}", "{t: gone}"))
    assert "template name 'gone' undefined" in kist("run", "w.yaml", "red.yaml", code=1).stderr


def test_two_workflows_of_one_name_are_said(kist):
    one = HEAD.replace("generateName: names-", "name: twice") + "  templates:\n" + SAY.replace("name: say", "name: main").replace(
        "    inputs: {parameters: [{name: word}]}\n", "").replace("{{inputs.parameters.word}}", "it")
    kist.write("w.yaml", one + "---\n" + one)
    for command in (("run", "w.yaml"), ("run", "w.yaml", "twice"), ("lint", "w.yaml")):
        assert "twice" in kist(*command, code=2).stderr
    assert "another Workflow 'twice' at w.yaml:1:1" in kist("run", "w.yaml", "twice", code=2).stderr
    kist.write("a.yaml", one)
    kist.write("b.yaml", one)
    assert "b.yaml: the workflow 'twice' is not run" in kist("run", "a.yaml", "b.yaml").stderr
    kist.write("c.yaml", one.replace("kind: Workflow", "kind: WorkflowTemplate").replace("said it", "said no") + "---\n" + one)
    assert said(kist, kist.run("c.yaml", "twice")) == ["it"]  # no template is meant where there is a workflow


def test_names_of_arguments_are_made_of_the_inputs_of_their_template(kist):
    kist.write("w.yaml", HEAD + """\
  arguments: {parameters: [{name: target, value: word}]}
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: give
        template: give
        arguments:
          parameters: [{name: to, value: "{{workflow.parameters.target}}"}]
          artifacts: [{name: letter, from: "{{steps.make.outputs.artifacts.letter}}"}]
  - name: give
    inputs: {parameters: [{name: to}], artifacts: [{name: letter}]}
    steps:
    - - name: say
        template: read
        withItems: [one, two]
        arguments:
          parameters:
          - {name: "{{inputs.parameters.to}}", value: "{{item}}"}
          - {name: "un{{inputs.parameters.to}}", value: nobody takes it}
          artifacts: [{name: "my-{{inputs.parameters.to}}", from: "{{inputs.artifacts.letter}}"}]
  - name: make
    container: {image: busybox, command: [sh, -c, "echo dear > /tmp/letter"]}
    outputs: {artifacts: [{name: letter, path: /tmp/letter}]}
  - name: read
    inputs:
      parameters: [{name: word, default: none}, {name: other, default: none}]
      artifacts: [{name: my-word, path: /tmp/in, optional: true}]
    script:
      image: busybox
      command: [sh]
      source: "echo said {{inputs.parameters.word}} {{inputs.parameters.other}} $(cat /tmp/in)"
""")
    kist("lint", "w.yaml")
    assert sorted(said(kist, kist.run("w.yaml"))) == ["one none dear", "two none dear"]
    assert set(said(kist, kist.run("w.yaml", "-p", "target=other"))) == {"none one", "none two"}
    bad = (kist.project / "w.yaml").read_text()
    kist.write("bad.yaml", bad.replace('name: "{{inputs.parameters.to}}"', 'name: "{{item}}"'))
    assert "is invalid" in kist("lint", "bad.yaml", code=2).stderr  # as with Argo
    kist.write("bad.yaml", bad.replace('name: "{{inputs.parameters.to}}"', 'name: "{{inputs.parameters.two}}"'))
    assert "failed to resolve {{inputs.parameters.two}}" in kist("lint", "bad.yaml", code=2).stderr


def test_hooks_call_templates_whose_names_are_made_when_they_run(kist):
    text = HEAD + f"""\
  onExit: "{{{{workflow.parameters.last}}}}"
  arguments: {{parameters: [{{name: last, value: bye}}, {{name: kind, value: loud}}]}}
  templates:
  - name: main
    steps:
    - - name: one
        template: part
        arguments: {parameters(kind="{{workflow.parameters.kind}}")}
  - name: part
    inputs: {{parameters: [{{name: kind}}]}}
    steps:
    - - name: work
        template: say
        withItems: [soft, hard]
        arguments: {parameters(word="work")}
        hooks:
          exit:
            template: "{{{{inputs.parameters.kind}}}}-{{{{item}}}}"
            arguments: {parameters(word="{{item}}")}
  - {{name: bye, script: {{image: busybox, command: [sh], source: "echo said bye"}}}}
"""
    for name in ("loud-soft", "loud-hard", "shy-soft"):
        text += SAY.replace("name: say", f"name: {name}").replace("echo said", f"echo said {name}")
    kist.write("w.yaml", text + SAY)
    kist("lint", "w.yaml")
    run = kist.run("w.yaml")
    assert sorted(said(kist, run)) == ["bye", "loud-hard hard", "loud-soft soft", "work", "work"]
    assert "work(0:soft).onExit" in {node["display"] for node in kist.json("show", run)["nodes"]}
    run = kist.run("w.yaml", "-p", "kind=shy", "-p", "last=nobody", code=1)
    assert "shy-soft soft" in said(kist, run)
    messages = " ".join(node.get("message", "") for node in kist.json("show", run)["nodes"])
    assert "shy-hard" in messages and "nobody" in messages


def test_names_of_variables_and_volumes_are_made_of_the_inputs(kist):
    kist.write("w.yaml", HEAD + """\
  volumes: [{name: all-vol, emptyDir: {}}]
  templates:
  - name: main
    steps: [[{name: a, template: pod, arguments: {parameters: [{name: x, value: all}]}}]]
  - name: pod
    inputs: {parameters: [{name: x}]}
    volumes: [{name: "{{inputs.parameters.x}}-own", emptyDir: {}}]
    container:
      image: busybox
      command: [sh, -c, "echo one > /of-all/sub-file; cp /of-all/sub-file /own; echo said $V_all $(cat /own/sub-file)"]
      env: [{name: "V_{{inputs.parameters.x}}", value: "of {{inputs.parameters.x}}"}]
      volumeMounts:
      - {name: "{{inputs.parameters.x}}-vol", mountPath: "/of-{{inputs.parameters.x}}"}
      - {name: all-own, mountPath: /own}
""")
    kist("lint", "w.yaml")
    assert said(kist, kist.run("w.yaml")) == ["of all one"]


def test_a_program_may_write_how_far_it_is(kist):
    kist.write("w.yaml", HEAD + """\
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, 'echo 1/2 > $ARGO_PROGRESS_FILE; echo said $(cat $ARGO_PROGRESS_FILE)']}
""")
    assert said(kist, kist.run("w.yaml")) == ["1/2"]


def test_a_program_knows_when_its_time_is_over(kist):
    kist.write("w.yaml", HEAD + """\
  activeDeadlineSeconds: 1000
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, 'echo said $(($(date -d $ARGO_DEADLINE +%s) - $(date +%s) > 900))']}
""")
    assert said(kist, kist.run("w.yaml")) == ["1"]


def test_a_file_onto_a_directory_names_the_path_of_the_file(kist):
    kist.write("w.yaml", HEAD + """\
  arguments: {artifacts: [{name: a, raw: {data: text}}]}
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: take, template: take, arguments: {artifacts: [{name: a, from: "{{steps.make.outputs.artifacts.a}}"}]}}
  - name: make
    container: {image: busybox, command: [touch, /tmp/a]}
    outputs: {artifacts: [{name: a, path: /tmp/a}]}
  - name: take
    inputs: {artifacts: [{name: a, path: /etc}]}
    container: {image: busybox, command: [ls]}
""")
    run = kist.run("w.yaml", code=1)
    take = next(node for node in kist.json("show", run)["nodes"] if node["name"].endswith(".take"))
    assert "/etc is a directory, and the artifact a is a file" in take["message"] and "/proc" not in take["message"]
