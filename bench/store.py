#!/usr/bin/env python3
"""Claim: the store saves and restores at the speed of `cp -r`, and ahead of every peer.

Three sets of data: `big` is one file of random bytes, `small` 40,000 files of 1 to 50 KB, `lines` 64 files of JSON lines that
are then edited in 1 % of their bytes. Every case runs in turns with `cp -r` of the same data in the same place, each in a
process of its own (kist's calls through the helper store_once, so that a run's own cost stays out), with a store that is
there already, what came before on disk, and memory that is there. The figures are medians; the ratios to `cp -r` are what counts, and the claims
stand beside them. kist syncs what it commits within its time; so do restic, borg and ostree; cp, tar, zstd, casync and
rclone do not.

The place is an ext4 with a journal on a loop device of its own where root can make one, else a fresh directory.

    bench/store.py KIST [--quick] [--rounds N] [--peer-rounds N] [--no-peers] [--only SET] [--directory DIR]
"""
import argparse
import contextlib
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("kist", type=pathlib.Path)
parser.add_argument("--quick", action="store_true", help="an eighth of the data, one round of the peers")
parser.add_argument("--rounds", type=int, help="of kist and cp")
parser.add_argument("--peer-rounds", type=int, default=3, help="of the others; the slowest run once")
parser.add_argument("--no-peers", action="store_true")
parser.add_argument("--only", choices=["big", "small", "lines"], help="one set of data")
parser.add_argument("--directory", default=os.environ.get("KIST_BENCH_DIRECTORY", "/var/tmp"))
options = parser.parse_args()
ROUNDS = options.rounds or (3 if options.quick else 5)
SCALE = 8 if options.quick else 1
BIG, SMALL, LINES = (1 << 30) // SCALE, 40_000 // SCALE, 64 // SCALE
tools = options.kist.resolve().parent
STORE, DATA = str(tools / "store_once"), str(tools / "store_data")
NOTHING = bytes(1 << 20)
MEMORY = 0  # the most that a kist process had


def run(words, measure=False, **more):
    """Runs a program to its end; returns its seconds and its output."""
    global MEMORY
    with tempfile.TemporaryFile() as out:
        begin = time.monotonic()
        process = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **more)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    if process.returncode != 0:
        sys.exit(f"{' '.join(str(w) for w in words)}: status {process.returncode}\n{text}")
    if words[0] == STORE and measure:
        MEMORY = max(MEMORY, usage.ru_maxrss * 1024)
    return seconds, text


