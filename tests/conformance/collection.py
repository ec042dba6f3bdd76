"""A collection of real workflow files (KIST_CORPUS, or shared/corpus beside a directory above this one), and how one is run."""
import collections
import csv
import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("KIST_BINARY", ROOT / "build/release/kist"))
CORPUS = pathlib.Path(os.environ.get("KIST_CORPUS") or next(
    (above / "shared/corpus" for above in ROOT.parents if (above / "shared/corpus/INDEX.tsv").exists()),
    ROOT.parent / "shared/corpus"))
Row = collections.namedtuple("Row", "file dialect runnable needs phase")
Verdict = collections.namedtuple("Verdict", "kind text")


def rows():
    with (CORPUS / "INDEX.tsv").open() as table:
        for cells in csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            cells += [""] * (6 - len(cells))
            if cells[0] != "file" and re.search(r"\.(ya?ml|json)$", cells[0]) and (CORPUS / cells[0]).is_file():
                yield Row(cells[0], cells[1], cells[3], cells[4], cells[5])


def execute(words, home, cwd, limit, meanwhile=None):
    """Exit code, stdout and stderr; the code is None where it did not end in time. It and all it started are gone then.
    `meanwhile` is called every few seconds."""
    environment = {**os.environ, "KIST_HOME": str(home)}
    if sys.prefix != sys.base_prefix:  # what the steps' Python finds is what this one does
        environment["VIRTUAL_ENV"] = sys.prefix
    process = subprocess.Popen([str(BINARY), *words], cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                               start_new_session=True)
    waited = 0
    while waited < limit:
        step = min(3, limit - waited) if meanwhile else limit
        try:
            out, err = process.communicate(timeout=step)
            return process.returncode, out, err
        except subprocess.TimeoutExpired:
            waited += step
        if meanwhile:
            meanwhile()
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


def last_words(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def naps(text):
    """Seconds that a file says it sleeps or waits for, each time."""
    units = {"": 1, "s": 1, "m": 60, "h": 3600}
    return [float(number) * units[unit] for number, unit in
            re.findall(r"""(?:\bsleep(?:["' ]*\]\s*args: *\[)?[\s(\["',]+|\bduration: *["']?)(\d+(?:\.\d+)?)([smh]?)\b""", text)]


def slept(text):
    """Seconds that a file may spend in sleep: what it says itself, as often as loops may have it do so."""
    unknown = 300 if re.search(r"\bsleep[\s(\[\"',]+(\{\{|\$)", text) else 0
    rounds = [int(number) for number in re.findall(r"\b(?:seq |range\()(?:\d+,? +)?(\d+)", text)]
    return max([20, *rounds]) * 1.1 * sum(naps(text)) + unknown


def not_ended(text, limit, waited):
    """What it means that a file did not end: the fault of none where it says itself that it takes longer."""
    if slept(text) > waited - limit or re.search(r"tail -f|while true|while :|while \[ 1", text):
        return Verdict("skipped", "sleeps for longer than it is waited for")
    return Verdict("FAILS", f"did not end within {waited:.0f} s")
