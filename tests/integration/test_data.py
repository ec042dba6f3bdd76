"""Templates that list what lies in a bucket, or ask a server."""
import pytest

LIST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: data-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: list, template: list}
    - - name: look
        template: look
        withParam: "{{steps.list.outputs.result}}"
        arguments:
          parameters: [{name: key, value: "{{item}}"}]
          artifacts: [{name: file, s3: {key: "{{item}}"}}]
  - name: list
    data:
      source: {artifactPaths: {name: all, s3: PLACE}}
      transformation: [{expression: "filter(data, {# endsWith '.log'})"}]
  - name: look
    inputs: {parameters: [{name: key}], artifacts: [{name: file, path: /file}]}
    script: {image: busybox, command: [sh], source: "echo said {{inputs.parameters.key}} $(cat /file)"}
"""
REPOSITORY = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: artifact-repositories
  annotations: {workflows.argoproj.io/default-artifact-repository: main}
data:
  main: |
    s3:
      bucket: BUCKET
      endpoint: minio:9000
      insecure: true
      accessKeySecret: {name: cred, key: access}
      secretKeySecret: {name: cred, key: secret}
"""


def said(text):
    return sorted(line.split("said ", 1)[1] for line in text.splitlines() if "said " in line)


@pytest.mark.parametrize("place, expected", [
    ("{}", ["a.log one", "b/c.log two"]),
    ("{bucket: BUCKET}", ["a.log one", "b/c.log two"]),
    ("{key: b/}", ["b/c.log two"]),
    ("{bucket: BUCKET, endpoint: 'minio:9000', insecure: true, accessKeySecret: {name: cred, key: access}, "
     "secretKeySecret: {name: cred, key: secret}}", ["a.log one", "b/c.log two"])])
def test_without_a_key_the_whole_bucket_is_listed(kist, s3_server, place, expected):
    bucket = s3_server.bucket()
    for key, content in (("a.log", b"one"), ("b/c.log", b"two"), ("b/d.txt", b"three")):
        s3_server.request("PUT", f"/{bucket}/{key}", body=content)
    kist.home.mkdir(exist_ok=True)
    (kist.home / "settings.yaml").write_text(f'endpoints: {{"minio:9000": "{s3_server.endpoint}"}}\n')
    kist.environment.update(ACCESS=s3_server.access_key, SECRET=s3_server.secret_key)
    kist("secrets", "add", "cred", "access", "--from-env", "ACCESS")
    kist("secrets", "add", "cred", "secret", "--from-env", "SECRET")
    kist.write("w.yaml", LIST.replace("PLACE", place.replace("BUCKET", bucket)))
    kist.write("repository.yaml", REPOSITORY.replace("BUCKET", bucket))
    assert said(kist("run", "w.yaml", "repository.yaml").stdout) == expected


def test_without_a_repository_it_is_the_homes_own_that_is_listed(kist):
    kist.write("a.log", "one")
    kist("put", "logs/a.log", "a.log")
    kist.write("w.yaml", LIST.replace("PLACE", "{}"))
    assert said(kist("run", "w.yaml").stdout) == ["logs/a.log one"]


def test_expressions_over_lists_and_answers_may_hold_inputs(kist, web_server):
    for name in ("a.log", "b.txt"):
        kist.write(name, name)
        kist("put", f"logs/{name}", name)
    kist.write("w.yaml", LIST.replace("PLACE", "{key: logs}").replace("'.log'", "'{{inputs.parameters.end}}'").replace(
        "  - name: list\n", "  - name: list\n    inputs: {parameters: [{name: end, value: .txt}]}\n") + f"""\
  - name: ask
    inputs: {{parameters: [{{name: code}}]}}
    http: {{url: "{web_server["url"]}/nothing", successCondition: "response.statusCode == {{{{inputs.parameters.code}}}}"}}
""")
    assert said(kist("run", "w.yaml").stdout) == ["logs/b.txt b.txt"]
    ask = (kist.project / "w.yaml").read_text().replace("entrypoint: main", "entrypoint: ask\n  arguments: {parameters: [{name: code}]}")
    kist.write("w.yaml", ask)
    for code, message in (("404", ""), ("200", "successCondition 'response.statusCode == 200' evaluated false")):
        done = kist("run", "w.yaml", "-p", f"code={code}", "--name", f"r{code}", code=None)
        (asked,) = kist.json("show", f"r{code}")["nodes"]
        assert asked.get("message", "") == message, done
