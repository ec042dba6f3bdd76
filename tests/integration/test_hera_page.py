"""Every statement of Hera's page on artifacts, with real Hera, as `kist run FILE.py` runs it."""
import json
import re
import sys

import pytest

IMPORTS = """\
from pathlib import Path
from typing import Annotated, Tuple

from hera.workflows import (DAG, Artifact, ArtifactLoader, NoneArchiveStrategy, Parameter, Step, Steps, Task, Workflow,
                            script)
from hera.workflows.io import Input, Output

"""

ONE = """\
@script(constructor="runner", image="my-image:v1")
def produce() -> Annotated[str, Artifact(name="hello-art")]:
    return "Hello world!"

"""

TWO = """\
@script(constructor="runner", image="my-image:v1")
def produce() -> Tuple[
    Annotated[str, Artifact(name="hello-art")],
    Annotated[str, Artifact(name="goodbye-art")],
]:
    return "Hello world!", "Goodbye world!"

"""

WRITER = """\
@script(outputs=Artifact(name="out-art", path="/tmp/file", archive=NoneArchiveStrategy()))
def writer():
    with open("/tmp/file", "w+") as f:
        f.write("Hello, world!")

"""

CONSUMER = """\
@script(inputs=Artifact(name="in-art", path="/tmp/file"))
def consumer():
    with open("/tmp/file", "r") as f:
        print(f.readlines())  # prints `Hello, world!` to `stdout`

"""

BASIC = WRITER + CONSUMER + """
with Workflow(generate_name="artifact-", entrypoint="steps") as w:
    with Steps(name="steps"):
        w_ = writer()
        c = consumer(arguments={"in-art": w_.get_artifact("out-art")})
"""


def steps(*calls):
    return "with Workflow(generate_name='w-', entrypoint='steps') as w:\n    with Steps(name='steps'):\n" + \
        "".join(f"        {call}\n" for call in calls)


@pytest.fixture
def page(kist):
    """Runs a module as `page.py` and gives the lines that its steps printed."""
    kist.environment["VIRTUAL_ENV"] = sys.prefix

    def run(*parts, name="r"):
        (kist.project / "page.py").write_text(IMPORTS + "".join(parts))
        done = kist("run", "page.py", "--name", name)
        return [line.split(": ", 1)[1] for line in done.stdout.splitlines()]
    run.kist = kist
    return run


def test_artifacts_may_be_binary_files(page):
    assert page("""\
@script(outputs=Artifact(name="bytes", path="/tmp/bytes"))
def write():
    with open("/tmp/bytes", "wb") as f:
        f.write(bytes(range(256)) * 4096)

@script(inputs=Artifact(name="bytes", path="/data/in"))
def read():
    content = open("/data/in", "rb").read()
    print(len(content), content == bytes(range(256)) * 4096)

""", steps("b = write()", "read(arguments={'bytes': b.get_artifact('bytes')})")) == ["1048576 True"]
    assert {entry["path"]: entry["size"] for entry in page.kist.json("ls", "-r", "r")} == {"bytes": 1 << 20}


def test_no_artifact_repository_has_to_be_configured(page):
    for name in [name for name in page.kist.environment if name.startswith(("AWS_", "S3_"))]:
        del page.kist.environment[name]
    assert page(BASIC) == ["['Hello, world!']"]


def test_for_runner_scripts_a_parameter_differs_from_an_artifact_by_its_annotation_only(page):
    def function(annotation):
        return f"""\
@script(constructor="runner", image="my-image:v1")
def make() -> Annotated[str, {annotation}(name="x")]:
    return "the same"

@script(constructor="runner", image="my-image:v1")
def show(x: Annotated[str, {annotation}(name="x"{', loader=ArtifactLoader.file' if annotation == 'Artifact' else ''})]):
    print(x)

"""
    assert page(function("Artifact"), steps("m = make()", "show(arguments={'x': m.get_artifact('x')})")) == ["the same"]
    assert page(function("Parameter"), steps("m = make()", "show(arguments={'x': m.get_parameter('x')})"),
                name="again") == ["the same"]


def test_runner_output_is_the_annotated_return_value(page):
    assert page(ONE, steps("produce()")) == []
    assert page.kist("cat", "r", "hello-art").stdout == "Hello world!"


def test_multiple_runner_outputs_are_a_tuple(page):
    page(TWO, steps("produce()"))
    assert page.kist("cat", "r", "hello-art").stdout == "Hello world!"
    assert page.kist("cat", "r", "goodbye-art").stdout == "Goodbye world!"


def test_runner_io_names_many_outputs(page):
    page("""\
class Outputs(Output):
    hello: Annotated[str, Artifact(name="hello-art")]
    numbers: Annotated[dict, Artifact(name="numbers")]

@script(constructor="runner", image="my-image:v1")
def produce() -> Outputs:
    return Outputs(hello="Hello world!", numbers={"one": 1})

""", steps("produce()"))
    assert page.kist("cat", "r", "hello-art").stdout == "Hello world!"
    assert json.loads(page.kist("cat", "r", "numbers").stdout) == {"one": 1}


