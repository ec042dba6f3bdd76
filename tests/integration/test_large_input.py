"""Input that is far larger or deeper than anybody writes: a clear error, in bounded memory."""
import os
import re
import subprocess
import tempfile

import pytest

ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: alpine, command: [echo, "%s"]}
"""
MIB = 1 << 20


def measured(kist, *words):
    """Runs a command: its exit code, what it said, and the most memory that it had."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([kist.names / "kist", *words], cwd=kist.project, env=kist.environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return process.returncode, out.read(MIB).decode(errors="replace"), used.ru_maxrss * 1024


def large(path, beginning, piece, size):
    with open(path, "w") as file:
        file.write(beginning)
        for _ in range(size // len(piece)):
            file.write(piece)


@pytest.mark.parametrize("command", ["run", "lint"])
@pytest.mark.parametrize("piece", ["  - name: other\n", "x" * 1000, "\n"])
def test_a_file_of_100_mb(kist, command, piece):
    large(kist.project / "w.yaml", ARGO % "x", piece, 100_000_000)
    code, said, memory = measured(kist, command, "w.yaml")
    assert code == 2 and "w.yaml" in said and len(said) < 2000, said[:2000]
    assert memory < 300 * MIB


def test_a_file_beside_of_100_mb_is_left_alone(kist):
    (kist.project / "w.yaml").write_text(ARGO % "x" + "  templateDefaults: {}\n  workflowTemplateRef: {name: not-there}\n")
    large(kist.project / "other.yaml", "", "- x\n", 100_000_000)
    code, said, memory = measured(kist, "run", "w.yaml")
    assert code == 2 and "not-there" in said
    assert memory < 300 * MIB


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "[" * 100_000 + "]" * 100_000, "{a: " * 100_000,
                                  "- " * 100_000 + "x", "\n".join(" " * n + "a:" for n in range(3000)),
                                  '{"kind": ' + "[" * 100_000 + "]" * 100_000 + "}"])
@pytest.mark.parametrize("command", ["run", "lint"])
def test_levels_upon_levels(kist, command, text):
    (kist.project / "w.yaml").write_text(ARGO % "x" + "extra:\n" + text + "\n" if text[0] in "- " else text)
    code, said, memory = measured(kist, command, "w.yaml")
    assert code == 2 and said and len(said) < 3000, said[:3000]
    assert memory < 300 * MIB


@pytest.mark.parametrize("expression", ["(" * 10_000 + "1" + ")" * 10_000, "!" * 10_000 + "true", "-" * 10_000 + "1",
                                        "[" * 10_000 + "]" * 10_000, "1" + "+1" * 40_000, "a" + ".b" * 40_000,
                                        "1 ? " * 10_000, "toJson(" * 10_000 + "1" + ")" * 10_000,
                                        "map(1..2, " * 10_000 + "1" + ")" * 10_000])
def test_an_expression_that_is_too_deep_or_too_long(kist, expression):
    (kist.project / "w.yaml").write_text(ARGO % ("{{=" + expression + "}}"))
    code, said, memory = measured(kist, "run", "w.yaml")
    assert code in (1, 2) and re.search(r"w\.yaml|column|levels|expression", said), said[:1000]
    assert memory < 300 * MIB


@pytest.mark.parametrize("expression", ["reduce(1..100000000, #acc + #)", "map(1..100000, map(1..100000, #))",
                                        "len(repeat('x', 1000000000))", "sprig.repeat(1000000000, 'x')",
                                        "filter(1..1000000, any(1..1000000, # < 0))", "sprig.untilStep(0, 1000000000, 1)"])
def test_an_expression_that_would_not_end(kist, expression):
    (kist.project / "w.yaml").write_text(ARGO % ("{{=" + expression + "}}"))
    code, said, memory = measured(kist, "run", "w.yaml", "--name", "r")
    assert code in (1, 2) and said
    assert memory < 800 * MIB
    kist("ps", "-a")


def test_references_inside_each_other(kist):
    (kist.project / "w.yaml").write_text(ARGO % ("{{" * 10_000 + "x" + "}}" * 10_000))
    code, said, memory = measured(kist, "run", "w.yaml")
    assert code in (1, 2) and "references inside each other" in said
    assert memory < 300 * MIB


def test_conditions_with_many_brackets(kist):
    (kist.project / "w.yaml").write_text("""\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, template: t, when: "%s"}]]
  - name: t
    container: {image: alpine, command: [echo]}
""" % ("(" * 10_000 + "1 == 1" + ")" * 10_000))
    code, said, memory = measured(kist, "run", "w.yaml")
    assert code == 1 and "200 brackets inside each other" in said, said[:1000]
    assert memory < 300 * MIB


def test_an_archive_that_unpacks_to_more_than_there_is_room_for(kist):
    """A tar whose one file says that it is larger than any disk."""
    name = b"big".ljust(100, b"\0")
    size = b"\x80" + (1 << 60).to_bytes(11, "big")
    header = bytearray(name + b"0000644\0" + b"0000000\0" * 2 + size + b"00000000000\0" + b" " * 8 + b"0" + b"\0" * 100 +
                       b"ustar\x0000" + b"\0" * 247)
    header[148:156] = b"%06o\0 " % sum(header)
    subprocess.run(["gzip", "-c"], input=bytes(header) + b"\0" * MIB, check=True,
                   stdout=open(kist.project / "bomb.tgz", "wb"))
    (kist.project / "w.yaml").write_text(ARGO % "never" + f"""\
    inputs: {{artifacts: [{{name: in, path: /tmp/in, archive: {{tar: {{}}}}, file: {{path: {kist.project}/bomb.tgz}}}}]}}
""")
    done = kist("run", "w.yaml", "--name", "r", code=1)
    assert "artifact in failed to load" in done.stderr and "never" not in done.stdout
    kist("fsck")
