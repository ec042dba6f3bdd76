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
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("KIST_BINARY", ROOT / "build/release/kist"))
CORPUS = pathlib.Path(os.environ.get("KIST_CORPUS") or next(
    (above / "shared/corpus" for above in ROOT.parents if (above / "shared/corpus/INDEX.tsv").exists()),
    ROOT.parent / "shared/corpus"))
PHASES = {"succeeded": "Succeeded", "failed": "Failed", "stopped": "Failed", "aborted": "Failed", "error": "Error"}
Row = collections.namedtuple("Row", "file dialect runnable needs phase")
Verdict = collections.namedtuple("Verdict", "kind text")


def rows():
    with (CORPUS / "INDEX.tsv").open() as table:
        for cells in csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            cells += [""] * (6 - len(cells))
            if cells[0] != "file" and re.search(r"\.(ya?ml|json)$", cells[0]) and (CORPUS / cells[0]).is_file():
                yield Row(cells[0], cells[1], cells[3], cells[4], cells[5])


def execute(words, home, cwd, limit):
    """Exit code, stdout and stderr; the code is None where it did not end in time. It and all it started are gone then."""
    process = subprocess.Popen([str(BINARY), *words], cwd=cwd, env={**os.environ, "KIST_HOME": str(home)},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", start_new_session=True)
    try:
        out, err = process.communicate(timeout=limit)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        for ask in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
            process.send_signal(ask)
            try:
                out, err = process.communicate(timeout=10)
                break
            except subprocess.TimeoutExpired:
                continue
        return None, out, err


def first_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0] if lines else ""


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


def further_files(row, known):
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
            if kind != "pvc":
                wanted.append((kinds, name))
    for kinds, name in wanted:
        paths = [path for kind in kinds for path in known.get((kind, name), [])]
        if not paths:
            return None, f"{kinds[0]} {name}"
        here = CORPUS / row.file
        paths.sort(key=lambda path: (-len(os.path.commonpath([path, here])), str(path)))
        if paths[0] != here and paths[0] not in files:
            files.append(paths[0])
    return files, None


def reason_to_skip(row):
    text = row.runnable.strip()
    if row.dialect not in ("argo", "onepanel"):
        return "not run by this check"
    if text.startswith("template:"):
        return "a template, run by others"
    if not text.startswith("yes"):
        return re.sub(r"[:(].*", "", text).strip() or "unknown"
    for word in ("waits for", "random", "retry unlimited", "TTL", "pandas", "whole /etc"):
        if word in text:
            return text.split(";")[-1].strip()
    return None


def run(row, known, directory, limit):
    reason = reason_to_skip(row)
    if reason:
        return Verdict("skipped", reason)
    further, missing = further_files(row, known)
    if missing:
        return Verdict("skipped", f"needs {missing}, which is not in the collection")
    project = directory / "project"
    project.mkdir()
    code, out, err = execute(["run", str(CORPUS / row.file), *map(str, further), "--name", "r"], directory / "home",
                             project, limit)
    if code is None:
        return Verdict("FAILS", f"did not end within {limit} s")
    yet = re.search(r"not supported yet: ([^\n(;,]*)", err)
    if code == 2 and yet:
        return Verdict("skipped", f"not supported yet: {yet[1].strip()}")
    if code == 2:
        return Verdict("FAILS" if row.phase else "other", f"refused: {first_line(err)}")
    shown = execute(["show", "r", "--json"], directory / "home", project, 60)[1]
    try:
        state = json.loads(shown)["status"]
    except (ValueError, KeyError):
        return Verdict("FAILS", f"exit code {code}, and no run: {first_line(err)}")
    phase = PHASES.get(state, state)
    if row.phase:
        return Verdict("passes" if phase == row.phase else "FAILS", f"{phase}, expected {row.phase}: {last_words(err)}")
    return Verdict("passes" if phase == "Succeeded" else "other", f"{phase}: {last_words(err)}")


def last_words(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


# ---- all --------------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("lint", "run"), nargs="*", help="both, where none is named")
    parser.add_argument("--jobs", type=int, default=2, help="so many files at once")
    parser.add_argument("--limit", type=int, default=120, help="seconds that a file may take")
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
                return lint(row, directory) if what == "lint" else run(row, known, directory, options.limit)
            finally:
                shutil.rmtree(directory, ignore_errors=True)

        counts = collections.defaultdict(collections.Counter)
        reasons = collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for row, verdict in zip(chosen, pool.map(one, chosen)):
                counts[row.file.split("/")[0]][verdict.kind] += 1
                if verdict.kind == "skipped":
                    reasons[verdict.text] += 1
                if verdict.kind in ("FAILS", "other") or options.all:
                    print(f"{what} {verdict.kind:8} {row.file}: {verdict.text}", flush=True)
        for corpus, count in sorted(counts.items()):
            print(f"{what} {corpus}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
            failed += count["FAILS"]
        for reason, number in reasons.most_common():
            print(f"  skipped {number}: {reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
