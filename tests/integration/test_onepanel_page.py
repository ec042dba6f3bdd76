"""Every statement of Onepanel's page on artifacts, its examples as they stand there. Servers that they name are real ones
of the same sort on this machine, put in their place by `endpoints` in the home's settings."""
import gzip
import io
import os
import re
import subprocess
import tarfile

import pytest

HEAD = """\
entrypoint: main
arguments:
  # Workflow parameters which will be set by user via Web UI, SDK or API
  parameters:
  - name: model-path
    value: my-data/output
templates:
- name: main
  dag:
    tasks:
    - name: input-output
      template: input-output
- name: input-output
  container:
    args:
    - |
      printenv \\
      && ls /tmp/input \\
        && mkdir -p /tmp/output \\
        && echo "hello" > /tmp/output/message.txt \\
        && sleep 15
    command:
    - bash
    - -c
    image: bash
  inputs:
    artifacts:
    # Download files from S3 prefix random/input into local folder /tmp/input/
    # # This downloads from the default S3 artifact repository for this namespace
    - name: input
      path: /tmp/input/
      s3:
        key: my-data/input
  outputs:
    artifacts:
    # Upload files from local /tmp/output folder to default object storage location that is configured for this namespace
    # This is set to artifacts/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}} by default
    - name: output-one
      path: /tmp/output
    # Upload files from local /tmp/output folder to S3 prefix my-data/output
    # This uploads to the default S3 artifact repository for this namespace
    - name: output-two
      path: /tmp/output
      s3:
        # Reference to the Workflow parameter that was set by user
        key: '{{workflow.parameters.model-path}}'
"""
OUTPUT_THREE = """\
    # Upload files from local /tmp/output folder to the S3 prefix my-data/output in bucket defined below
    - name: output-three
      path: /tmp/output
      s3:
        key: '{{workflow.parameters.model-path}}'
        endpoint: storage.googleapis.com
        bucket: my-data-bucket
        accessKeySecret:
          name: my-s3-credentials
          key: accessKey
        secretKeySecret:
          name: my-s3-credentials
          key: secretKey
"""
GIT = """\
    - git:
        repo: https://github.com/onepanelio/Mask_RCNN.git
        revision: "no-boto"
      name: src
      path: /mnt/src
"""
PRIVATE_GIT = """\
    - git:
        repo: https://github.com/onepanelio/Mask_RCNN.git
        revision: "no-boto"
        usernameSecret:
            name: onepanel-default-env
            key: GITHUB_USERNAME
        passwordSecret:
            name: onepanel-default-env
            key: GITHUB_PASSWORD
      name: src
      path: /mnt/src
"""
HTTP = """\
  # Download latest opctl and place it at /bin/opctl
  - name: opctl
    path: /bin/opctl
    mode: 0755
    http:
      url: https://github.com/onepanelio/core/releases/latest/download/opctl-linux-amd64
"""
PASSING = """\
entrypoint: artifact-example
templates:
  - name: artifact-example
    dag:
      tasks:
        - name: generate-artifact
          template: whalesay
        - name: consume-artifact
          dependencies: [generate-artifact]
          template: print-message
          arguments:
            artifacts:
            - name: message
              from: "{{tasks.generate-artifact.outputs.artifacts.hello-art}}"
  - name: whalesay
    container:
      image: docker/whalesay:latest
      command: [sh, -c]
      args: ["sleep 1; cowsay hello world | tee /tmp/hello_world.txt"]
    outputs:
      artifacts:
      - name: hello-art
        path: /tmp/hello_world.txt
  - name: print-message
    inputs:
      artifacts:
      - name: message
        path: /tmp/message
    container:
      image: alpine:latest
      command: [sh, -c]
      args: ["cat /tmp/message"]
"""


def inputs(artifacts, command):
    """A workflow of one task with these inputs."""
    return ("entrypoint: main\ntemplates:\n- name: main\n  container:\n    image: bash\n    command: [bash, -c]\n"
            f"    args: [\"{command}\"]\n  inputs:\n    artifacts:\n{artifacts}")


def quick(text):
    """Nobody sees how long it sleeps."""
    return text.replace(" \\\n        && sleep 15", "")


def secret(kist, name, key, value):
    kist.environment["SECRET_VALUE"] = value
    kist("secrets", "add", name, key, "--from-env", "SECRET_VALUE")
    del kist.environment["SECRET_VALUE"]


def map_endpoint(kist, host, url):
    kist.home.mkdir(exist_ok=True)
    (kist.home / "settings.yaml").write_text(f"endpoints:\n  {host}: {url}\n")


@pytest.fixture
def input_there(kist):
    kist.write("data/words.txt", "words\n")
    kist("put", "my-data/input", "data")
    return kist


@pytest.fixture
def storage(input_there, s3_server):
    """A server in the place of the one that output-three names, with its bucket and its credentials."""
    map_endpoint(input_there, "storage.googleapis.com", s3_server.endpoint)
    s3_server.request("PUT", "/my-data-bucket")
    secret(input_there, "my-s3-credentials", "accessKey", s3_server.access_key)
    secret(input_there, "my-s3-credentials", "secretKey", s3_server.secret_key)
    return s3_server


