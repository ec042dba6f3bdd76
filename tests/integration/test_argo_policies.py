"""What surrounds the work in Argo's files: sidecars, locks, cron workflows, metrics."""
import os
import pathlib
import re
import urllib.request

from conftest import wait_until
from test_argo import workflow
from test_serve import Served


def phases(kist, run):
    """What became of each node, by the name it is shown under."""
    return {node["display"]: (node["status"], node.get("message", "")) for node in kist.json("show", run)["nodes"]}


def test_a_sidecar_that_fails_by_itself_fails_the_node_as_argo_does(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    container:
      image: alpine
      command: [sh, -c, "sleep 1; echo kept > /tmp/kept"]
    sidecars:
    - {name: proxy, image: alpine, command: [sh, -c, "exit 3"]}
    outputs:
      artifacts: [{name: kept, path: /tmp/kept}]
"""))
    kist("run", "w.yaml", "--name", "r", code=1)
    shown = kist.json("show", "r")
    assert (shown["status"], shown["message"]) == ("failed", "proxy: Error (exit code 3)")
    assert kist("cat", "r", "kept").stdout == "kept\n"


def test_64_of_a_container_set_is_an_error_of_the_container(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    containerSet:
      containers:
      - {name: a, image: alpine, command: [sh, -c, "exit 64"]}
      - {name: b, image: alpine, command: [sh, -c, "exit 1"]}
"""))
    kist("run", "w.yaml", "--name", "r", code=1)
    seen = phases(kist, "r")
    assert seen["a"] == ("error", "Error (exit code 64)") and seen["b"][0] == "failed"
    assert kist.json("show", "r")["status"] == "failed"


def test_a_path_of_the_machine_is_made_where_the_file_says_so(kist):
    here = kist.project / "made/there"
    template = """\
  - name: main
    volumes:
    - {name: v, hostPath: {path: %s, type: %s}}
    container:
      image: alpine
      command: [sh, -c, "echo hello > /v/file"]
      volumeMounts: [{name: v, mountPath: /v}]
"""
    kist.write("bad.yaml", workflow(template % (here, "Directory")))
    assert f"{here} of this machine is to be a directory" in kist("run", "bad.yaml", code=1).stderr
    kist.write("w.yaml", workflow(template % (here, "DirectoryOrCreate")))
    kist("run", "w.yaml")
    assert (here / "file").read_text() == "hello\n"
    kist.write("wrong.yaml", workflow(template % (here, "Folder")))
    assert "hostPath.type must be one of" in kist("run", "wrong.yaml", code=2).stderr


def test_who_has_more_priority_gets_a_mutex_first(kist):
    text = workflow("""\
  - name: main
    synchronization: {mutexes: [{name: m}]}
    %s
""")
    quick = text % "container: {image: alpine, command: ['true']}"
    kist.write("first.yaml", text % "suspend: {}")
    kist.write("later.yaml", quick)
    kist.write("urgent.yaml", quick.replace("spec:\n", "spec:\n  priority: 7\n", 1))
    kist("run", "-d", "first.yaml", "--name", "first")
    wait_until(lambda: "running" in [node["status"] for node in kist.json("show", "first")["nodes"]])
    for name in ("later", "urgent"):
        kist("run", "-d", f"{name}.yaml", "--name", name)
        wait_until(lambda: any("Waiting for" in node.get("message", "") for node in kist.json("show", name)["nodes"]))
    kist("approve", "first")
    wait_until(lambda: {run["status"] for run in kist.json("ps", "-a")} == {"succeeded"})
    ended = {run["name"]: run["finished"] for run in kist.json("ps", "-a")}
    assert ended["first"] < ended["urgent"] < ended["later"]


def cron(lines, name="nightly", command="true"):
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata:
  name: {name}
spec:
  schedules: ["0 3 * * *"]
{lines}
  workflowSpec:
    entrypoint: main
    templates:
    - name: main
      container: {{image: alpine, command: [sh, -c, "{command}"]}}
