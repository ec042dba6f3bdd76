"""Files of dstack and CircleCI: each is part of a project, which is made around it, and has several workflows."""
import re

from collection import CORPUS, Verdict, execute, first_line, last_words, not_ended

DIALECTS = ("dstack", "circleci")

# What workflows of dstack take artifacts from, under the names that the collection uses.
PRODUCER = """\
workflows:
  - name: hello-txt
    provider: bash
    commands: [echo hello > output/hello.txt]
    artifacts: [{path: output}]
"""
SCRIPTS = {".py": "import sys\nprint(sys.argv[1:])\n",
           ".sh": "mkdir -p output\nfor i in 1 2 3; do echo $i > output/$i.txt; done\n"}


def worst(verdicts):
    """Of several workflows of one file what matters most."""
    order = ("FAILS", "other", "passes", "skipped")
    return min(verdicts, key=lambda verdict: order.index(verdict.kind))


def run(row, directory, limit):
    project = directory / "project"
    project.mkdir()
    return run_dstack(row, directory, limit) if row.dialect == "dstack" else run_circleci(row, directory, limit)


# ---- dstack -----------------------------------------------------------------------------------------------------------


def run_dstack(row, directory, limit):
    """INDEX.tsv tells for each workflow of a file whether it runs without network, GPU and editor."""
    text = (CORPUS / row.file).read_text(errors="replace")
    project = directory / "project"
    workflows = project / ".dstack/workflows"
    workflows.mkdir(parents=True)
    (workflows / "file.yaml").write_text(text)
    verdicts = [run_one(name, verdict, text, directory, limit)
                for name, verdict in re.findall(r"([\w.-]+)=([^,]+)", row.runnable)]
    return worst(verdicts) if verdicts else Verdict("skipped", "defines no workflow")


def run_one(name, verdict, text, directory, limit):
    project, home = directory / "project", directory / "home"
    script = re.match(r"needs-script:(.*)", verdict)
    if verdict != "YES" and not script:
        return Verdict("skipped", "needs " + {"no:net": "the network", "no:gpu": "a GPU", "no:code": "an editor",
                                              "no:lab": "an editor", "no:notebook": "an editor",
                                              "docker-image": "an image"}.get(verdict, "a provider of old"))
    if script:
        path = project / script[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SCRIPTS[path.suffix])
    if re.search(r"workflow: *hello-txt|tag:", text) and "name: hello-txt" not in text:
        (project / ".dstack/workflows/producer.yaml").write_text(PRODUCER)
        execute(["run", "hello-txt", "--tag", "txt-file"], home, project, limit)
    code, out, err = execute(["run", name], home, project, limit)
    if code is None:
        return not_ended(text, limit, limit)
    if code == 2 and "not supported yet" in err:
        return Verdict("skipped", re.sub(r":[^:]*$", "", re.search(r"not supported yet: .*", err)[0]))
    return Verdict("passes" if code == 0 else "FAILS", f"{name} ended with {code}: {last_words(err)}")


# ---- CircleCI ---------------------------------------------------------------------------------------------------------


def run_circleci(row, directory, limit):
    """Every workflow of a config that asks for neither network, machine nor orb. What a job of a foreign project does in
    an empty one is not told anywhere: it may fail, and only what kist makes of it is looked at."""
    if not row.runnable.startswith("A-"):
        return Verdict("skipped", re.sub(r"^\S-|\(.*", "", row.runnable).strip())
    text = (CORPUS / row.file).read_text(errors="replace")
    config = directory / "project/.circleci/config.yml"
    config.parent.mkdir()
    config.write_text(text)
    flows = re.search(r"^workflows:\n((?:[ #].*\n|\n)*)", text, flags=re.M)
    names = re.findall(r"^  [\"']?([\w-]+)[\"']?:", flows[1] if flows else "", flags=re.M)
    names = [name for name in names if name != "version"] or [None]
    return worst([run_workflow(name, text, directory, limit) for name in names])


def run_workflow(name, text, directory, limit):
    words = ["run", *([name] if name else [])]
    code, _, err = execute(words, directory / "home", directory / "project", limit)
    if code is None:
        return not_ended(text, limit, limit)
    yet = re.search(r"not supported yet: ([^\n(;,]*)", err)
    if code == 2 and yet:
        return Verdict("skipped", f"not supported yet: {yet[1].strip()}")
    kind = {0: "passes", 1: "other", 2: "other"}.get(code, "FAILS")
    return Verdict(kind, f"{name or 'build'} ended with {code}: {first_line(err) if code == 2 else last_words(err)}")
