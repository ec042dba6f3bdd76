"""Argo's hdfs artifacts, against Hadoop itself; and what is said of those that want Kerberos."""
import urllib.error
import urllib.request

SENT = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hdfs-}
spec:
  entrypoint: main
  artifactGC: {strategy: OnWorkflowDeletion}
  templates:
    - name: main
      steps:
        - - {name: make, template: make}
        - - name: show
            template: show
            arguments: {artifacts: [{name: message, from: "{{steps.make.outputs.artifacts.message}}"}]}
          - {name: again, template: show}
    - name: make
      archiveLocation: {hdfs: {addresses: ["names.example:8020"], hdfsUser: tester, path: /open/argo/kept}}
      container: {image: alpine, command: [sh, -c], args: ["mkdir /tmp/out && echo from afar > /tmp/out/message"]}
      outputs:
        artifacts:
          - name: message
            path: /tmp/out/message
            archive: {none: {}}
            hdfs: {addresses: ["names.example:8020"], hdfsUser: tester, path: /open/argo/message, force: true}
          - name: all
            path: /tmp/out
            hdfs: {addresses: ["names.example:8020"], hdfsUser: tester, path: /open/argo/all.tgz, force: true}
          - {name: plain, path: /tmp/out}
    - name: show
      inputs:
        artifacts:
          - name: message
            path: /tmp/message
            hdfs: {addresses: ["names.example:8020"], hdfsUser: tester, path: /open/argo/message}
      container: {image: alpine, command: [cat, /tmp/message]}
"""


def there(server, path):
    """A file's bytes, or None."""
    try:
        return urllib.request.urlopen(f"{server['url']}/webhdfs/v1{path}?op=OPEN&user.name=tester").read()
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        return None


def test_artifacts_go_to_hadoop_and_come_back(kist, hdfs_server):
    kist.home.mkdir(exist_ok=True)
    (kist.home / "settings.yaml").write_text(f"endpoints:\n  names.example:8020: {hdfs_server['url']}\n")
    kist.write("w.yaml", SENT)
    done = kist("run", "w.yaml", "--name", "r")
    assert done.stdout.count("from afar") == 2
    assert there(hdfs_server, "/open/argo/message") == b"from afar\n"
    for archive in ("/open/argo/all.tgz", "/open/argo/kept/plain.tgz"):
        assert there(hdfs_server, archive)[:2] == b"\x1f\x8b"
    kist("rm", "-y", "r")
    assert there(hdfs_server, "/open/argo/message") is None
    assert there(hdfs_server, "/open/argo/all.tgz") is None


def test_kerberos_is_named_before_anything_runs(kist):
    kist.write("w.yaml", SENT.replace("hdfsUser: tester", "krbKeytabSecret: {name: krb, key: user.keytab}", 1))
    done = kist("run", "w.yaml", code=2)
    assert "w.yaml:16" in done.stderr and "not supported yet: Kerberos, 'krbKeytabSecret'" in done.stderr
    kist.write("w.yaml", SENT.replace("hdfsUser: tester, ", ""))
    assert "hdfsUser is required" in kist("lint", "w.yaml", code=2).stderr
