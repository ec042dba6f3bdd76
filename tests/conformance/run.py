#!/usr/bin/env python3
"""Takes every code block of the source documents verbatim and tells what becomes of it.

  runs      as described
  fragment  runs inside the smallest workflow around it
  refused   rightly: the page is wrong; the reason is given
  not yet   refused by name
  FAILS     anything else; the exit code is then 1
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from conftest import BINARY, ROOT, Kist  # noqa: E402
from documents import DIRECTORY, blocks  # noqa: E402

CHECKS = {}
Verdict = collections.namedtuple("Verdict", "kind text")


def check(document, number):
    def register(function):
        CHECKS[document, number] = function
        return function
    return register


def runs(text="as described"):
    return Verdict("runs", text)


def fragment(text):
    return Verdict("fragment", text)


def refused(text):
    return Verdict("refused", text)


def all_of(document):
    return {block.number: block.text for block in blocks() if block.document == document}


def typed(text):
    """What a person types of a console block: the lines after a prompt."""
    prompted = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return "\n".join(prompted) if prompted else text


def rows(text):
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("$ ")]


# ---- CircleCI ---------------------------------------------------------------------------------------------------------

CIRCLECI = "circleci-artifacts.md"


@check(CIRCLECI, 1)
def circleci_stores_two_artifacts(kist, text):
    kist.write(".circleci/config.yml", text)
    for name in ("first", "second"):
        kist("run", "--name", name)
        assert [item["path"] for item in kist.json("ls", "-r", name)] == ["artifact-file", "tmp/artifacts/artifact-2"]
        assert kist("cat", name, "artifact-file").stdout == "my artifact file\n"
    return runs("twice in a row: artifact-file, tmp/artifacts/artifact-2")


@check(CIRCLECI, 2)
def circleci_makefile(kist, text):
    kist.write("Makefile", text)
    made = subprocess.run(["make"], cwd=kist.project, capture_output=True, text=True)
    assert made.returncode != 0 and "missing separator" in made.stderr
    return refused("make itself: the recipe is indented with blanks, a tab is needed (missing separator)")


def with_core_dump(kist):
    page = all_of(CIRCLECI)
    kist.write("main.c", page[3])
    kist.write("Makefile", re.sub(r"^ +gcc", "\tgcc", page[2], flags=re.M))
    kist.write(".circleci/config.yml", page[4])
    kist("run", "--name", "r", code=1)
    return kist.json("ls", "-r", "r")


@check(CIRCLECI, 3)
def circleci_main_c(kist, text):
    kist.write("main.c", text)
    subprocess.run(["gcc", "-o", "dump", "main.c"], cwd=kist.project, check=True, capture_output=True)
    return runs("compiles; the job below runs it")


@check(CIRCLECI, 4)
def circleci_core_dump(kist, text):
    (core,) = with_core_dump(kist)
    home = re.escape(str(pathlib.Path.home())).replace("/", "!")
    assert re.fullmatch(rf"tmp/core_dumps/core\.\d+\.{home}!work!dump", core["path"]), core
    assert kist.json("show", "r")["status"] == "failed"
    return runs(f"job failed, artifact {core['path']} (with a tab in the Makefile)")


@check(CIRCLECI, 5)
def circleci_recipe(kist, text):
    path = re.search(r"circleci\.com(/\S+?)\?", text)[1]
    process = kist.start("serve", "--port", "0")
    try:
        address = re.search(r" at (http://\S+)$", process.stdout.readline().strip())[1]
        token = pathlib.Path(re.search(r"the token is in ([^,\n]+)", process.stdout.readline())[1]).read_text().strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.addheaders = [("Authorization", f"Bearer {token}")]
        try:
            opener.open(address + path, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return Verdict("not yet", "`kist serve` does not answer CircleCI's artifacts API")
            raise
    finally:
        process.kill()
        process.communicate()


# ---- dstack -----------------------------------------------------------------------------------------------------------

A, B = "dstack-artifacts-generation-a.md", "dstack-artifacts-generation-b.md"

HELLO = "workflows:\n- name: hello-txt\n  provider: bash\n  commands: [echo Hello world > output/hello.txt]\n  artifacts: [{path: output}]\n"


def hello_txt(kist, text):
    kist.write(".dstack/workflows/artifacts.yaml", text)
    kist("run", "hello-txt", "--name", "r", program="dstack")
    assert rows(kist("ls", "-r", "r", program="dstack").stdout) == [["PATH", "FILE", "SIZE"], ["output", "hello.txt", "12.0B"]]
    assert kist("cat", "r", "output/hello.txt").stdout == "Hello world\n"
    return runs()


CHECKS[A, 1] = CHECKS[B, 1] = hello_txt


def mnist(kist):
    """A run with files of the sizes that the page prints."""
    sizes = {"t10k-images-idx3-ubyte": "7.5M", "t10k-images-idx3-ubyte.gz": "1.6M", "t10k-labels-idx1-ubyte": "9.8K",
             "t10k-labels-idx1-ubyte.gz": "4.4K", "train-images-idx3-ubyte": "44.9M", "train-images-idx3-ubyte.gz": "9.5M",
             "train-labels-idx1-ubyte": "58.6K", "train-labels-idx1-ubyte.gz": "28.2K"}
    unit = {"K": 1024, "M": 1024**2}
    commands = "".join(f"    - truncate -s {int(float(size[:-1]) * unit[size[-1]])} data/MNIST/raw/{name}\n"
                       for name, size in sizes.items())
    kist.write(".dstack/workflows/mnist.yaml", "workflows:\n- name: download\n  provider: bash\n  artifacts: [{path: data}]\n"
               "  commands:\n    - mkdir -p data/MNIST/raw\n" + commands)
    kist("run", "download", "--name", "grumpy-zebra-1")


@check(A, 2)
def artifacts_list(kist, text):
    mnist(kist)
    done = kist.shell(text)
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout) == rows(all_of(A)[3])
    return runs()


@check(A, 3)
def artifacts_table(kist, text):
    mnist(kist)
    printed = kist("artifacts", "list", "grumpy-zebra-1", program="dstack").stdout
    assert [line.strip() for line in printed.splitlines()] == [line.strip() for line in text.splitlines()]
    return runs("the table, to the letter")


@check(A, 4)
def artifacts_download(kist, text):
    mnist(kist)
    done = kist.shell(text)
    assert done.returncode == 0, done.stderr
    assert (kist.project / "data/MNIST/raw/train-images-idx3-ubyte").stat().st_size == int(44.9 * 1024**2)
    return runs()


def mounted(kist, text, script):
    """Files are listed while the run goes on, and are kept even after an abort."""
    kist.write(script, all_of(B)[7])
    kist.write(".dstack/workflows/mounted.yaml", text)
    kist("run", "hello-sh", "-d", "--name", "r", program="dstack")
    listing = ""
    deadline = time.monotonic() + 20
    while "001.txt" not in listing and time.monotonic() < deadline:
        time.sleep(0.2)
        listing = kist("ls", "-r", "r", code=None, program="dstack").stdout
    assert "000.txt" in listing and "001.txt" in listing, listing
    assert kist.json("show", "r")["status"] == "running"
    kist("stop", "-x", "-y", "r", program="dstack")
    assert kist("cat", "r", "output/000.txt").stdout == "000\n"
    return runs("listed while the run goes on, kept after `stop -x`")


@check(A, 5)
def mount_a(kist, text):
    return mounted(kist, text, "hello.sh")


@check(B, 8)
def mount_b(kist, text):
    return mounted(kist, text, "artifacts/hello.sh")


@check(B, 7)
def hello_sh(kist, text):
    return runs("by the workflow below")


@check(B, 2)
def dstack_run(kist, text):
    kist.write(".dstack/workflows/artifacts.yaml", all_of(B)[1])
    done = kist.shell(typed(text))
    assert done.returncode == 0, done.stderr
    return runs()


@check(B, 3)
def dstack_ls(kist, text):
    mnist(kist)
    done = kist.shell(typed(text))
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout) == rows(text)
    return runs("the table, to the letter")


@check(B, 4)
def dstack_push(kist, text):
    mnist(kist)
    kist("remote", "add", "shared", "../shared")
    done = kist.shell(typed(text))
    assert done.returncode == 0, done.stderr
    return runs("to a remote, given once by `kist remote add`")


@check(B, 5)
def dstack_pull(kist, text):
    mnist(kist)
    kist("remote", "add", "shared", "../shared")
    kist("push", "grumpy-zebra-1")
    before = kist("ls", "-r", "grumpy-zebra-1").stdout
    kist("rm", "-y", "grumpy-zebra-1")
    done = kist.shell(typed(text))
    assert done.returncode == 0, done.stderr
    assert kist("ls", "-r", "grumpy-zebra-1").stdout == before
    return runs("what was pushed and removed is back")


@check(B, 6)
def dstack_tags_add(kist, text):
    mnist(kist)
    done = kist.shell(typed(text))
    assert done.returncode == 0, done.stderr
    kist("rm", "-y", "grumpy-zebra-1", program="dstack")
    assert "MNIST" in kist("ls", "-r", ":awesome-tag", program="dstack").stdout
    return runs("and the tag outlives its run")


@check(B, 9)
def dstack_remote(kist, text):
    kist.write(".dstack/workflows/mounted.yaml", all_of(B)[8])
    kist.write("artifacts/hello.sh", all_of(B)[7].replace("sleep 1", "sleep 0"))
    kist("remote", "add", "shared", "../shared")
    done = kist.shell(typed(text))
    assert done.returncode == 0, done.stderr
    run = kist.json("ps")[0]["name"]
    kist("rm", "-y", run)
    kist("pull", run)
    assert len(kist.json("ls", "-r", run)) == 101
    return runs("here, and done when the remote has it (without the script's waiting)")


# ---- Hera -------------------------------------------------------------------------------------------------------------

HERA = "hera-artifacts.md"
IMPORTS = "from pathlib import Path\nfrom typing import Annotated, Tuple\n" \
          "from hera.workflows import Artifact, ArtifactLoader, NoneArchiveStrategy, Steps, Workflow, script\n"


def print_yaml(kist, module, text):
    """The YAML that real Hera prints of a module."""
    kist.write(f"{module}.py", text + "\nif __name__ == '__main__':\n    print(w.to_yaml())\n")
    printed = subprocess.run([ROOT / ".venv/bin/python", f"{module}.py"], cwd=kist.project, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    (kist.project / f"{module}.yaml").write_text(printed.stdout)
    kist.environment["VIRTUAL_ENV"] = str(ROOT / ".venv")
    return f"{module}.yaml"


def steps_of(*calls):
    return "with Workflow(generate_name='w-', entrypoint='steps') as w:\n    with Steps(name='steps'):\n" + \
        "".join(f"        {call}\n" for call in calls)


@check(HERA, 1)
def runner_output(kist, text):
    kist("run", print_yaml(kist, "one", IMPORTS + text + steps_of("whalesay()")), "--name", "r")
    assert kist("cat", "r", "hello-art").stdout == "Hello world!"
    return fragment("hello-art holds the returned text")


@check(HERA, 2)
def runner_tuple(kist, text):
    kist("run", print_yaml(kist, "two", IMPORTS + text + steps_of("whalesay()")), "--name", "r")
    assert kist("cat", "r", "hello-art").stdout == "Hello world!"
    assert kist("cat", "r", "goodbye-art").stdout == "Goodbye world!"
    return fragment("hello-art and goodbye-art")


PRODUCER = all_of(HERA)[1].replace("def whalesay", "def produce") if DIRECTORY.exists() else ""


@check(HERA, 3)
def runner_input(kist, text):
    module = IMPORTS + PRODUCER + text + steps_of(
        "p = produce()", "whalesay(arguments={'hello-art': p.get_artifact('hello-art')})")
    out = kist("run", print_yaml(kist, "three", module), "--name", "r").stdout
    assert "/tmp/hera-inputs/artifacts/hello-art" in out, out
    loaded = module.replace('Artifact(name="hello-art")]):', 'Artifact(name="hello-art", loader=ArtifactLoader.file)]):')
    assert loaded != module
    out = kist("run", print_yaml(kist, "loaded", loaded), "--name", "loaded").stdout
    assert "Hello world!" in out, out
    return fragment("the path, as with real Hera; the text with ArtifactLoader.file")


@check(HERA, 4)
def runner_inputs(kist, text):
    producers = all_of(HERA)[2].replace("def whalesay", "def produce")
    body = text.replace("    ...", "    print(Path(message_1).read_text(), Path(message_2).read_text())")
    module = IMPORTS + producers + body + steps_of(
        "p = produce()", "whalesay(arguments={'hello-art': p.get_artifact('hello-art'), "
        "'hello-art-2': p.get_artifact('goodbye-art').with_name('hello-art-2')})")
    out = kist("run", print_yaml(kist, "four", module), "--name", "r").stdout
    assert "Hello world! Goodbye world!" in out, out
    return fragment("two inputs from a tuple's two outputs")


@check(HERA, 5)
def inline_example(kist, text):
    out = kist("run", print_yaml(kist, "five", text), "--name", "r").stdout
    assert "['Hello, world!']" in out, out
    return runs()


WRITER = all_of(HERA)[7] if DIRECTORY.exists() else ""
CONSUMER = all_of(HERA)[12] if DIRECTORY.exists() else ""


def inline_piece(kist, module, lines):
    out = kist("run", print_yaml(kist, module, IMPORTS + "\n".join(lines)), "--name", "r").stdout
    return out


@check(HERA, 6)
@check(HERA, 7)
def writer(kist, text):
    body = text.replace("    ...", "    open('/tmp/file', 'w').write('Hello, world!')")
    inline_piece(kist, "writer", [body, steps_of("writer()")])
    assert kist("cat", "r", "out-art").stdout == "Hello, world!"
    return fragment("out-art holds the text")


@check(HERA, 8)
def writer_in_steps(kist, text):
    inline_piece(kist, "steps", [WRITER, text])
    assert kist("cat", "r", "out-art").stdout == "Hello, world!"
    return fragment("with the writer above it")


@check(HERA, 11)
@check(HERA, 12)
def consumer(kist, text):
    body = text if "print" in text else text + "    print(open('/tmp/file').readlines())\n"
    out = inline_piece(kist, "consumer", [WRITER, body, steps_of(
        "w_ = writer()", 'c = consumer(arguments={"in-art": w_.get_artifact("out-art")})')])
    assert "['Hello, world!']" in out
    return fragment("fed by the writer")


@check(HERA, 13)
def writer_and_consumer(kist, text):
    # the page names its Steps "d" and its entrypoint "steps": Hera prints that, and Argo's lint refuses it
    path = print_yaml(kist, "both", IMPORTS + WRITER + CONSUMER + text)
    done = kist("run", path, code=2)
    assert "steps" in done.stderr and "undefined" in done.stderr, done.stderr
    mended = IMPORTS + WRITER + CONSUMER + text.replace('Steps(name="d")', 'Steps(name="steps")')
    out = kist("run", print_yaml(kist, "mended", mended), "--name", "r").stdout
    assert "['Hello, world!']" in out
    return refused("the entrypoint is `steps`, the template is named `d`; runs with one name")


@check(HERA, 9)
def first_yaml(kist, text):
    kist.write("w.yaml", text)
    done = kist("run", "w.yaml", code=2)
    assert "template name 'consumer' undefined" in done.stderr, done.stderr
    return refused("template 'consumer' is called but not defined")


@check(HERA, 14)
def second_yaml(kist, text):
    kist.write("w.yaml", text)
    out = kist("run", "w.yaml", "--name", "artifact-bghf5").stdout
    assert "artifact-bghf5-consumer-1167317153: ['Hello, world!']" in out.splitlines(), out
    return runs()


def pods(text):
    return {line.split(": ")[0] for line in text.splitlines()}


@check(HERA, 10)
def first_logs(kist, text):
    # these ids are of a DAG, not of the steps printed above them
    (pod,) = pods(text)
    yaml = all_of(HERA)[14].replace("  - name: steps\n    steps:\n    - - name: writer\n      template: writer", "")
    dag = re.sub(r"- name: steps\n    steps:.*?(?=  - name: writer\n    outputs)",
                 "- name: steps\n    dag:\n      tasks:\n      - name: writer\n        template: writer\n", yaml, flags=re.S)
    kist.write("w.yaml", dag)
    kist("run", "w.yaml", "--name", "artifact-bj4zh")
    assert pod in {node.get("host") for node in kist.json("show", "artifact-bj4zh")["nodes"]}
    return runs(f"pod {pod} (of a DAG; the log's lines are Argo's own executor's)")


@check(HERA, 15)
def second_logs(kist, text):
    kist.write("w.yaml", all_of(HERA)[14])
    kist("run", "w.yaml", "--name", "artifact-bghf5")
    assert pods(text) <= {node.get("host") for node in kist.json("show", "artifact-bghf5")["nodes"]}
    logged = kist("logs", "artifact-bghf5").stdout.splitlines()
    said = [line for line in text.splitlines() if "level=info" not in line]
    assert said and set(said) <= set(logged), logged
    return runs("pods and what they said; the other lines are Argo's own executor's")


# ---- Onepanel ---------------------------------------------------------------------------------------------------------

ONEPANEL = "onepanel-artifacts.md"


def around(piece):
    """The smallest bare spec around a template's `inputs` and `outputs`."""
    lines = [line for line in piece.splitlines() if line.strip() != "..."]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    body = "\n".join("  " + line[indent:] for line in lines)
    return "entrypoint: main\ntemplates:\n- name: main\n" + body + "\n" \
           "  container:\n    image: bash\n    command: [bash, -c]\n    args: ['mkdir -p /tmp/output; echo hello > /tmp/output/message.txt']\n"