def under_keys(kist):
    return {key["name"]: key for key in kist.json("keys")}


def test_the_s3_example_runs_as_it_stands(input_there, storage):
    kist = input_there
    kist.write("w.yaml", HEAD + OUTPUT_THREE)
    done = kist("run", "w.yaml", "--name", "r")
    assert "words.txt" in done.stdout
    for output in ("output-one", "output-two", "output-three"):
        assert kist("cat", "r", f"{output}/message.txt").stdout == "hello\n"
    assert storage.keys("my-data-bucket", "my-data/output") == ["my-data/output/message.txt"]
    assert storage.request("GET", "/my-data-bucket/my-data/output/message.txt") == (200, b"hello\n")
    for line in done.stdout.splitlines():
        assert storage.secret_key not in line


def test_the_s3_example_needs_no_server_without_its_third_output(input_there):
    kist = input_there
    kist.write("w.yaml", quick(HEAD))
    kist("run", "w.yaml", "--name", "r")
    keys = under_keys(kist)
    assert keys["my-data/output"]["run"] == "r"
    # What was uploaded is what a later workflow downloads.
    kist.write("later.yaml", inputs("    - {name: x, path: /tmp/x/, s3: {key: my-data/output}}\n", "cat /tmp/x/message.txt"))
    assert kist("run", "later.yaml").stdout.endswith("hello\n")


def test_workflow_parameters_are_set_by_the_user(input_there, storage):
    kist = input_there
    kist.write("w.yaml", quick(HEAD) + OUTPUT_THREE)
    kist("run", "w.yaml", "-p", "model-path=elsewhere/model")
    assert "elsewhere/model" in under_keys(kist) and "my-data/output" not in under_keys(kist)
    assert storage.keys("my-data-bucket", "elsewhere") == ["elsewhere/model/message.txt"]


def test_a_missing_input_or_credential_is_named(kist, s3_server):
    kist.write("w.yaml", quick(HEAD))
    assert "my-data/input" in kist("run", "w.yaml", code=1).stderr
    kist.write("data/words.txt", "words\n")
    kist("put", "my-data/input", "data")
    map_endpoint(kist, "storage.googleapis.com", s3_server.endpoint)
    kist.write("w.yaml", quick(HEAD) + OUTPUT_THREE)
    done = kist("run", "w.yaml", "--name", "r", code=1)
    assert "my-s3-credentials" in done.stderr
    assert kist("cat", "r", "output-one/message.txt").stdout == "hello\n"  # nothing that was made is lost


def make_repository(git_server, below):
    """onepanelio/Mask_RCNN.git with a branch, as a server has it."""
    path = os.path.join(git_server["path"], below, "onepanelio/Mask_RCNN.git")
    if os.path.exists(path):
        return
    work = path + ".work"
    subprocess.run(["bash", "-euc", f"""
        git init -q -b master {work}; cd {work}
        git config user.name t; git config user.email t@t
        echo master > README; git add .; git commit -qm one
        git checkout -q -b no-boto; echo no-boto > README; git commit -qam two; git checkout -q master
        git clone -q --bare {work} {path}; rm -rf {work}"""], check=True)


def test_a_git_repository_is_an_input(kist, git_server):
    make_repository(git_server, "")
    map_endpoint(kist, "github.com", git_server["url"])
    kist.write("w.yaml", inputs(GIT, "cat /mnt/src/README"))
    assert kist("run", "w.yaml").stdout.endswith("no-boto\n")


def test_a_private_repository_is_read_with_the_default_environments_secrets(kist, git_server):
    make_repository(git_server, "private")
    map_endpoint(kist, "github.com", git_server["url"] + "/private")
    kist.write("w.yaml", inputs(PRIVATE_GIT, "cat /mnt/src/README; printenv GITHUB_USERNAME GITHUB_PASSWORD"))
    assert "onepanel-default-env" in kist("run", "w.yaml", code=1).stderr
    secret(kist, "onepanel-default-env", "GITHUB_USERNAME", git_server["user"])
    secret(kist, "onepanel-default-env", "GITHUB_PASSWORD", git_server["password"])
    done = kist("run", "w.yaml", "--name", "r")
    assert "no-boto" in done.stdout  # and the tasks have both as variables, hidden in what they print
    assert git_server["password"] not in done.stdout + done.stderr + kist("logs", "r").stdout
    assert "***" in done.stdout


def test_a_file_of_a_web_server_is_placed_in_bin_and_runs(kist, web_server):
    path = os.path.join(web_server["path"], "onepanelio/core/releases/latest/download")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "opctl-linux-amd64"), "w") as file:
        file.write("#!/bin/sh\necho opctl ran\n")
    map_endpoint(kist, "github.com", web_server["url"])
    kist.write("w.yaml", inputs(HTTP.replace("  ", "    ", 1).replace("\n  ", "\n    "), "opctl; stat -c %a /bin/opctl"))
    lines = [re.sub(r"^.*?: ", "", line) for line in kist("run", "w.yaml").stdout.splitlines()]
    assert lines[-2:] == ["opctl ran", "755"]
    assert not os.path.exists("/bin/opctl")