"""


def test_a_cron_workflow_is_run_when_its_file_lets_it(kist):
    kist.write("hourly.yaml", cron("  when: \"{{= cronworkflow.lastScheduledTime == nil || "
                                   "(now() - cronworkflow.lastScheduledTime).Seconds() > 3600 }}\""))
    kist("run", "hourly.yaml")
    for words in (["run", "hourly.yaml"], ["run", "-d", "hourly.yaml"]):
        said = kist(*words)
        assert "'nightly' is not run now: when '{{= cronworkflow" in said.stderr and said.stdout == ""
    assert len(kist.json("ps", "-a")) == 1

    kist.write("twice.yaml", cron("  stopStrategy: {expression: cronworkflow.failed >= 2}", "twice", "exit 1"))
    for _ in range(2):
        kist("run", "twice.yaml", code=1)
    kist("rm", "-y", next(run["name"] for run in kist.json("ps", "-a") if run["workflow"] == "twice"))
    assert "`cronworkflow.failed >= 2` holds (0 of its runs succeeded, 2 failed)" in kist("run", "twice.yaml").stderr


def test_runs_of_a_cron_workflow_do_not_overlap_where_its_file_says_so(kist):
    go = kist.project / "go"
    wait = f"while ! test -e {go}; do sleep 0.05; done"
    kist.write("one.yaml", cron("  concurrencyPolicy: Forbid", command=wait))
    kist("run", "-d", "one.yaml", "--name", "first")
    assert "its run first goes on" in kist("run", "one.yaml").stderr
    kist.write("one.yaml", cron("  concurrencyPolicy: Replace", command="true"))
    assert "first is aborted: this run replaces it" in kist("run", "one.yaml", "--name", "second").stderr
    wait_until(lambda: {run["name"]: run["status"] for run in kist.json("ps", "-a")} ==
               {"first": "aborted", "second": "succeeded"})


def test_gc_keeps_as_many_runs_of_a_cron_workflow_as_its_file_says(kist):
    kist.write("w.yaml", cron("  successfulJobsHistoryLimit: 1"))
    for name in ("old", "tagged", "new"):
        kist("run", "w.yaml", "--name", name)
    kist("tags", "add", "keep", "tagged")
    assert "old removed: its file keeps the newest 1 of nightly that succeeded" in kist("gc").stdout
    assert {run["name"] for run in kist.json("ps", "-a")} == {"tagged", "new"}


METRICS = workflow("""\
  - name: main
    inputs: {parameters: [{name: code, value: "0"}]}
    metrics:
      prometheus:
      - name: ended
        help: how many ended so
        labels: [{key: status, value: "{{status}}"}]
        counter: {value: "1"}
      - name: code
        help: what the last one ended with
        when: "{{exitCode}} != 0"
        gauge: {value: "{{exitCode}}"}
      - name: read
        help: what was read
        histogram: {value: "{{outputs.parameters.n}}", buckets: [1, 2.5]}
    container: {image: alpine, command: [sh, -c, "echo 2 > /tmp/n; exit {{inputs.parameters.code}}"]}
    outputs: {parameters: [{name: n, valueFrom: {path: /tmp/n}}]}
""").replace("spec:\n", """spec:
  metrics:
    prometheus:
    - {name: runs, help: all runs, labels: [{key: status, value: "{{workflow.status}}"}], counter: {value: "1"}}
""", 1)


def test_metrics_of_runs_are_printed_for_prometheus(kist):
    kist.write("w.yaml", METRICS)
    kist("lint", "w.yaml")
    for code in (0, 0, 3):
        assert "metric" not in kist("run", "w.yaml", "-p", f"code={code}", code=min(code, 1)).stderr
    assert kist("metrics").stdout == """\
