#!/usr/bin/env python3
"""Checks and runs a collection of real workflow files, and tells per system what becomes of them.

  passes   ends in the phase that is expected of it; where none is known, succeeds
  other    no phase is known, and it did not succeed: many are written to fail
  skipped  for a named reason: what it needs is not here, or kist says that it does not do it yet
  FAILS    anything else; the exit code is then 1

The collection is KIST_CORPUS, or shared/corpus beside a directory above this one; without it nothing is done.
"""
import argparse
import collections
import concurrent.futures
import functools
import itertools
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

import buckets
import projects
from collection import CORPUS, Verdict, execute, first_line, last_words, naps, not_ended, rows, slept

LONGEST_NAP = 300  # seconds that a file may sleep at a time
PHASES = {"succeeded": "Succeeded", "failed": "Failed", "stopped": "Failed", "aborted": "Failed", "error": "Error"}


# ---- checking ---------------------------------------------------------------------------------------------------------


def lint(row, directory):
    code, out, err = execute(["lint", str(CORPUS / row.file)], directory / "home", directory, 60)
    if code is None:
        return Verdict("FAILS", "lint did not end within 60 s")
    if code not in (0, 2):
        return Verdict("FAILS", f"lint ended with {code}: {first_line(err)}")
    if not (out + err).strip():
        return Verdict("FAILS", "lint said nothing")
    return Verdict("passes" if code == 0 else "refused", first_line(err))


# ---- running ----------------------------------------------------------------------------------------------------------


def documents():
    """Where the documents are that workflows refer to: {(kind, name): [files]}."""
    found = collections.defaultdict(list)
    for path in sorted(CORPUS.glob("**/*.y*ml")):
        text = path.read_text(errors="replace")
        for part in re.split(r"^---.*$", text, flags=re.M):
            kind = re.search(r"^kind: *(\S+)", part, flags=re.M)
            name = re.search(r"^metadata:\n(?:  .*\n)*?  name: *[\"']?([\w.-]+)", part, flags=re.M)
            if kind and name:
                found[kind[1], name[1]].append(path)
    return found


def documents_named(kinds, name, row, known):
    """The files that hold such a document, the nearest first."""
    here = CORPUS / row.file
    paths = [path for kind in kinds for path in known.get((kind, name), [])]
    return sorted(paths, key=lambda path: (-len(os.path.commonpath([path, here])), str(path)))


def made_up(kinds, name, files, directory):
    """A file with a config map or secret that the collection lacks: every key these files ask of it, with a value that
    is a number too; none for other documents."""
    text = "\n".join(path.read_text(errors="replace") for path in files)
    own = rf"name: *[\"']?{re.escape(name)}[\"']?"
    keys = [key for pattern in (rf"{own}(?:,|\n) *key: *[\"']?([\w.-]+)", rf"key: *[\"']?([\w.-]+)[\"']?(?:,|\n) *{own}")
            for key in re.findall(pattern, text)]
    if kinds[0] not in ("ConfigMap", "Secret") or not keys:
        return []
    path = directory / f"{name}.yaml"
    values = "".join(f"  {key}: '2'\n" for key in sorted(set(keys)))
    path.write_text(f"apiVersion: v1\nkind: {kinds[0]}\nmetadata:\n  name: {name}\n"
                    f"{'data' if kinds[0] == 'ConfigMap' else 'stringData'}:\n{values}")
    return [path]


def further_files(row, known, directory):
    """Files with what a workflow needs beside it, or the name of what is nowhere."""
    files = []
    wanted = []
    for need in re.findall(r"templates: ([^;]*)", row.needs):
        wanted += [(("WorkflowTemplate", "ClusterWorkflowTemplate"), name.strip()) for name in need.split(",")]
    for need in re.findall(r"config: ([^;]*)", row.needs):
        for each in need.split(","):
            kind, _, name = each.strip().partition(":")
            kinds = {"configmap": ("ConfigMap",), "secret": ("Secret",), "pvc": ("PersistentVolumeClaim",)}.get(kind)
            if kinds is None:
                return None, each.strip()
            if kind != "pvc" and "{{" not in name:  # a name that steps make is of what they make
                wanted.append((kinds, name))
    for kinds, name in wanted:
        paths = documents_named(kinds, name, row, known) or made_up(kinds, name, [CORPUS / row.file, *files], directory)
        if not paths:
            return None, f"{kinds[0]} {name}"
        if paths[0] != CORPUS / row.file and paths[0] not in files:
            files.append(paths[0])
    return files, None


