"""Collecting, checking, counting: kist gc, fsck, du, quotas, and a catalog that is lost."""
import os
import pathlib
import subprocess

import pytest

WORKFLOW = """\
workflows:
  - name: make
    provider: bash
    commands:
      - mkdir -p output
      - head -c 300000 /dev/urandom > output/own
      - yes shared | head -c 500000 > output/shared
    artifacts: [{path: output}]
"""


@pytest.fixture
def runs(kist):
    kist.write(".dstack/workflows.yaml", WORKFLOW)
    for name in ("one", "two", "three"):
        kist.run("make", name=name)
    return kist


def stored(kist):
    return sum(path.stat().st_size for path in (kist.home / "store/containers").iterdir())


def test_gc_frees_what_no_run_and_no_tag_needs(runs):
    runs("tags", "add", "kept", "one")
    assert runs.json("gc")["containers"] == 0
    before = stored(runs)
    would = runs.json("gc", "--keep-last", "1", "--dry-run")
    assert would["runs"] == ["two"] and would["bytes"] > 300000
    assert stored(runs) == before
    done = runs.json("gc", "--keep-last", "1", "-y")
    assert done["runs"] == ["two"] and done["bytes"] == would["bytes"]
    assert stored(runs) <= before - 300000
    assert {run["name"] for run in runs.json("ps", "-a")} == {"one", "three"}

    runs("rm", "-y", "one")
    runs.json("gc")
    assert len(runs("cat", ":kept", "output/shared").stdout) == 500000, "its tag keeps it"
    runs("tags", "delete", "-y", "kept")
    assert runs.json("gc")["bytes"] > 300000
    assert len(runs("cat", "three", "output/shared").stdout) == 500000
    runs("fsck")


def test_rules_of_the_settings(runs):
    (runs.home / "settings.yaml").write_text("gc:\n  rules:\n    - {workflow: 'ma*', keep-last: 2}\n")
    assert runs.json("gc", "-n")["runs"] == ["one"]
    assert runs.json("gc")["runs"] == ["one"]
    (runs.home / "settings.yaml").write_text("gc:\n  rules:\n    - {workflow: make}\n")
    wrong = runs("gc", code=2).stderr
    assert "settings.yaml:3:" in wrong and "keep-last" in wrong
    (runs.home / "settings.yaml").write_text("quoat: 3\n")
    assert "'quoat' is no setting" in runs("gc", code=2).stderr


def test_du_tells_shared_and_unique(runs):
    usage = runs.json("du")
    assert [run["name"] for run in usage["runs"]] == ["three", "two", "one"]
    for run in usage["runs"]:
        assert run["apparent"] == 800000 and run["files"] == 2
        assert 300000 <= run["unique"] < 310000
        assert run["shared"] > 0 and run["stored"] == run["shared"] + run["unique"]
    assert usage["total"]["containers"] >= 900000
    assert [run["name"] for run in runs.json("du", "two")["runs"]] == ["two"]


def test_a_quota_refuses_before_a_run_begins(runs):
    (runs.home / "settings.yaml").write_text("quota: 100KiB\n")
    refused = runs("run", "make", "--name", "four", code=3).stderr
    assert "quota" in refused and "kist gc" in refused
    assert {run["name"] for run in runs.json("ps", "-a")} == {"one", "two", "three"}
    assert "quota" in runs("put", "key", ".dstack/workflows.yaml", code=3).stderr
    assert runs.json("keys") == []
    runs.environment["KIST_QUOTA"] = "1GiB"
    runs("run", "make", "--name", "four")


@pytest.mark.parametrize("loss", ["missing", "garbage"])
def test_the_catalog_is_made_anew_from_the_records(runs, loss):
    runs("tags", "add", "kept", "one")
    runs("rm", "-y", "one")
    before = runs.json("ps", "-a")
    shown = {run["name"]: runs.json("show", run["name"]) for run in before}
    for part in ("-wal", "-shm"):
        pathlib.Path(f"{runs.home}/catalog.db{part}").unlink(missing_ok=True)
    if loss == "missing":
        (runs.home / "catalog.db").unlink()
    else:
        (runs.home / "catalog.db").write_bytes(b"not a database" * 1000)
    for command in (("ps", "-a"), ("gc",), ("run", "make")):
        assert "fsck --rebuild-catalog" in runs(*command, code=3).stderr
    assert "--rebuild-catalog" in runs("fsck", code=3).stdout
    runs("fsck", "--rebuild-catalog")
    assert runs.json("ps", "-a") == before
    assert {run["name"]: runs.json("show", run["name"]) for run in before} == shown
    assert len(runs("cat", ":kept", "output/shared").stdout) == 500000
    runs("gc")
    assert len(runs("cat", ":kept", "output/shared").stdout) == 500000


def test_fsck_names_what_is_hurt_and_repairs_what_can_be(runs):
    pack = max((runs.home / "store/containers").glob("pack-*"), key=lambda path: path.stat().st_size)
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    found = runs.json("fsck", code=3)
    assert found["status"] == "damaged"
    container = [finding for finding in found["findings"] if finding["kind"] == "container"]
    assert len(container) == 1 and pack.name in container[0]["name"]
    hurt = [finding for finding in found["findings"] if finding["kind"] == "artifact"]
    assert hurt and any("own" in path for finding in hurt for path in finding["paths"])
    repaired = runs.json("fsck", "--repair", code=3)
    assert all(finding["status"] == "repaired" for finding in repaired["findings"] if finding["kind"] == "container")
    left = runs.json("fsck", code=3)
    assert {finding["kind"] for finding in left["findings"]} == {"artifact"}
    told = runs("fsck", code=3).stdout
    assert "--repair" not in told and "`kist pull RUN`" in told and "`kist rm RUN`" in told
    name = hurt[0]["name"].split(",")[0].removeprefix("run ")
    runs("rm", "-y", name)
    runs("gc")
    assert runs.json("fsck")["status"] == "sound"