# HELP argo_workflows_code what the last one ended with
# TYPE argo_workflows_code gauge
argo_workflows_code 3
# HELP argo_workflows_ended how many ended so
# TYPE argo_workflows_ended counter
argo_workflows_ended{status="Failed"} 1
argo_workflows_ended{status="Succeeded"} 2
# HELP argo_workflows_read what was read
# TYPE argo_workflows_read histogram
argo_workflows_read_bucket{le="1"} 0
argo_workflows_read_bucket{le="2.5"} 3
argo_workflows_read_bucket{le="+Inf"} 3
argo_workflows_read_sum 6
argo_workflows_read_count 3
# HELP argo_workflows_runs all runs
# TYPE argo_workflows_runs counter
argo_workflows_runs{status="Failed"} 1
argo_workflows_runs{status="Succeeded"} 2
"""
    assert kist.json("metrics")[1] == {"name": "argo_workflows_ended", "kind": "counter", "help": "how many ended so",
                                       "labels": {"status": "Failed"}, "value": 1.0}
    with Served(kist) as served:
        request = urllib.request.Request(served.address + "/metrics", headers={"Authorization": f"Bearer {served.token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            assert answer.read().decode() == kist("metrics").stdout
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")

    kist.write("w.yaml", METRICS.replace("all runs", "other words"))
    told = kist("run", "w.yaml").stderr
    assert "metric 'argo_workflows_runs': its help is already set to all runs, it cannot be changed" in told


def test_a_process_is_held_until_somebody_lets_it_go_on(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    container:
      image: alpine
      command: [sh, -c, "echo ran; echo made > /tmp/made"]
      env: [{name: ARGO_DEBUG_PAUSE_BEFORE, value: "true"}, {name: ARGO_DEBUG_PAUSE_AFTER, value: "true"}]
"""))
    assert "is not held; `kist run --pause` does it" in kist("run", "w.yaml").stderr
    kist("run", "-d", "w.yaml", "--name", "r", "--pause")

    def told(when):
        lines = [line for line in kist("logs", "r", code=None).stdout.splitlines() if f"held {when}" in line]
        return re.search(r"`touch (\S+)` lets it go on; its root is (\S+)$", lines[0]) if lines else None

    wait_until(lambda: told("before it begins"))
    assert "ran" not in kist("logs", "r").stdout
    pathlib.Path(told("before it begins")[1]).touch()
    wait_until(lambda: told("after it has ended"))
    assert pathlib.Path(told("after it has ended")[2], "tmp/made").read_text() == "made\n"
    pathlib.Path(told("after it has ended")[1]).touch()
    wait_until(lambda: kist.json("show", "r")["status"] == "succeeded")


def test_references_in_an_expression_are_filled_before_it_is_read(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    inputs: {parameters: [{name: again, value: "true"}]}
    steps:
    - - name: flaky
        template: flaky
        arguments: {parameters: [{name: again, value: "{{inputs.parameters.again}}"}]}
        hooks:
          told:
            template: say
            expression: "steps['flaky'].status == 'Failed' && '{{inputs.parameters.again}}' == 'true'"
        continueOn: {failed: true}
    - - name: made
        template: make
    outputs:
      parameters:
      - name: which
        valueFrom: {expression: "'{{inputs.parameters.again}}' == 'true' ? 'yes' : 'no'"}
      artifacts:
      - name: chosen
        fromExpression: "'{{inputs.parameters.again}}' == 'true' ? steps.made.outputs.artifacts.a : steps.made.outputs.artifacts.b"
  - name: flaky
    inputs: {parameters: [{name: again}]}
    retryStrategy: {limit: 2, expression: "asInt(lastRetry.exitCode) > 1 && {{inputs.parameters.again}} == true"}
    container: {image: alpine, command: [sh, -c, "exit 3"]}
  - name: say
    container: {image: alpine, command: [echo, told]}
  - name: make
    container: {image: alpine, command: [sh, -c, "echo a > /tmp/a; echo b > /tmp/b"]}
    outputs: {artifacts: [{name: a, path: /tmp/a}, {name: b, path: /tmp/b}]}
"""))
    kist("run", "w.yaml", "--name", "r")
    seen = phases(kist, "r")
    assert seen["flaky"] == ("failed", "No more retries left") and {"flaky(0)", "flaky(1)", "flaky(2)"} <= seen.keys()
    assert seen["flaky.hooks.told"][0] == "succeeded"
    entry = kist.json("show", "r")["nodes"][0]
    assert entry["output_parameters"] == [{"name": "which", "value": "yes"}]
    assert entry["output_artifacts"][0]["producer"]["artifact"] == "a"


def test_a_semaphore_of_a_database_has_its_limit_from_a_config_map(kist):
    template = workflow("""\
  - name: main
    synchronization: {semaphores: [{database: {key: workflow}}]}
    container: {image: alpine, command: ["true"]}
""")
    kist.write("w.yaml", template)
    assert "'workflow' lies in a database of Argo: it is taken to be 1" in kist("run", "w.yaml").stderr
    kist.write("limited.yaml", template + """---
apiVersion: v1
kind: ConfigMap
metadata: {name: sync-limit}
data: {workflow: "0"}
""")
    assert "taken to be" not in kist("run", "limited.yaml", "-d", "--name", "none").stderr
    wait_until(lambda: "default/Database/workflow" in kist("show", "none").stdout)
    kist("stop", "-y", "none")


def test_what_an_image_starts_goes_before_options(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    steps:
    - - {name: python, template: python}
      - {name: bash, template: bash}
      - {name: script, template: script}
  - name: python
    container: {image: "python:alpine3.6", args: [-c, "print('from python')"]}
  - name: bash
    container: {image: "bash:5", args: [-c, "echo from bash"]}
  - name: script
    script: {image: "python:alpine3.6", source: "print('from a script')"}
"""))
    kist("run", "w.yaml", "--name", "r")
    said = kist("logs", "r").stdout
    assert all(line in said for line in ("from python\n", "from bash\n", "from a script\n")), said


