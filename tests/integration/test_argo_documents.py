"""Argo files that refer to others: beside them, given with them, applied to the home."""

LIBRARY = """
    apiVersion: argoproj.io/v1alpha1
    kind: WorkflowTemplate
    metadata: {name: shelf}
    spec:
      entrypoint: say
      arguments: {parameters: [{name: word, value: from-shelf}]}
      templates:
      - name: say
        inputs: {parameters: [{name: word}]}
        script: {image: busybox, command: [sh], source: "echo says {{inputs.parameters.word}}"}
"""
CALLER = """
    apiVersion: argoproj.io/v1alpha1
    kind: Workflow
    metadata: {generateName: caller-}
    spec:
      entrypoint: main
      templates:
      - name: main
        steps:
        - - name: a
            templateRef: {name: shelf, template: say}
            arguments: {parameters: [{name: word, value: hello}]}
"""
MAP = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: words}
    data: {greeting: "a {{b}} c"}
"""
ASKS_MAP = """
    apiVersion: argoproj.io/v1alpha1
    kind: Workflow
    metadata: {generateName: asks-}
    spec:
      entrypoint: main
      arguments: {parameters: [{name: g, valueFrom: {configMapKeyRef: {name: words, key: greeting}}}]}
      templates:
      - name: main
        container:
          image: busybox
          command: [echo, "{{workflow.parameters.g}}"]
"""


def test_a_template_beside_the_file_is_used_and_named(kist):
    kist.write("caller.yaml", CALLER)
    assert "shelf.say not found" in kist("run", "caller.yaml", code=2).stderr
    kist.write("shelf.yaml", LIBRARY)
    done = kist("run", "caller.yaml", "--name", "r")
    assert "says hello" in done.stdout
    assert "shelf.yaml is used" in done.stderr


def test_a_further_file_and_an_applied_one_are_found(kist):
    caller = kist.write("files/caller.yaml", CALLER)
    kist.write("elsewhere/shelf.yaml", LIBRARY)
    done = kist("run", str(caller), "elsewhere/shelf.yaml", "--name", "given")
    assert "says hello" in done.stdout and "is used" not in done.stderr
    kist("apply", "elsewhere/shelf.yaml")
    assert [(each["kind"], each["name"]) for each in kist.json("apply")] == [("WorkflowTemplate", "shelf")]
    assert "says hello" in kist("run", str(caller), "--name", "applied").stdout
    assert "no linting errors" in kist("lint", str(caller)).stdout
    # A template runs by its name, as `argo submit --from` does.
    assert "says from-shelf" in kist("run", "shelf", "--name", "by-name").stdout
    assert "says mine" in kist("run", "elsewhere/shelf.yaml", "-p", "word=mine", "--name", "by-file").stdout
    kist("apply", "--delete", "WorkflowTemplate/shelf")
    assert kist.json("apply") == []
    assert "shelf.say not found" in kist("run", str(caller), code=2).stderr


def test_what_a_config_map_says_is_no_reference(kist):
    kist.write("w.yaml", ASKS_MAP)
    kist.write("map.yaml", MAP)
    assert kist("run", "w.yaml", "map.yaml").stdout.endswith("a {{b}} c\n")


def test_a_secret_of_the_file_is_not_kept_with_the_run(kist):
    kist.write("w.yaml", ASKS_MAP.rstrip() + "\n    ---" + MAP.rstrip() + "\n    ---\n    apiVersion: v1\n    kind: Secret\n"
               "    metadata: {name: s}\n    stringData: {token: do-not-keep-me}\n")
    kist("run", "w.yaml", "--name", "r")
    assert "do-not-keep-me" not in kist("show", "r", "--json").stdout
    for path in kist.home.rglob("*"):
        if path.is_file():
            assert b"do-not-keep-me" not in path.read_bytes(), path


def test_a_schedule_is_told_and_run_once(kist):
    kist.write("cron.yaml", """
        apiVersion: argoproj.io/v1alpha1
        kind: CronWorkflow
        metadata: {name: nightly}
        spec:
          schedules: ["0 3 * * *"]
          timezone: UTC
          workflowSpec:
            entrypoint: main
            templates:
            - name: main
              container: {image: busybox, command: [echo, "at night"]}
        """)
    said = kist("lint", "cron.yaml")
    assert "nightly is to run at 20" in said.stdout + said.stderr
    assert "T03:00:00Z" in said.stdout + said.stderr
    assert kist("run", "cron.yaml").stdout.endswith("at night\n")


def test_a_file_without_a_kind_may_run_a_template(kist):
    kist.write("template.yaml", ASKS_MAP.replace("kind: Workflow", "kind: WorkflowTemplate").replace("generateName: asks-", "name: asks"))
    kist.write("run.yaml", "metadata: {generateName: run-}\nspec: {workflowTemplateRef: {name: asks}}\n")
    kist.write("words.yaml", MAP)
    done = kist("run", "run.yaml", "template.yaml", "words.yaml")
    assert "a {{b}} c" in done.stdout and "kind is missing" in done.stderr