def understood(kist, kind):
    """What asks for a server out there: checked here, and run against real servers by the tests of the locations."""
    said = kist("lint", "w.yaml")
    assert "not supported" not in said.stdout + said.stderr, said
    return fragment(f"read without objection; it needs the {kind} server that it names")


@check(ONEPANEL, 1)
def s3(kist, text):
    kist.write("w.yaml", text)
    understood(kist, "s3")
    # output-three names a bucket out there; all else needs no server
    kist.write("w.yaml", text[:text.index("    - name: output-three")].replace("sleep 15", "sleep 0"))
    kist.write("data/weights.bin", "weights")
    kist("put", "my-data/input", "data")
    out = kist("run", "w.yaml", "--name", "r").stdout
    assert "weights.bin" in out, out
    assert kist("cat", "r", "output-one/message.txt").stdout == "hello\n"
    assert "my-data/output" in {key["name"] for key in kist.json("keys")}
    return runs("with files under my-data/input; output-three, in a bucket out there, set aside (and its waiting)")


@check(ONEPANEL, 2)
def gcs(kist, text):
    kist.write("w.yaml", around("outputs:\n  artifacts:\n" + text.replace("...\n", "")))
    return understood(kist, "gcs")


@check(ONEPANEL, 3)
@check(ONEPANEL, 4)
def git(kist, text):
    kist.write("w.yaml", around(text))
    return understood(kist, "git")