def test_a_program_is_told_what_its_container_asks_for(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    inputs: {parameters: [{name: mem, value: 1.5Gi}]}
    volumes:
    - name: about
      downwardAPI:
        items:
        - {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}
        - {path: where, fieldRef: {fieldPath: metadata.namespace}}
    container:
      image: busybox
      command: [sh, -c, "echo $CPU $MEM $MIB $ALL; cat /about/cpu; echo; cat /about/where"]
      resources: {limits: {cpu: 1500m, memory: "{{inputs.parameters.mem}}"}}
      volumeMounts: [{name: about, mountPath: /about}]
      env:
      - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
      - {name: MEM, valueFrom: {resourceFieldRef: {resource: requests.memory}}}
      - {name: MIB, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
      - {name: ALL, valueFrom: {resourceFieldRef: {containerName: other, resource: limits.cpu}}}
    sidecars:
    - {name: other, image: busybox, command: [sleep, "60"]}
"""))
    out = kist("run", "w.yaml", "--name", "r").stdout
    assert [line.removeprefix("r: ") for line in out.splitlines()] == [
        f"2 1610612736 1536 {len(os.sched_getaffinity(0))}", "1500", "default"]
    assert "'many' is no quantity" in kist("run", "w.yaml", "-p", "mem=many", code=1).stderr


def test_artifacts_of_steps_that_fail_are_dropped_where_that_is_asked_for(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    container: {image: alpine, command: [sh, -c, "echo made > /tmp/made; echo 7 > /tmp/p; exit $CODE"]}
    outputs:
      parameters: [{name: p, valueFrom: {path: /tmp/p}}]
      artifacts: [{name: made, path: /tmp/made}]
"""))

    def made(run, ends, *options):
        kist("run", "w.yaml", "--name", run, "-e", f"CODE={ends}", *options, code=ends)
        node = kist.json("show", run)["nodes"][0]
        assert node["output_parameters"][0]["value"] == "7"
        return [artifact["name"] for artifact in node.get("output_artifacts", [])]

    assert made("a", 1) == ["made"] == made("b", 1, "--failed-artifacts", "keep")
    assert made("c", 1, "--failed-artifacts", "drop") == []
    assert made("d", 0, "--failed-artifacts", "drop") == ["made"]
    said = kist("run", "w.yaml", "--failed-artifacts", "no", code=2).stderr
    assert "--failed-artifacts must be 'keep' or 'drop', not 'no'" in said


def test_what_a_loop_printed_makes_a_list_or_is_the_error_of_its_steps(kist):
    kist.write("w.yaml", workflow("""\
  - name: main
    steps:
    - - {name: say, template: say, withItems: [a, b]}
    - - {name: use, template: say, when: "{{steps.say.outputs.result}} != x"}
  - {name: say, script: {image: alpine, command: [sh], source: echo plain}}
"""))
    kist("run", "w.yaml", "--name", "r", code=1)
    phase, message = phases(kist, "r")["r"]
    assert phase == "error" and message.startswith("the result of 'say(0:a)' is not JSON")
    assert "use" not in phases(kist, "r")