def test_a_written_archive_is_obeyed_and_read_again(input_there, storage):
    kist = input_there
    kist.write("w.yaml", quick(HEAD) + OUTPUT_THREE + "      archive:\n        tar: {}\n")
    kist("run", "w.yaml", "--name", "r", "-p", "model-path=packed/output")
    status, body = storage.request("GET", "/my-data-bucket/packed/output")
    assert status == 200
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body))) as tar:
        assert "output/message.txt" in tar.getnames()
    read = OUTPUT_THREE.replace("output-three", "x").replace("/tmp/output\n", "/tmp/x\n")
    kist.write("later.yaml", inputs(read, "cat /tmp/x/message.txt"))
    assert kist("run", "later.yaml", code=2).stderr  # the parameter is not there
    kist.write("later.yaml", inputs(read, "cat /tmp/x/message.txt").replace("{{workflow.parameters.model-path}}",
                                                                             "packed/output"))
    assert kist("run", "later.yaml").stdout.endswith("hello\n")


def test_an_optional_input_that_is_not_there_is_no_error(kist):
    optional = HEAD.replace("      path: /tmp/input/\n", "      path: /tmp/input/\n      optional: true # Don't throw an "
                            "error if the file doesn't exist in the S3 location\n").replace("&& ls /tmp/input", "&& true")
    kist.write("w.yaml", quick(optional))
    kist("run", "w.yaml", "--name", "r")
    assert kist("cat", "r", "output-one/message.txt").stdout == "hello\n"


def test_an_optional_output_that_is_not_there_is_no_error(input_there):
    kist = input_there
    kist.write("w.yaml", quick(HEAD) + "    - name: nothing\n      path: /tmp/nothing\n      optional: true\n")
    kist("run", "w.yaml", "--name", "r")
    assert {entry["path"].split("/")[0] for entry in kist.json("ls", "-r", "r")} == {"output-one", "output-two"}
    kist.write("w.yaml", quick(HEAD) + "    - name: nothing\n      path: /tmp/nothing\n")
    assert "nothing" in kist("run", "w.yaml", code=1).stderr


def test_artifacts_pass_between_tasks(kist):
    kist.write("w.yaml", PASSING)
    done = kist("run", "w.yaml", "--name", "r")
    assert done.stdout.count("hello world") == 2
    assert "hello world" in kist("cat", "r", "hello-art").stdout


def test_the_default_location_is_the_key_that_the_page_says(input_there):
    kist = input_there
    kist.write("w.yaml", quick(HEAD))
    kist("run", "w.yaml", "--name", "r")
    (pod,) = [node["host"] for node in kist.json("show", "r")["nodes"] if node["display"] == "input-output"]
    key = f"artifacts/default/r/{pod}/output"
    assert under_keys(kist)[key]["run"] == "r"
    kist.write("later.yaml", inputs(f"    - {{name: x, path: /tmp/x/, s3: {{key: {key}}}}}\n", "cat /tmp/x/message.txt"))
    assert kist("run", "later.yaml").stdout.endswith("hello\n")


def test_what_a_repository_of_the_files_is_configured_for_goes_there(kist, s3_server):
    s3_server.request("PUT", "/my-repository")
    secret(kist, "my-s3-credentials", "accessKey", s3_server.access_key)
    secret(kist, "my-s3-credentials", "secretKey", s3_server.secret_key)
    endpoint = s3_server.endpoint.removeprefix("http://")
    kist.write("w.yaml", f"""\
        apiVersion: v1
        kind: ConfigMap
        metadata: {{name: onepanel}}
        data:
          artifactRepository: |
            archiveLogs: true
            s3:
              bucket: my-repository
              endpoint: {endpoint}
              insecure: true
              keyFormat: "artifacts/{{{{workflow.namespace}}}}/{{{{workflow.name}}}}/{{{{pod.name}}}}"
              accessKeySecret: {{name: my-s3-credentials, key: accessKey}}
              secretKeySecret: {{name: my-s3-credentials, key: secretKey}}
        ---
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {{generateName: t-}}
        spec:
          entrypoint: main
          artifactRepositoryRef: {{configMap: onepanel, key: artifactRepository}}
          templates:
          - name: main
            container: {{image: alpine, command: [sh, -c], args: ["echo hello | tee /tmp/out"]}}
            outputs: {{artifacts: [{{name: out, path: /tmp/out}}, {{name: plain, path: /tmp/out, archive: {{none: {{}}}}}}]}}
        """)
    kist("run", "w.yaml", "--name", "r")
    assert sorted(s3_server.keys("my-repository")) == [f"artifacts/default/r/r/{file}" for file in ("main.log", "out", "out.tgz")]
