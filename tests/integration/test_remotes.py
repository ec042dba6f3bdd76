"""Runs travel between machines by a remote: two homes, one place."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from conftest import Kist, wait_until
from test_serve import Served

WORKFLOWS = """\
    workflows:
      - name: make
        provider: bash
        commands:
          - mkdir -p out/many
          - for i in $(seq 500); do echo $i > out/many/$i; done
          - head -c 3000000 /dev/urandom > out/large
          - ln -s large out/link
          - chmod 0750 out/many
        artifacts: [out]
      - name: use
        provider: bash
        deps: [{workflow: make}]
        commands: ["sha256sum out/large | cut -c1-64 > sums/sum", "ls out/many | wc -l >> sums/sum"]
        artifacts: [sums]
      - name: use-remote-tag
        provider: bash
        deps: [{tag: shared/v1}]
        commands: ["ls out/many | wc -l > counts/count"]
        artifacts: [counts]
      - name: use-tag
        provider: bash
        deps: [{tag: v1}]
        commands: ["readlink out/link > links/link"]
        artifacts: [links]
"""


@pytest.fixture
def machines(tmp_path):
    """Two users with homes and projects of their own, and a remote called `shared` that both know."""
    both = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        machine = Kist(tmp_path / name)
        machine.write(".dstack/workflows.yaml", WORKFLOWS)
        machine("remote", "add", "shared", tmp_path / "shared")
        both.append(machine)
    return both


def picture(directory):
    return {str(path.relative_to(directory)): (oct(path.lstat().st_mode), path.lstat().st_mtime_ns,
                                               os.readlink(path) if path.is_symlink() else
                                               path.read_bytes() if path.is_file() else None)
            for path in sorted(pathlib.Path(directory).rglob("*"))}


def bytes_in(directory):
    return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


def test_a_run_is_used_on_another_machine_as_on_its_own(machines, tmp_path):
    one, two = machines
    run = one.run("make", "-t", "v1", name="r")
    one("tags", "add", "v2", run)
    one("push", run, "--tags")
    assert sorted(item["name"] for item in two.json("remote", "list", "shared")) == [":v1", ":v2", "r"]

    two("pull", ":v1")
    assert [item["name"] for item in two.json("ps", "-a")] == [run]
    assert two.json("ps", "-a")[0]["status"] == "succeeded"
    assert two.json("ls", "-r", run) == one.json("ls", "-r", run)
    for machine, target in ((one, "a"), (two, "b")):
        machine("artifacts", "download", run, tmp_path / target)
    assert picture(tmp_path / "a") == picture(tmp_path / "b")
    assert two("logs", run).stdout == one("logs", run).stdout

    two.run("use", name="u")
    assert two("cat", "u", "sums/sum").stdout.split()[1] == "500"
    two.run("use-tag", name="t")
    assert two("cat", "t", "links/link").stdout == "large\n"
    # What was made of it there comes back, and only that.
    before = bytes_in(tmp_path / "shared")
    two("push", "u")
    assert bytes_in(tmp_path / "shared") - before < 20_000
    one("pull", "u")
    assert one("cat", "u", "sums/sum").stdout == two("cat", "u", "sums/sum").stdout


def test_what_is_fetched_last_is_not_the_newest(machines, tmp_path):
    one, two = machines
    one("push", one.run("make", name="older"))
    newer = two.run("make", name="newer")
    two("pull", "older")
    used = two.run("use")
    two("artifacts", "download", newer, tmp_path / "newer")
    expected = hashlib.sha256((tmp_path / "newer/out/large").read_bytes()).hexdigest()
    assert two("cat", used, "sums/sum").stdout.split()[0] == expected


def test_above_the_quota_nothing_is_fetched(machines):
    one, two = machines
    one("push", one.run("make", name="r"))
    two.environment["KIST_QUOTA"] = "1KiB"
    assert "quota" in two("pull", "r", code=3).stderr
    assert two.json("ps", "-a") == [] and bytes_in(two.home / "store/containers") == 0
    del two.environment["KIST_QUOTA"]
    two("pull", "r")


def test_what_would_go_past_the_quota_is_not_fetched(machines):
    one, two = machines
    one("push", one.run("make", name="r"))
    two.environment["KIST_QUOTA"] = "2MiB"
    assert "left of the quota" in two("pull", "r", code=3).stderr
    assert two.json("ps", "-a") == [] and bytes_in(two.home / "store/containers") < 1 << 20
    (two.project / "directory").mkdir()
    (two.project / "directory/large").write_bytes(os.urandom(3 << 20))
    assert "left of the quota" in two("put", "key", "directory", code=3).stderr
    two.environment["KIST_QUOTA"] = "20MiB"
    two("pull", "r")
    two("put", "key", "directory")


def test_what_was_lost_comes_back_from_a_remote(machines):
    one, _ = machines
    one.run("make", name="r")
    one("push", "r")
    before = one("cat", "r", "out/many/17").stdout
    for pack in (one.home / "store/containers").glob("pack-*"):
        pack.chmod(0o644)
        pack.write_bytes(bytes(pack.stat().st_size))
    one("fsck", "--repair", code=3)
    assert "`kist pull RUN`" in one("fsck", code=3).stdout
    one("pull", "r")
    assert one("cat", "r", "out/many/17").stdout == before
    assert one.json("fsck")["status"] == "sound"


def test_names_that_collide_are_told_before_anything_moves(machines, tmp_path):
    one, two = machines
    one.run("make", name="same")
    two.run("make", name="same")
    one("push", "same")
    before = bytes_in(tmp_path / "shared")
    assert "another run 'same'" in two("push", "same", code=2).stderr
    assert bytes_in(tmp_path / "shared") == before
    assert "--as NAME" in two("pull", "same", code=2).stderr
    two("pull", "same", "--as", "of-one")
    two("pull", "same", "--as", "of-one")  # it is here: fine
    assert two.json("ls", "-r", "of-one") == one.json("ls", "-r", "same")
    two("push", "same", "--as", "of-two")
    one("pull", "of-two")
    assert one.json("ls", "-r", "of-two") == two.json("ls", "-r", "same")
    assert {run["name"] for run in one.json("ps", "-a")} == {"same", "of-two"}

    assert "Cannot find the remote run or tag 'nothing'" in two("pull", "nothing", code=2).stderr
    assert "Cannot find the local tag 'nothing'" in two("push", ":nothing", code=2).stderr


def test_a_tag_moves_only_for_who_knows_where_it_was(machines):
    one, two = machines
    one.run("make", "-t", "v1", name="first")
    one("push", ":v1")
    two("pull", ":v1")
    one.run("make", name="second")
    one("tags", "add", "-y", "v1", "second")
    one("push", ":v1")  # it was last set from here
    two.run("make", name="other")
    two("tags", "add", "-y", "v1", "other")
    assert "somebody else has set the tag 'v1'" in two("push", ":v1", code=2).stderr
    assert "--force" in two("pull", ":v1", code=2).stderr
    two("push", ":v1", "--force")
    one("pull", ":v1")  # here it is as it was when it was last seen there
    assert [tag["run"] for tag in one.json("tags") if tag["name"] == "v1"] == ["other"]


def test_what_has_become_of_a_run_is_taken_by_who_has_not_changed_it(machines):
    one, two = machines
    one.write(".dstack/workflows.yaml", """\
        workflows:
          - name: gated
            provider: bash
            commands: ["test -e gate", "echo made > out/made"]
            artifacts: [out]
        """)
    one.run("gated", "-t", "v1", name="r", code=1)
    one("push", ":v1")
    two("pull", ":v1")
    two("pull", "r", "--as", "copy")
    (one.project / "gate").touch()
    one("retry", "r")
    one("push", "r")
    assert "has gone on elsewhere" in two("push", "r", code=2).stderr
    two("pull", "r")
    assert two.json("show", "r")["status"] == "succeeded"
    assert two("cat", ":v1", "out/made").stdout == two("cat", "r", "out/made").stdout == "made\n"
    two("pull", "r", "--as", "copy")
    assert two("cat", "copy", "out/made").stdout == "made\n"
    assert two.json("fsck")["status"] == "sound"
    two("pull", "r")  # it is here: fine


def test_two_machines_push_one_tag_at_once(machines):
    one, two = machines
    one.run("make", "-t", "v1", name="of-one")
    two.run("make", "-t", "v1", name="of-two")
    pushes = [machine.start("push", ":v1") for machine in machines]
    results = [(process.communicate(timeout=60), process.returncode) for process in pushes]
    assert sorted(code for _, code in results) == [0, 2]
    [(_, told)] = [output for output, code in results if code == 2]
    assert "'tags/v1'" in told or "somebody else has set the tag 'v1'" in told


def test_kill_9_of_push_and_pull_and_again(machines, tmp_path):
    """Killed at several moments; what had arrived is not sent or fetched again."""
    one, two = machines
    size = 400 << 20
    one.write(".dstack/workflows.yaml", f"""\
        workflows:
          - name: large
            provider: bash
            commands: ["head -c {size} /dev/urandom > out/large"]
            artifacts: [out]
        """)
    one.run("large", name="r")
    shared = tmp_path / "shared" / "packs"

    def kill_when(process, arrived):
        while process.poll() is None and not arrived():
            time.sleep(0.005)
        killed = process.poll() is None
        process.kill()
        process.communicate(timeout=60)
        return killed

    killed = kill_when(one.start("push", "r"), lambda: shared.exists() and bytes_in(shared) > size / 4)
    there = {path: path.stat().st_ino for path in shared.rglob("*") if path.is_file()}
    one("push", "r")
    assert killed and there
    for path, inode in there.items():
        assert path.stat().st_ino == inode  # not sent again
    assert bytes_in(shared) < size * 1.01

    containers = two.home / "store" / "containers"
    killed = kill_when(two.start("pull", "r"), lambda: containers.exists() and bytes_in(containers) > size / 4)
    there = {path.name for path in containers.iterdir()}
    assert killed and there
    two("pull", "r")
    assert there <= {path.name for path in containers.iterdir()}
    assert bytes_in(containers) < size * 1.01
    two("cp", "r", "out/large", tmp_path / "b")
    one("cp", "r", "out/large", tmp_path / "a")
    assert subprocess.run(["cmp", tmp_path / "a", tmp_path / "b"]).returncode == 0


def test_a_tag_of_a_remote_is_a_dependency(machines):
    one, two = machines
    one.run("make", "-t", "v1", name="r")
    assert "remote tag 'v1'" in two("run", "use-remote-tag", code=2).stderr
    one("push", ":v1")
    two.run("use-remote-tag", name="u")
    assert two("cat", "u", "counts/count").stdout == "500\n"
    assert [run["name"] for run in two.json("ps", "-a")] == ["u"]


def test_a_run_with_a_remote_is_finished_when_it_is_there(machines, tmp_path):
    one, two = machines
    one.run("--remote", "make", "-t", "v1", name="r")
    two("pull", ":v1")
    assert two.json("ls", "-r", "r") == one.json("ls", "-r", "r")

    one.run("make", "--remote=shared", name="s")
    assert "s" in [item["name"] for item in two.json("remote", "list", "shared")]

    # The remote goes away while the run goes on: it is not finished, and says what to do.
    one.write(".dstack/workflows.yaml", """\
        workflows:
          - name: unlucky
            provider: bash
            commands: ["sleep 4", "echo made > out/made"]
            artifacts: [out]
        """)
    process = one.start("run", "--remote", "shared", "unlucky", "--name", "t")
    wait_until(lambda: any(run["name"] == "t" and run["status"] == "running" for run in one.json("ps")))
    (tmp_path / "shared").rename(tmp_path / "gone")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "could not be sent to shared" in told and "kist resume t" in told
    assert one.json("show", "t")["status"] == "interrupted"
    assert "could not be sent to shared" in one("resume", "t", code=3).stderr
    (tmp_path / "gone").rename(tmp_path / "shared")
    one("resume", "t")
    assert one.json("show", "t")["status"] == "succeeded"
    two("pull", "t")
    assert two("cat", "t", "out/made").stdout == "made\n"
    assert [node["attempt"] for node in two.json("show", "t")["nodes"]] == [1]  # nothing was done twice


def test_remotes_are_listed_and_forgotten(kist, tmp_path):
    assert "`kist remote add NAME URL`" in kist("pull", "x", code=2).stderr
    assert kist.json("remote", "list") == []
    kist("remote", "add", "a", "../a")
    kist("remote", "add", "b", f"file://{tmp_path}/b")
    assert kist.json("remote") == [
        {"name": "a", "url": f"file://{kist.project.parent}/a", "default": True},
        {"name": "b", "url": f"file://{tmp_path}/b", "default": False}]
    assert "already" in kist("remote", "add", "a", "../c", code=2).stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert "no remote of kist" in kist("remote", "add", "c", tmp_path / "full", code=2).stderr
    kist("remote", "remove", "a")
    assert [(item["name"], item["default"]) for item in kist.json("remote")] == [("b", True)]
    shutil.move(tmp_path / "b", tmp_path / "gone")
    assert "is not there" in kist("remote", "list", "b", code=3).stderr


def add_bucket(machines, s3_server):
    bucket = s3_server.bucket()
    for machine in machines:
        machine.environment.update(s3_server.environment)
        machine("remote", "add", "s3", f"s3://{bucket}/some/prefix?region={s3_server.region}", "--default",
                "--endpoint", s3_server.endpoint)
    return bucket


def test_a_bucket_is_a_remote(machines, s3_server, tmp_path):
    one, two = machines
    bucket = add_bucket(machines, s3_server)
    one.run("make", "-t", "v1", name="r")
    one("push", ":v1")
    keys = s3_server.keys(bucket)
    assert all(key.startswith("some/prefix/") for key in keys)
    assert len(keys) < 10  # 500 files
    two("pull", ":v1")
    for machine, target in ((one, "a"), (two, "b")):
        machine("artifacts", "download", "r", tmp_path / target)
    assert picture(tmp_path / "a") == picture(tmp_path / "b")
    two.run("use-tag", "--remote", name="u")
    one("pull", "u")
    assert one("cat", "u", "links/link").stdout == "large\n"

    # Keys come from the environment and are kept nowhere.
    for machine in machines:
        for path in machine.home.rglob("*"):
            if path.is_file():
                assert s3_server.secret_key.encode() not in path.read_bytes(), path
    one.environment["AWS_SECRET_ACCESS_KEY"] = "wrong" * 8
    refused = one("push", "r", code=3).stderr
    assert "wrong" not in refused


def test_two_machines_push_one_tag_to_a_bucket_at_once(machines, s3_server):
    add_bucket(machines, s3_server)
    one, two = machines
    one.run("make", "-t", "v1", name="of-one")
    two.run("make", "-t", "v1", name="of-two")
    pushes = [machine.start("push", ":v1") for machine in machines]
    results = [(process.communicate(timeout=120), process.returncode) for process in pushes]
    assert sorted(code for _, code in results) == [0, 2], results


def test_plain_keys_are_those_of_the_runs_own_system(kist, s3_server):
    kist.environment.update(s3_server.environment)
    bucket = s3_server.bucket()
    kist.write("w.yaml", """\
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: t-}
        spec:
          entrypoint: main
          templates:
            - name: main
              container: {image: alpine, command: [sh, -c], args: ["echo hello > /tmp/a.txt; mkdir /tmp/d; echo x > '/tmp/d/ü +.txt'"]}
              outputs:
                artifacts:
                  - {name: packed, path: /tmp/a.txt}
                  - {name: plain, path: /tmp/a.txt, archive: {none: {}}}
                  - {name: directory, path: /tmp/d, archive: {none: {}}}
        """)
    kist("run", "w.yaml", "--name", "wf")
    kist("push", "--plain", f"s3://{bucket}/base", "wf")
    keys = s3_server.keys(bucket)
    pod = keys[0].split("/")[2]
    assert sorted(keys) == [f"base/wf/{pod}/a.txt", f"base/wf/{pod}/d/ü +.txt", f"base/wf/{pod}/packed.tgz"]
    assert s3_server.request("GET", f"/{bucket}/base/wf/{pod}/a.txt") == (200, b"hello\n")

    kist.write(".dstack/workflows.yaml", WORKFLOWS)
    kist.run("make", name="r")
    left_out = kist("push", "--plain", f"s3://{bucket}/d", "r").stderr
    assert "out/link" in left_out
    assert f"d/artifacts/{kist.project.name}/r,make,0/out/large" in s3_server.keys(bucket, "d/")


def test_another_kist_is_a_remote(machines, tmp_path):
    one, two = machines
    (tmp_path / "server").mkdir()
    server = Kist(tmp_path / "server")
    with Served(server) as served:
        told = one("remote", "add", "served", served.address, code=None)
        assert told.returncode != 0 and "KIST_TOKEN" in told.stderr
        one("remote", "add", "served", served.address, "--token-file", served.token_file, "--default")
        two.environment["KIST_TOKEN"] = served.token
        two("remote", "add", "served", served.address, "--default")
        one.run("make", "-t", "v1", name="r")
        one("push", ":v1")
        two("pull", ":v1")
        assert two.json("ls", "-r", "r") == one.json("ls", "-r", "r")
        two.run("use", "--remote", name="u")
        one("pull", "u")
        for machine in machines:
            for path in machine.home.rglob("*"):
                assert not path.is_file() or served.token.encode() not in path.read_bytes(), path
        two.environment["KIST_TOKEN"] = "wrong"
        assert two("push", "u", code=3)
