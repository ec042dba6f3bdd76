"""The completions of the shells, sourced as a user sources them."""
import shlex
import shutil

import pytest

HOME = """\
    workflows:
      - name: hello-txt
        help: Writes a file
        provider: bash
        commands: [echo hi > output/hello.txt]
        artifacts: [{path: output}]
    """

BASH = """
source <(kist completion bash)
COMP_LINE={line} COMP_POINT={length}
_kist_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = """
kist completion fish | source
complete -C {line}
"""


def complete(kist, shell, line):
    text = (BASH if shell == "bash" else FISH).format(line=shlex.quote(line), length=len(line))
    words = ["--norc"] if shell == "bash" else ["--no-config"]
    done = kist.shell(f"{shell} {' '.join(words)} 2>/dev/null <<'END'\n{text}\nEND")
    return [candidate.split("\t")[0] for candidate in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_commands_workflows_runs_tags_and_paths_are_completed(kist, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    kist.write(".dstack/workflows.yaml", HOME)
    kist.run("hello-txt", "-t", "kept", name="first")
    assert "artifacts" in complete(kist, shell, "kist ")
    assert complete(kist, shell, "kist run hel") == ["hello-txt"]
    assert complete(kist, shell, "kist show fi") == ["first"]
    assert complete(kist, shell, "kist cat first out") == ["output/"]
    assert complete(kist, shell, "kist cat first output/") == ["output/hello.txt"]
    assert complete(kist, shell, "kist tags delete k") == ["kept"]
    assert "--detach" in complete(kist, shell, "kist run --")
    # Bash breaks words at colons: what stands before the last is not given again.
    assert complete(kist, shell, "kist ls :k") == ["kept" if shell == "bash" else ":kept"]


def test_bash_is_given_what_it_can_take_back(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: odd
            provider: bash
            commands: ["touch 'output/a b.txt' 'output/it''s [0]' output/plain"]
            artifacts: [{path: output}]
        """)
    kist.run("odd", "-t", "kept", name="first")
    assert complete(kist, "bash", "kist cat first output/a") == [r"output/a\ b.txt"]
    assert complete(kist, "bash", r"kist cat first output/a\ ") == [r"output/a\ b.txt"]
    assert complete(kist, "bash", "kist cat 'first' output/i") == [r"output/its\ \[0\]"]
    # Within quotes it is taken as it stands.
    assert complete(kist, "bash", "kist cat first 'output/a ") == ["output/a b.txt"]
    assert complete(kist, "bash", 'kist ls ":k') == [":kept"]