def test_runner_input_is_an_annotated_argument(page):
    # as the page has it, without a loader: the function is given the path
    whalesay = """\
@script(constructor="runner", image="my-image:v1")
def whalesay(message: Annotated[str, Artifact(name="hello-art")]):
    print(message, Path(message).read_text())

"""
    assert page(ONE, whalesay, steps("p = produce()", "whalesay(arguments={'hello-art': p.get_artifact('hello-art')})")) \
        == ["/tmp/hera-inputs/artifacts/hello-art Hello world!"]


def test_the_name_of_a_runner_input_is_optional(page):
    whalesay = """\
@script(constructor="runner", image="my-image:v1")
def whalesay(message: Annotated[str, Artifact(loader=ArtifactLoader.file)]):
    print(message)

"""
    assert page(ONE, whalesay, steps(
        "p = produce()", "whalesay(arguments={'message': p.get_artifact('hello-art')})")) == ["Hello world!"]


def test_multiple_runner_inputs_are_multiple_arguments(page):
    whalesay = """\
@script(constructor="runner", image="my-image:v1")
def whalesay(
    message_1: Annotated[str, Artifact(name="hello-art")],
    message_2: Annotated[str, Artifact(name="hello-art-2")],
):
    print(Path(message_1).read_text(), Path(message_2).read_text())

"""
    assert page(TWO, whalesay, steps(
        "p = produce()", "whalesay(arguments={'hello-art': p.get_artifact('hello-art'), "
        "'hello-art-2': p.get_artifact('goodbye-art')})")) == ["Hello world! Goodbye world!"]


def test_the_basic_artifacts_example_for_inline_scripts(page):
    assert page(BASIC) == ["['Hello, world!']"]


def test_an_inline_output_is_exported_from_the_path_in_the_decorator(page):
    page(WRITER, steps("writer()"))
    assert page.kist("cat", "r", "out-art").stdout == "Hello, world!"


def test_without_an_archive_strategy_none_an_output_is_downloaded_as_argo_would_pack_it(page):
    page(WRITER, WRITER.replace("writer", "packer").replace("out-art", "packed").replace(
        ", archive=NoneArchiveStrategy()", ""), steps("writer()", "packer()"))
    page.kist("artifacts", "download", "--packed", "r", "out")
    assert {path.name for path in (page.kist.project / "out").iterdir()} == {"out-art", "packed.tgz"}


def test_an_input_is_mounted_to_the_specified_path(page):
    consumer = CONSUMER.replace("/tmp/file", "/srv/whatever/place")
    assert page(WRITER, consumer, steps(
        "w_ = writer()", "consumer(arguments={'in-art': w_.get_artifact('out-art')})")) == ["['Hello, world!']"]


@pytest.mark.parametrize("kind", ["Steps", "Tasks"])
def test_get_artifact_exists_for_steps_and_tasks(page, kind):
    calls = ["w_ = writer()", "c = consumer(arguments={'in-art': w_.get_artifact('out-art')})"]
    workflow = steps(*calls) if kind == "Steps" else steps(*calls, "w_ >> c").replace("Steps(", "DAG(")
    assert page(WRITER, CONSUMER, workflow) == ["['Hello, world!']"]


YAML = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: artifact-
spec:
  entrypoint: steps
  templates:
  - name: steps
    steps:
    - - name: writer
        template: writer
    - - name: consumer
        template: consumer
        arguments:
          artifacts:
          - name: in-art
            from: '{{steps.writer.outputs.artifacts.out-art}}'
  - name: writer
    outputs:
      artifacts:
      - name: out-art
        path: /tmp/file
        archive:
          none: {}
    script:
      image: python:3.9
      source: |-
        import os
        import sys
        sys.path.append(os.getcwd())
        with open('/tmp/file', 'w+') as f:
            f.write('Hello, world!')
      command:
      - python
  - name: consumer
    inputs:
      artifacts:
      - name: in-art
        path: /tmp/file
    script:
      image: python:3.9
      source: |-
        import os
        import sys
        sys.path.append(os.getcwd())
        with open('/tmp/file', 'r') as f:
            print(f.readlines())
      command:
      - python
"""


def test_the_module_and_the_yaml_beside_it_are_the_same_workflow(page):
    page.kist.write("page.yaml", YAML)
    (page.kist.project / "page.py").write_text(IMPORTS + BASIC)

    def without_places(value):
        if isinstance(value, dict):
            return {key: without_places(item) for key, item in value.items() if key not in ("line", "column", "origin")}
        return [without_places(item) for item in value] if isinstance(value, list) else value

    def model(file):
        shown = page.kist("lint", "--show-model", file).stdout
        return without_places(json.loads(re.sub(r"python:3\.\d+", "python", shown)))
    assert model("page.py") == model("page.yaml")


def test_logs_are_those_of_the_page(page):
    page(BASIC, name="artifact-bghf5")
    assert "artifact-bghf5-consumer-1167317153: ['Hello, world!']" in page.kist("logs", "artifact-bghf5").stdout
    assert "artifact-bghf5-writer-3091035417" in {
        node.get("host") for node in page.kist.json("show", "artifact-bghf5")["nodes"]}