def test_fsck_tells_lost_references_and_sets_them_by_the_catalog(runs):
    runs("tags", "add", "kept", "one")
    before = {run["name"]: runs.json("show", run["name"]) for run in runs.json("ps", "-a")}
    for lost in ("runs/two", "tags/kept"):
        (runs.home / "store/refs" / lost).unlink()
    found = runs.json("fsck", code=3)
    assert found["status"] == "damaged" and {finding["name"] for finding in found["findings"]} == {"runs/two", "tags/kept"}
    assert "fsck --repair" in runs("fsck", code=3).stdout
    assert not (runs.home / "store/refs/runs/two").exists(), "without --repair nothing is written"
    assert "All damage was repaired" in runs("fsck", "--repair").stdout
    assert runs.json("fsck")["findings"] == []
    assert {name: runs.json("show", name) for name in before} == before


def test_a_damaged_record_is_written_again_by_what_the_catalog_knows(runs):
    before = runs.json("show", "three")
    record = (runs.home / "store/refs/runs/three").read_text()
    pack = max((runs.home / "store/containers").glob("pack-*"), key=lambda path: path.stat().st_mtime_ns)
    pack.chmod(0o644)
    pack.write_bytes(bytes(pack.stat().st_size))
    assert "--repair writes it again" in runs("fsck", code=3).stdout
    repaired = runs("fsck", "--repair", code=None).stdout
    assert "written again by what the catalog knows" in repaired
    assert (runs.home / "store/refs/runs/three").read_text() == record
    assert runs.json("show", "three") == before
    assert not [finding for finding in runs.json("fsck", code=None)["findings"] if "record" in finding["name"]]


def test_a_store_that_has_lost_its_format_file(runs):
    (runs.home / "store/format").unlink()
    (runs.home / "store/damaged").mkdir(exist_ok=True)
    for command in (("cat", "one", "output/own"), ("fsck",), ("gc",)):
        told = runs(*command, code=3).stderr
        assert "format is missing" in told and "`kist fsck --repair`" in told
    assert "was lost; it was written again" in runs("fsck", "--repair").stdout
    assert len(runs("cat", "one", "output/shared").stdout) == 500000
    runs("fsck")


def test_what_reads_damage_says_what_to_do(runs):
    pack = max((runs.home / "store/containers").glob("pack-*"), key=lambda path: path.stat().st_size)
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:5000])
    told = [runs("cp", name, "output/own", "copy", code=None).stderr for name in ("one", "two", "three")]
    assert any("`kist fsck --repair`" in text and "save it again" in text for text in told), told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize("freeing", [("gc", "-y", "--keep-last", "0"), ("rm", "-y", "one", "two")])
def test_space_is_freed_on_a_full_disk(kist, freeing):
    kist.home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "none", kist.home], check=True)
    try:
        kist.write(".dstack/workflows.yaml", WORKFLOW)
        for name in ("one", "two"):
            kist.run("make", name=name)
        assert (kist.home / "reserve").stat().st_blocks * 512 >= 8 << 20
        with pytest.raises(OSError), open(kist.home / "fill", "wb", buffering=0) as fill:
            while fill.write(bytes(4096)):
                pass
        refused = kist("tags", "add", "more", "one", code=None)
        assert refused.returncode == 0 or "kist gc" in refused.stderr
        kist("tags", "delete", "-y", "more", code=None)
        kist(*freeing)
        assert kist.json("ps", "-a") == []
        kist("gc")
        (kist.home / "fill").unlink()
        kist("ps")
        assert (kist.home / "reserve").exists()
    finally:
        subprocess.run(["umount", kist.home], check=True)


def test_runs_go_when_their_file_lets_them(kist):
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: w-}
        spec:
          entrypoint: main
          arguments: {parameters: [{name: code, value: 0}]}
          ttlStrategy: {secondsAfterSuccess: 0, secondsAfterFailure: 1000}
          templates:
          - {name: main, container: {image: busybox, command: [sh, -c, "exit {{workflow.parameters.code}}"]}}
    """)
    for name in ("gone", "kept"):
        kist.run("w.yaml", name=name)
    kist.run("w.yaml", "-p", "code=1", name="bad", code=1)
    kist("tags", "add", "tag", "kept")
    would = kist.json("gc", "-n")
    assert would["runs"] == ["gone"] and would["reasons"]["gone"].startswith("its file lets it go since 20")
    assert kist("gc", "-n").stdout.startswith("gone would be removed: its file lets it go since 20")
    assert kist.json("show", "bad")["expires"] > kist.json("show", "bad")["finished"]
    assert kist.json("gc")["runs"] == ["gone"]
    assert {run["name"] for run in kist.json("ps", "-a")} == {"kept", "bad"}
    kist("retry", "bad", code=1)
    assert kist.json("show", "bad")["expires"] > kist.json("show", "bad")["finished"], "it began anew"