def needs_s3(row):
    return row.runnable.strip() == "with-local-s3" or row.runnable.startswith("needs s3-artifact driver")


def has_its_like(text):
    """What a file needs of a cluster that this check makes up, or kist has itself."""
    return re.match(r"needs (data template|(configmap-env|envFrom|secret-env|vol:secret|vol:persistentVolumeClaim|,)+ mapped)", text)


def reason_to_skip(row):
    text = row.runnable.strip()
    if needs_s3(row):
        return None
    if row.dialect not in ("argo", "onepanel"):
        return "not run by this check"
    if text.startswith("template:"):
        return "a template, run by others"
    if no := re.match(r"no(?::| \() *([^()]*)", text):
        return no[1]
    if not text.startswith(("yes", "likely", "FAILS on any engine", "ends Failed by design")) and not has_its_like(text):
        return re.sub(r"[:(].*", "", text).strip() or "unknown"
    for word in ("random", "retry unlimited", "TTL", "pandas", "whole /etc"):
        if word in text:
            return text.split(";")[-1].strip()
    return None


def expected_phase(row):
    if row.phase or "random" in row.runnable:
        return row.phase
    return "Failed" if re.search("by design|FAILS on any engine", row.runnable) else ""


def missing_document(err):
    """The document a file refers to and was not given: its kinds and its name."""
    for pattern, kinds in ((r"template reference (\S+)\.[^\s.]+ not found: no \w*WorkflowTemplate", None),
                           (r"WorkflowTemplate \"([^\"]+)\" not found", None),
                           (r"config map '([^']+)' is not known here", ("ConfigMap",)),
                           (r"secret '([^']+)' is not known here", ("Secret",))):
        if found := re.search(pattern, err):
            return kinds or ("WorkflowTemplate", "ClusterWorkflowTemplate"), found[1]
    return None


def what_stays_away(said):
    """What a run failed for that no program can make up."""
    for pattern, words in ((r"ModuleNotFoundError: No module named '([\w.]+)'", "the Python module {}"),
                           (r"there is no secret '([^']+)'", "Secret {}"),
                           (r"Could not resolve host: ([\w.-]*\w)", "the network")):
        if found := re.search(pattern, said):
            return words.format(found[1])
    return None


def approver(text, phase, directory):
    """Who lets a run go on that waits for people, with a value for each that it waits for, or stops it: what is to fail
    and does nothing but sleep for long is one that Argo's own tests stop."""
    suspended = len(re.findall(r"\bsuspend: *(?:\{\s*\}|\n)", text))
    timed = len(re.findall(r"\bsuspend: *\n(?: *#.*\n)* *duration:", text))
    by_hand = suspended > timed
    sleeps = phase == "Failed" and max(naps(text), default=0) > LONGEST_NAP
    if not by_hand and not sleeps:
        return None
    names = re.findall(r"name: *[\"']?([\w.-]+)[\"']?(?:, *|\n *)valueFrom: *\{?\s*supplied", text)
    values = []
    for name in names:
        allowed = re.search(rf"name: *[\"']?{re.escape(name)}[\"']?\n(?:.*\n){{0,4}}? *enum: *\n? *(?:-|\[) *[\"']?(\w+)", text)
        values += ["-p", f"{name}={allowed[1] if allowed else 1}"]
    asks = itertools.count()

    def ask():
        if phase != "Failed":
            words = ["approve", *values, "r"]
        else:  # one that goes on, by an exit handler, is aborted
            words = ["stop", "-y", *(["-x"] if next(asks) > 2 else []), "r"]
        execute(words, directory / "home", directory, 20)
    return ask


def run(row, known, directory, limit, longest):
    if row.dialect in projects.DIALECTS:
        return projects.run(row, directory, limit)
    reason = reason_to_skip(row)
    if reason:
        return Verdict("skipped", reason)
    further, missing = further_files(row, known, directory)
    if missing:
        return Verdict("skipped", f"needs {missing}, which is not in the collection")
    project = directory / "project"
    project.mkdir()
    if not needs_s3(row):
        return run_with(row, further, known, directory, limit, longest)
    with buckets.served([CORPUS / row.file, *further], directory / "home", project) as served:
        return served if isinstance(served, Verdict) else run_with(row, further + served, known, directory, limit, longest)


