"""What surrounds the work in Argo's files: sidecars, locks, cron workflows, metrics."""
import json

from conftest import wait_until
from test_argo import workflow


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
