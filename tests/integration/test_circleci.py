"""CircleCI's artifacts through the built program."""
import re
import shutil

import pytest

STORE_TWICE = """\
    version: 2
    jobs:
      build:
        docker:
          - image: python:3.6.0-jessie
        working_directory: /tmp
        steps:
          - run:
              name: Make two things
              command: |
                echo "a file" > /tmp/artifact-1;
                mkdir /tmp/artifacts;
                echo "a file in a directory" > /tmp/artifacts/artifact-2;
          - store_artifacts:
              path: /tmp/artifact-1
              destination: artifact-file
          - store_artifacts:
              path: /tmp/artifacts
    """


def paths(kist, run):
    return sorted(item["path"] for item in kist.json("ls", "-r", run))


def test_two_store_artifacts_twice_in_a_row(kist):
    kist.write(".circleci/config.yml", STORE_TWICE)
    for name in ("first", "second"):
        kist.run(name=name)
        assert paths(kist, name) == ["artifact-file", "tmp/artifacts/artifact-2"]
        assert kist("cat", name, "artifact-file").stdout == "a file\n"
        assert kist("cat", name, "tmp/artifacts/artifact-2").stdout == "a file in a directory\n"


def test_a_core_dump_is_an_artifact_of_the_failed_job(kist):
    if not shutil.which("gcc"):
        pytest.skip("no gcc")
    kist.write("Makefile", "all:\n\tgcc -o dump main.c\n")
    kist.write("main.c", "#include <stdlib.h>\nint main(void) { abort(); }\n")
    kist.write(".circleci/config.yml", """\
        version: 2
        jobs:
          build:
            docker:
              - image: gcc:8.1.0
            working_directory: ~/work
            steps:
              - checkout
              - run: make
              - run: |
                  ulimit -c unlimited
                  ./dump
              - run:
                  command: |
                    mkdir -p /tmp/core_dumps
                    cp core.* /tmp/core_dumps
                  when: on_fail
              - store_artifacts:
                  path: /tmp/core_dumps
        """)
    name = kist.run(code=1)
    assert kist.json("show", name)["status"] == "failed"
    (core,) = paths(kist, name)
    assert re.fullmatch(r"tmp/core_dumps/core\.\d+\.!.*!work!dump", core)
    assert not (kist.project / "dump").exists()


def test_on_fail_and_always_steps(kist):
    kist.write(".circleci/config.yml", """\
        version: 2.1
        jobs:
          build:
            machine: true
            steps:
              - run: echo one
              - run: exit 7
              - run: echo two
              - run: {command: echo three, when: on_fail}
              - run: {command: echo four, when: always}
              - store_artifacts: {path: nothing-here}
        """)
    done = kist("run", "--name", "r", code=1)
    words = set(done.stdout.split())
    assert {"one", "three", "four"} <= words and "two" not in words
    assert "No artifact files found at" in done.stdout + done.stderr


def test_jobs_of_one_artifact_name_stay_apart(kist):
    kist.write(".circleci/config.yml", """\
        version: 2.1
        jobs:
          a: &job
            machine: true
            steps:
              - run: mkdir out && echo $CIRCLE_JOB > out/name
              - store_artifacts: {path: out}
          b: *job
        workflows:
          both:
            jobs:
              - a
              - b: {requires: [a]}
        """)
    name = kist.run()
    assert paths(kist, name) == ["a/out/name", "b/out/name"]
    assert kist("cat", name, "b/out/name").stdout == "b\n"
    kist("artifacts", "download", name, "-o", "into")
    assert (kist.project / "into/a/out/name").read_text() == "a\n"


def test_a_config_without_anything_to_run_says_what_is_missing(kist):
    kist.write(".circleci/config.yml", "version: 2.1\njobs:\n  test:\n    docker: [{image: a}]\n    steps: [{run: 'true'}]\n")
    said = kist("run", code=2).stderr
    assert ".circleci/config.yml:3:3: error: expected `workflows`, or a job named `build`" in said
    assert "there are: test" in said
