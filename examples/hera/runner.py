"""Runner scripts: two outputs as a tuple, two inputs. Without a loader an input is its path, with `ArtifactLoader.file` it
is its text. `kist run runner.py`"""

from pathlib import Path
from typing import Annotated, Tuple

from hera.workflows import DAG, Artifact, ArtifactLoader, Parameter, Workflow, script


@script(constructor="runner", image="my-image:v1")
def measure(
    width: int, height: int = 3
) -> Tuple[Annotated[str, Artifact(name="summary")], Annotated[dict, Artifact(name="details")]]:
    return f"{width} by {height}", {"area": width * height, "edges": [width, height]}


@script(constructor="runner", image="my-image:v1")
def report(
    title: Annotated[str, Parameter(name="title")],
    summary: Annotated[str, Artifact(name="summary", loader=ArtifactLoader.file)],
    details: Annotated[Path, Artifact(name="details")],
):
    print(f"{title}: {summary}, {details} holds {details.read_text()}")


with Workflow(generate_name="runner-", entrypoint="dag") as workflow:
    with DAG(name="dag"):
        measured = measure(arguments={"width": 4})
        reported = report(
            arguments={
                "title": "a field",
                "summary": measured.get_artifact("summary"),
                "details": measured.get_artifact("details"),
            }
        )
        measured >> reported

if __name__ == "__main__":
    print(workflow.to_yaml(), end="")
