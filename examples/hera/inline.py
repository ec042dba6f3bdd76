"""Inline scripts: a writer keeps a file, a consumer reads it. `kist run inline.py`"""

from hera.workflows import Artifact, NoneArchiveStrategy, Steps, Workflow, script


@script(outputs=Artifact(name="poem", path="/tmp/file", archive=NoneArchiveStrategy()))
def writer(lines: int):
    with open("/tmp/file", "w") as file:
        for number in range(lines):
            file.write(f"line {number + 1}\n")


@script(inputs=Artifact(name="text", path="/tmp/file"))
def consumer():
    with open("/tmp/file") as file:
        print(file.read().splitlines())


with Workflow(generate_name="inline-", entrypoint="steps") as workflow:
    with Steps(name="steps"):
        written = writer(arguments={"lines": 2})
        consumer(arguments={"text": written.get_artifact("poem")})

if __name__ == "__main__":
    print(workflow.to_yaml(), end="")