@check(ONEPANEL, 5)
def http(kist, text):
    kist.write("w.yaml", around(text))
    return understood(kist, "http")


@check(ONEPANEL, 6)
def archive(kist, text):
    kist.write("w.yaml", around(text))
    kist("run", "w.yaml", "--name", "r")
    assert kist("cat", "r", "output-one/message.txt").stdout == "hello\n"
    kist("artifacts", "download", "--packed", "r", "-o", "packed")
    listed = subprocess.run(["tar", "-tzf", kist.project / "packed/output-one.tgz"], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["output/", "output/message.txt"], listed.stdout
    return fragment("a written `tar` is obeyed: output-one.tgz")


@check(ONEPANEL, 7)
def optional(kist, text):
    kist.write("w.yaml", around(text))
    kist("run", "w.yaml")
    return fragment("an optional input that nothing lies under is left out")


@check(ONEPANEL, 8)
def passing(kist, text):
    kist.write("w.yaml", text)
    out = kist("run", "w.yaml", "--name", "r").stdout
    said = [line for line in out.splitlines() if "hello world" in line]
    assert len(said) == 2, out
    return runs()


def main():
    if not DIRECTORY.exists():
        print(f"conformance: skipped, {DIRECTORY} is not here (set KIST_DOCUMENTS)")
        return 0
    if not BINARY.exists():
        sys.exit(f"{BINARY} is not built: run `make build`")
    wanted = sys.argv[1:]
    counts = collections.Counter()
    for block in blocks():
        if wanted and not any(word in f"{block.document}#{block.number}" for word in wanted):
            continue
        function = CHECKS.get((block.document, block.number))
        if function is None:
            verdict, trace = Verdict("FAILS", "no check for this block"), ""
        else:
            with tempfile.TemporaryDirectory(prefix="kist-conformance.") as directory:
                try:
                    verdict, trace = function(Kist(pathlib.Path(directory)), block.text), ""
                except BaseException as error:  # pytest's own failures are no Exceptions
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    verdict, trace = Verdict("FAILS", str(error).strip().splitlines()[0] if str(error).strip() else repr(error)), traceback.format_exc()
        counts[verdict.kind] += 1
        print(f"{verdict.kind:9} {block.place:42} {verdict.text}", flush=True)
        if trace:
            print(trace)
    print(", ".join(f"{kind}: {counts[kind]}" for kind in ("runs", "fragment", "refused", "not yet", "FAILS")))
    return 1 if counts["FAILS"] else 0


if __name__ == "__main__":
    sys.exit(main())