def run_with(row, further, known, directory, limit, longest):
    """Runs a file with further ones, and such as turn out to be missing."""
    project = directory / "project"
    text = (CORPUS / row.file).read_text(errors="replace")
    waited = limit + min(longest, slept(text))
    while True:
        words = ["run", str(CORPUS / row.file), *map(str, further), "--name", "r", "--jobs", "32"]
        code, out, err = execute(words, directory / "home", project, waited, approver(text, expected_phase(row), directory))
        wanted = missing_document(err) if code == 2 else None
        if not wanted:
            break
        paths = (documents_named(*wanted, row, known) or
                 made_up(*wanted, [CORPUS / row.file, *further], directory))
        if not paths:
            return Verdict("skipped", f"needs {wanted[0][0]} {wanted[1]}, which is not in the collection")
        if paths[0] in further:
            break
        further.append(paths[0])
    if code is None and slept(text) <= longest and "resources is ignored" in err:
        return Verdict("skipped", "needs limits of memory")
    if code is None:
        return not_ended(text, limit, waited)
    yet = re.search(r"not supported yet: ([^\n(;,]*)", err)
    if code == 2 and yet:
        return Verdict("skipped", f"not supported yet: {yet[1].strip()}")
    return judged(row, code, out, err, directory)


@functools.cache
def wrong_files():
    """The files that Argo's own tests have refused."""
    table = CORPUS / "argo/LINT_EXPECT.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return {f"argo/{file}" for file, _, expectation in rows if not expectation.startswith("NoError")}


def judged(row, code, out, err, directory):
    """What is to be said of a run that has ended."""
    phase_wanted = expected_phase(row)
    may_fail = "/expectedfailures/" in row.file and not phase_wanted  # its folder says so
    if code == 2:
        kind = "passes" if may_fail or row.file in wrong_files() else "FAILS" if phase_wanted else "other"
        return Verdict(kind, f"refused: {first_line(err)}")
    shown = execute(["show", "r", "--json"], directory / "home", directory / "project", 60)[1]
    try:
        state = json.loads(shown)["status"]
    except (ValueError, KeyError):
        return Verdict("FAILS", f"exit code {code}, and no run: {first_line(err)}")
    phase = PHASES.get(state, state)
    away = what_stays_away(out + err)
    if phase != (phase_wanted or "Succeeded") and away:
        return Verdict("skipped", f"needs {away}")
    if phase_wanted:
        return Verdict("passes" if phase == phase_wanted else "FAILS", f"{phase}, expected {phase_wanted}: {last_words(err)}")
    return Verdict("passes" if phase == "Succeeded" or may_fail else "other", f"{phase}: {last_words(err)}")


# ---- all --------------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("lint", "run"), nargs="*", help="both, where none is named")
    parser.add_argument("--jobs", type=int, default=4, help="so many files at once: most of them sleep")
    parser.add_argument("--limit", type=int, default=120, help="seconds that a file may take")
    parser.add_argument("--longest", type=int, default=300,
                        help="seconds on top for a file that says it sleeps; some sleep for twenty minutes")
    parser.add_argument("--only", default="", help="files whose path holds this")
    parser.add_argument("--all", action="store_true", help="print every file, not only what fails")
    options = parser.parse_args()
    if not (CORPUS / "INDEX.tsv").exists():
        print(f"no collection of workflow files is here ({CORPUS}); KIST_CORPUS names one")
        return 0
    failed = 0
    chosen = [row for row in rows() if options.only in row.file]
    known = documents()
    for what in options.what or ("lint", "run"):

        def one(row, what=what):
            directory = pathlib.Path(tempfile.mkdtemp(prefix="kist-corpus."))
            try:
                if what == "lint":
                    return lint(row, directory)
                return run(row, known, directory, options.limit, options.longest)
            finally:
                shutil.rmtree(directory, ignore_errors=True)

        counts = collections.defaultdict(collections.Counter)
        reasons = collections.defaultdict(collections.Counter)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for row, verdict in zip(chosen, pool.map(one, chosen)):
                part = "/".join(row.file.split("/")[:2])
                counts[part][verdict.kind] += 1
                if verdict.kind == "skipped":
                    reasons[part][verdict.text] += 1
                if verdict.kind in ("FAILS", "other") or options.all:
                    print(f"{what} {verdict.kind:8} {row.file}: {verdict.text}", flush=True)
        for part, count in sorted(counts.items()):
            print(f"{what} {part}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
            for reason, number in reasons[part].most_common():
                print(f"  skipped {number}: {reason}")
            failed += count["FAILS"]
        total = sum(counts.values(), collections.Counter())
        print(f"{what} all: " + ", ".join(f"{number} {kind}" for kind, number in sorted(total.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