@contextlib.contextmanager
def place():
    """A fresh directory, and what it lies on in words."""
    with tempfile.TemporaryDirectory(prefix="kist-bench.", dir=options.directory) as name:
        area = pathlib.Path(name)
        image, device = area / "image", None
        if os.geteuid() == 0 and shutil.which("mkfs.ext4") and shutil.which("losetup"):
            with open(image, "wb") as file:
                file.truncate((40 << 30) // SCALE + (2 << 30))
            subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
            made = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", image], capture_output=True, text=True)
            device = made.stdout.strip() if made.returncode == 0 else None
        try:
            if device and subprocess.run(["mount", "-o", "discard", device, area], capture_output=True).returncode == 0:
                try:
                    yield area, "an ext4 with a journal on a loop device with direct I/O"
                finally:
                    subprocess.run(["umount", area], check=True)
            else:
                kind = subprocess.run(["stat", "-f", "-c", "%T", area], capture_output=True, text=True).stdout.strip()
                yield area, f"a fresh directory on {kind}"
        finally:
            if device:
                subprocess.run(["losetup", "--detach", device], check=False)


def settle():
    subprocess.run(["sync", "-f", area], check=True)


def warm():
    """Whoever comes next finds memory that the host of a virtual machine has not taken back: giving it again is ten times as slow."""
    with open(area / "warm", "wb") as file:
        for _ in range(BIG // len(NOTHING) * 5 // 4):
            file.write(NOTHING)
    (area / "warm").unlink()


def remove(path):
    subprocess.run(["chmod", "-R", "u+rwX", path], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", path], check=True)


def size_of(path):
    return int(subprocess.run(["du", "-s", "-B1", path], capture_output=True, text=True, check=True).stdout.split()[0])


class Case:
    """One line of the table: a name, how to prepare, what is timed, and how to clean up."""

    def __init__(self, name, timed, prepare=None, clean=(), claim=None, most=99):
        self.name, self.timed, self.prepare, self.clean, self.claim, self.most = name, timed, prepare, clean, claim, most
        self.seconds, self.note, self.keep = [], "", False

    def once(self, last=False):
        if self.prepare:
            self.prepare()
        settle()
        warm()
        words = self.timed() if callable(self.timed) else self.timed
        seconds, text = run(words, measure=True, cwd=area)
        self.seconds.append(seconds)
        self.output = text
        if not (last and self.keep):
            for path in self.clean:
                remove(area / path)
        settle()


def table(title, cases):
    """Runs the cases in turns, the first being `cp -r`."""
    cases = [c for c in cases if c is not None]
    for turn in range(ROUNDS):
        for case in cases:
            if turn < case.most:
                case.once(last=turn == min(case.most, ROUNDS) - 1)
    print(f"\n{title}")
    for case in cases:
        ratio = statistics.median(case.seconds) / statistics.median(cases[0].seconds)
        claim = "" if case.claim is None else f"   claim {case.claim}x: {'met' if ratio <= case.claim else 'MISSED'}"
        print(f"  {case.name:<44} {statistics.median(case.seconds):8.3f} s {ratio:8.3f}x{claim}{case.note}")
    sys.stdout.flush()


def peer(program, name, prepare, timed, clean):
    """A case of another program, or a line that says that it is not here."""
    if options.no_peers:
        return None
    if not shutil.which(program, path=PATH):
        MISSING.add(program)
        return None
    case = Case(name, timed, prepare, clean, most=1 if options.quick or "gzip" in name else options.peer_rounds)
    case.keep = name not in ("DVC add", "rclone copy")  # the last is restored
    return case


MISSING = set()
PATH = f"{tools / 'peers' / 'bin'}:{os.environ['PATH']}"
os.environ["PATH"] = PATH
os.environ.update(RESTIC_PASSWORD="x", BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes", DVC_NO_ANALYTICS="1")
os.environ.pop("AWS_CA_BUNDLE", None)


def quiet(*words, **more):
    subprocess.run([str(w) for w in words], check=True, cwd=area, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def peers_saving(data):
    """Each peer saves `data` into something new."""
    def restic():
        quiet("restic", "init", "-r", "restic")
    def borg():
        quiet("borg", "init", "-e", "none", "borg")
    def ostree():
        quiet("ostree", "init", "--repo=ostree", "--mode=bare-user")
    def dvc():
        (area / "dvc").mkdir()
        subprocess.run(["dvc", "init", "--no-scm", "-q"], check=True, cwd=area / "dvc", stdout=subprocess.DEVNULL)
        quiet("cp", "-r", data, "dvc/data")
    return [
        peer("gzip", "tar, gzip -6", None, ["tar", "-czf", "archive.tgz", data], ["archive.tgz"]),
        peer("zstd", "tar, zstd -3 -T0", None, ["tar", "-I", "zstd -3 -T0", "-cf", "archive.tzst", data], ["archive.tzst"]),
        peer("restic", "restic", restic, ["restic", "-r", "restic", "--no-cache", "backup", "-q", data], ["restic"]),
        peer("borg", "borg (lz4)", borg, ["borg", "create", "borg::a", data], ["borg"]),
        peer("casync", "casync", None,
             ["casync", "make", "--store=casync", "data.caidx" if (area / data).is_dir() else "data.caibx", data],
             ["casync", "data.caidx", "data.caibx"]),
        peer("ostree", "ostree (bare-user)", ostree,
             ["sh", "-c", f"[ -d {data} ] && t={data} || {{ t=one; mkdir -p one; ln {data} one/ 2>/dev/null; }}; "
              "ostree --repo=ostree commit -b a --no-bindings --tree=dir=$t"], ["ostree", "one"]),
        peer("rclone", "rclone copy", None, ["rclone", "copy", data, "rclone"], ["rclone"]),
        peer("dvc", "DVC add", dvc, ["sh", "-c", "cd dvc && dvc add -q data"], ["dvc"]),
    ]


def peers_restoring(saving, data):
    """Each peer restores what it saved."""
    kept = [case for case in saving if case and case.keep]
    suffix = "caidx" if (area / data).is_dir() else "caibx"
    back = ["mkdir", "-p", "back"]
    commands = {
        "tar, gzip -6": ["tar", "-xzf", "archive.tgz", "-C", "back"],
        "tar, zstd -3 -T0": ["tar", "-I", "zstd", "-xf", "archive.tzst", "-C", "back"],
        "restic": ["restic", "-r", "restic", "--no-cache", "restore", "-q", "latest", "--target", "back"],
        "borg (lz4)": ["sh", "-c", "cd back && borg extract ../borg::a"],
        "casync": ["casync", "extract", "--store=casync", f"data.{suffix}", "back/out"],
        "ostree (bare-user)": ["ostree", "--repo=ostree", "checkout", "-U", "a", "back/out"],
    }
    return [Case(case.name, commands[case.name], lambda: quiet(*back), ["back"], most=case.most) for case in kept], \
        [path for case in kept for path in case.clean]


def kist(store, *words):
    return [STORE, store, *words]


def fresh():
    """A store that is there already, as the peers' are."""
    (area / "nothing").mkdir(exist_ok=True)
    saved("store", "nothing")


def saved(store, data, operation="save"):
    return run(kist(store, operation, data), cwd=area)[1].splitlines()[-1].split()


def big():
    def scratch():
        fresh()
        quiet("cp", "big", "scratch")

    saving = peers_saving("big")
    table(f"save {BIG >> 20} MiB of random bytes", [
        Case("cp -r", ["cp", "-r", "big", "copy"], clean=["copy"]),
        Case("cp -r, and synced", ["sh", "-c", "cp -r big copy && sync -f copy"], clean=["copy"]),
        Case("kist, from kist's scratch (adopted)", kist("store", "adopt", "scratch"), scratch, ["store", "scratch"], 1.5),
        Case("kist, from a user's directory", kist("store", "save", "big"), fresh, ["store"], 3),
        *saving])
    tree = saved("store", "big")

    def adopted():
        quiet("cp", "big", "scratch")
        view.timed = kist("adopted", "view", *saved("adopted", "scratch", "adopt"))
        remove(area / "scratch")
    view = Case("kist, as a view of an adopted file", None, adopted, ["adopted"], 0.01)
    others, leftovers = peers_restoring(saving, "big")
    table(f"restore {BIG >> 20} MiB", [
        Case("cp -r", ["cp", "-r", "big", "copy"], clean=["copy"]),
        Case("kist, verified", kist("store", "restore", *tree, "back"), None, ["back"], 2.5),
        view,
        *others])
    for path in ["store", *leftovers]:
        remove(area / path)


def small():
    def fresh_views():
        remove(area / "store" / "views")
        (area / "store" / "views").mkdir()

    saving = peers_saving("small")
    table(f"save {SMALL:,} small files", [
        Case("cp -r", ["cp", "-r", "small", "copy"], clean=["copy"]),
        Case("cp -r, and synced", ["sh", "-c", "cp -r small copy && sync -f copy"], clean=["copy"]),
        Case("kist", kist("store", "save", "small"), fresh, ["store"], 0.45),
        *saving])
    time.sleep(2.5)  # a file changed a moment ago is not believed to be unchanged
    tree = saved("store", "small")
    table(f"save {SMALL:,} small files again, unchanged", [
        Case("cp -r", ["cp", "-r", "small", "copy"], clean=["copy"]),
        Case("kist", kist("store", "save", "small"), claim=0.1)])
    others, leftovers = peers_restoring(saving, "small")
    table(f"restore {SMALL:,} small files", [
        Case("cp -r", ["cp", "-r", "small", "copy"], clean=["copy"]),
        Case("kist, verified", kist("store", "restore", *tree, "back"), None, ["back"], 0.65),
        Case("kist, as a view, the first", kist("store", "view", *tree), fresh_views),
        Case("kist, as a view, again", kist("store", "view", *tree), claim=0.3),
        *others])
    for path in ["store", *leftovers]:
        remove(area / path)


def lines():
    saving = peers_saving("lines")
    table(f"save {LINES * 8} MiB of JSON lines", [
        Case("cp -r", ["cp", "-r", "lines", "copy"], clean=["copy"]),
        Case("kist", kist("store", "save", "lines"), fresh, ["store"]),
        *saving])
    for case in saving:
        for path in case.clean if case else ():
            remove(area / path)

    # What was saved before the edit stays; `stored` is how much there is after it.
    def kept(case, path):
        plain, growth = case.once, []

        def once(last):
            plain(last)
            growth.append(size_of(area / path) - kept.before)
            case.note += f"   growth {100 * statistics.median(growth) / (LINES << 23):.1f} %" if len(growth) == ROUNDS else ""
            remove(area / path)
        case.once = once
        return case

    def prepare():
        saved("store", "lines")
        kept.before = size_of(area / "store")
    table(f"save {LINES * 8} MiB of JSON lines again after an edit of 1 %", [
        Case("cp -r", ["cp", "-r", "edited", "copy"], clean=["copy"]),
        kept(Case("kist, growth at most 3 %", kist("store", "save", "edited"), prepare, claim=3), "store")])


with place() as (area, ground):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}; {ground}; load {os.getloadavg()[0]:.1f}; "
          f"medians of {ROUNDS}")
    run([DATA, "big", area / "big", BIG])
    run([DATA, "small", area / "small", SMALL])
    run([DATA, "lines", area / "lines", LINES, 8 << 20])
    shutil.copytree(area / "lines", area / "edited")
    run([DATA, "edit", area / "edited"])
    settle()
    for part in (big, small, lines):
        if not options.only or options.only == part.__name__:
            part()
    print(f"\npeak memory of kist {MEMORY / 2**20:.0f} MiB   claim 128 MiB: {'met' if MEMORY <= 128 << 20 else 'MISSED'}")
    if MISSING:
        print(f"skipped, not installed (scripts/install-dependencies bench): {', '.join(sorted(MISSING))}")
    print(f"load at the end {os.getloadavg()[0]:.1f}")
