"""Artifacts read without restoring them, through the built program: pages, differences, lineage, archives, mounts."""
import base64
import io
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import zipfile

import pytest

from conftest import BINARY, wait_until

CHAIN = """\
    apiVersion: argoproj.io/v1alpha1
    kind: Workflow
    metadata: {generateName: chain-}
    spec:
      entrypoint: main
      arguments: {parameters: [{name: word, value: hello}]}
      templates:
        - name: main
          steps:
            - - name: make
                template: make
                arguments: {parameters: [{name: word, value: "{{workflow.parameters.word}}"}]}
            - - name: use
                template: use
                arguments:
                  artifacts:
                    - {name: in, from: "{{steps.make.outputs.artifacts.made}}"}
                    - {name: note, raw: {data: "a note from the file"}}
        - name: make
          inputs: {parameters: [{name: word}]}
          script:
            image: alpine
            command: [sh]
            source: |
              mkdir -p /tmp/made/deep /tmp/made/empty
              for line in 1 2 3 4 5 6 7 8 9; do echo $line; done > /tmp/made/lines
              echo "{{inputs.parameters.word}}" >> /tmp/made/lines
              echo same > /tmp/made/deep/kept
              head -c 300000 /dev/zero | tr '\\0' "{{inputs.parameters.word}}" > /tmp/made/large
              ln -s deep/kept /tmp/made/link
              chmod 600 /tmp/made/deep/kept
              touch -d 2020-02-02T02:02:02Z /tmp/made/lines
          outputs: {artifacts: [{name: made, path: /tmp/made}]}
        - name: use
          inputs:
            artifacts:
              - {name: in, path: /tmp/in}
              - {name: note, path: /tmp/note}
          container:
            image: alpine
            command: [sh, -c, "cp -a /tmp/in /tmp/out && cat /tmp/note > /tmp/out/note && rm /tmp/out/large"]
          outputs: {artifacts: [{name: out, path: /tmp/out}]}
    """


@pytest.fixture
def chain(kist):
    """A run of two steps."""
    kist.write("chain.yaml", CHAIN)
    return kist.run("chain.yaml", name="one")


def test_a_listing_is_given_in_pages(kist, chain):
    everything = [row["path"] for row in kist.json("ls", "-r", chain)]
    assert "made/empty/" in everything and "out/note" in everything
    paged, after = [], None
    while True:
        words = ["ls", "-r", chain, "--limit", "2", *(["--after", after] if after else [])]
        done = kist(*words)
        page = [row["path"] for row in kist.json(*words)]
        assert len(page) <= 2
        paged += page
        if not page or "--after" not in done.stderr:
            break
        after = page[-1]
        assert f"--after '{after}'" in done.stderr
    assert paged == everything
    assert [row["path"] for row in kist.json("ls", chain, "made", "--after", "made/deep/")] == everything_in(kist, chain)[1:]
    kist("ls", chain, "--limit", "none", code=2)


def everything_in(kist, run):
    return [row["path"] for row in kist.json("ls", run, "made")]


def test_diff_tells_what_changed_and_never_times(kist, chain):
    other = kist.run("chain.yaml", "-p", "word=world", name="two")
    kist.run("chain.yaml", name="three")
    assert kist("diff", "one", "three").stdout == ""
    done = kist("diff", "one", "two", code=1).stdout
    assert "--- one/made/lines\n+++ two/made/lines\n@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-hello\n+world\n" in done
    assert "Binary" not in done and "kept" not in done
    lines = kist("diff", "one/made", f"{other}/made", "--name-status", code=1).stdout.splitlines()
    assert lines == ["M\tmade/large", "M\tmade/lines"]
    parts = kist.json("diff", "one/made", "one/out", code=1)
    assert [(part["name"], part["status"]) for part in parts] == [("out/large", "removed"), ("out/note", "added")]
    assert parts[0]["before"]["size"] == 300000
    assert "+a note from the file" in kist("diff", "one/made", "one/out", code=1).stdout
    stat = kist("diff", "--stat", "one/made", "one/out", code=1).stdout
    assert stat.splitlines()[-1] == "1 added, 1 removed, 0 changed; 20.0B added, 293.0KiB removed"
    assert kist("diff", "-q", "one/made/link", "one/out/link").stdout == ""
    kist("diff", "one", "nobody", code=2)
    kist("diff", "one", "two/made", code=2)
    kist("diff", "one/made/none", "two/made/none", code=2)


def test_why_leads_back_to_the_sources(kist, chain):
    story = kist.json("why", chain, "out/deep/kept")
    made_by = story["made_by"]
    assert (story["type"], made_by["display"], made_by["definition"]) == ("file", "use", "use")
    assert made_by["commands"][0]["command"][:2] == ["sh", "-c"]
    taken, note = made_by["inputs"]
    assert taken["name"] == "in" and taken["unchanged"] is True
    assert (note["kind"], note["text"]) == ("text", "a note from the file")
    maker = taken["made_by"]
    assert maker["display"] == "make" and maker["parameters"] == [{"name": "word", "value": "hello"}]
    assert "echo \"hello\" >> /tmp/made/lines" in maker["commands"][0]["script"]
    assert maker["project"]["files"] == ["chain.yaml"]
    told = kist("why", chain, "out").stdout
    for words in ("out  directory", "made by use of run one", "input in", "made by make of run one", "parameter word = hello",
                  "a note from the file", "chain.yaml"):
        assert words in told, told
    kist("why", chain, "out/nothing", code=2)


def test_why_goes_through_earlier_runs_and_knows_the_revision(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: first
            provider: bash
            commands: [echo hello > output/hello.txt]
            artifacts: [{path: output}]
          - name: second
            provider: bash
            deps: [{workflow: first}]
            commands: [cp output/hello.txt copy/hello.txt]
            artifacts: [{path: copy}]
        """)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(kist.project)]
    subprocess.run([*git, "init", "-q", "-b", "trunk"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    kist.run("first", name="first-run")
    kist.run("second", name="second-run")
    made_by = kist.json("why", "second-run", "copy/hello.txt")["made_by"]
    assert made_by["project"]["commit"] == commit and made_by["project"]["branch"] == "trunk"
    (taken,) = made_by["inputs"]
    assert (taken["run"], taken["by_workflow"], taken["unchanged"]) == ("first-run", "first", True)
    assert taken["made_by"]["run"] == "first-run"
    # The tag remembers what the run made when the run is gone; without one, that it was there.
    kist("tags", "add", "first-run", "kept")
    kist("rm", "-y", "first-run")
    assert kist.json("why", "second-run", "copy")["made_by"]["inputs"][0]["made_by"]["run"] == "first-run"
    kist("tags", "delete", "-y", "kept")
    assert "nothing is known any more" in kist("why", "second-run", "copy").stdout


def test_export_streams_an_archive(kist, chain):
    kist("export", chain, "-o", "all.tar.zst")
    assert not list(kist.project.glob("*.part"))
    listed = subprocess.run(["tar", "--zstd", "-tf", kist.project / "all.tar.zst"], capture_output=True, text=True, check=True)
    assert {"made/", "made/empty/", "made/link", "out/note"} <= set(listed.stdout.split())
    for form, mode in (("tar", "r:"), ("tar.gz", "r:gz")):
        bytes_out = kist.shell(f"kist export {chain} made/deep --format {form} | base64").stdout
        again = kist.shell(f"kist export {chain} made/deep --format {form} | base64").stdout
        assert bytes_out == again
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(bytes_out)), mode=mode) as tar:
            assert tar.getnames() == ["deep", "deep/kept"]
            assert tar.getmember("deep/kept").mode == 0o600
            assert tar.extractfile("deep/kept").read() == b"same\n"
    kist("export", chain, "made", "-o", "made.zip")
    with zipfile.ZipFile(kist.project / "made.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("made/deep/kept") == b"same\n"
    kist("export", chain, "-o", "all.rar", code=2)
    kist("export", chain, "made/none", "-o", "x.tar", code=2)
    assert not (kist.project / "x.tar").exists()


# ---- mounts

needs_fuse = pytest.mark.skipif(not os.path.exists("/dev/fuse") or not shutil.which("fusermount3"),
                                reason="there is no /dev/fuse or no fusermount3 here")


def is_mounted(path):
    return any(line.split()[4] == str(path) for line in open("/proc/self/mountinfo"))


def server_of(path):
    """The process that serves a mount: the one whose command line names it."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"mount" in words and str(path).encode() in words:
                return int(entry.name)
    return None


@pytest.fixture
def mount_point(tmp_path):
    path = tmp_path.resolve() / "mounted"
    yield path
    while is_mounted(path):
        server = server_of(path)
        subprocess.run(["fusermount3", "-u", "-z", path], check=True)
        if server:
            wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists())


def picture(top):
    entries = {}
    for path in sorted(pathlib.Path(top).rglob("*")):
        status = path.lstat()
        entries[str(path.relative_to(top))] = (status.st_mode, status.st_mtime_ns, os.readlink(path) if path.is_symlink()
                                               else path.read_bytes() if path.is_file() else None)
    return entries


@needs_fuse
def test_a_mount_shows_what_a_download_writes(kist, chain, mount_point):
    kist("mount", chain, mount_point)
    assert is_mounted(mount_point)
    kist("artifacts", "download", chain, "down")
    assert picture(mount_point) == picture(kist.project / "down")
    assert len(picture(mount_point)) > 10
    with pytest.raises(OSError):
        (mount_point / "out/new").write_text("x")
    with open(mount_point / "made/large", "rb") as file:
        file.seek(299_990)
        assert file.read(100) == b"h" * 10
    assert "already" in kist("mount", chain, mount_point, code=None).stderr
    assert kist("ls", chain).stdout  # the store is not held up
    with open(mount_point / "out/note"):
        assert "--lazy" in kist("unmount", mount_point, code=3).stderr
    kist("unmount", mount_point)
    assert not is_mounted(mount_point) and mount_point.is_dir()
    kist("unmount", mount_point, code=2)
    (mount_point / "something").touch()
    kist("mount", chain, mount_point, code=2)


@needs_fuse
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests show it")
def test_an_ordinary_user_mounts_too():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        home = pathlib.Path(home)
        (home / "project/.dstack").mkdir(parents=True)
        (home / "project/.dstack/workflows.yaml").write_text(
            "workflows: [{name: w, provider: bash, commands: [echo hello > output/x], artifacts: [{path: output}]}]\n")
        (home / "mnt").mkdir()
        shutil.copy(BINARY, home / "kist")
        for path in [home, *home.rglob("*")]:
            os.chown(path, 65534, 65534)

        def user(*words):
            return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", home / "kist", *words],
                                  cwd=home / "project", env={"HOME": str(home), "PATH": os.environ["PATH"]},
                                  capture_output=True, text=True, timeout=60)

        assert user("run", "w", "--name", "r").returncode == 0
        done = user("mount", "r", "../mnt")
        if done.returncode != 0 and "/dev/fuse" in done.stderr:
            pytest.skip(f"FUSE refuses: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        try:
            read = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat",
                                   home / "mnt/output/x"], capture_output=True, text=True, timeout=60)
            assert read.stdout == "hello\n", read
        finally:
            assert user("unmount", "../mnt").returncode == 0
        assert not is_mounted(home / "mnt")


@needs_fuse
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_mount_in_the_foreground_ends_with_a_signal(kist, chain, mount_point, how):
    process = kist.start("mount", "-f", chain, mount_point)
    wait_until(lambda: is_mounted(mount_point) or process.poll() is not None)
    assert (mount_point / "out/note").read_text() == "a note from the file"
    process.send_signal(how)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert not is_mounted(mount_point)


@needs_fuse
def test_what_a_killed_mount_left_is_cleaned_by_the_next(kist, chain, mount_point):
    kist("mount", chain, mount_point)
    server = server_of(mount_point)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists())
    with pytest.raises(OSError):
        os.listdir(mount_point)
    kist("mount", chain, mount_point)
    assert (mount_point / "out/note").read_text() == "a note from the file"
    server = server_of(mount_point)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists())
    kist("unmount", mount_point)
    assert not is_mounted(mount_point)


@needs_fuse
def test_a_damaged_chunk_is_an_error_and_not_other_bytes(kist, chain, mount_point):
    kist("mount", chain, mount_point)
    for pack in (kist.home / "store/containers").iterdir():
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        for at in range(16, len(data) // 2, 8):
            data[at] ^= 0xFF
        pack.write_bytes(data)
    failures = 0
    for name in ("made/large", "made/lines", "out/note", "out/deep/kept"):
        try:
            assert (mount_point / name).read_bytes()[:1] in (b"h", b"1", b"a", b"s")
        except OSError:
            failures += 1
    assert failures > 0
    assert "/pack-" in (kist.home / "mounts.log").read_text()


@needs_fuse
def test_a_mount_of_a_remote_reads_without_pulling(kist, chain, mount_point, tmp_path):
    kist("remote", "add", "shared", str(tmp_path / "remote"))
    kist("push", chain, "--remote", "shared")
    kist("rm", "-y", chain)
    for directory in ("containers", "index"):
        for file in (kist.home / "store" / directory).iterdir():
            file.unlink()
    kist("mount", chain, mount_point, "--remote", "shared")
    assert (mount_point / "out/note").read_text() == "a note from the file"
    assert (mount_point / "made/large").read_bytes() == b"h" * 300_000
    kist("mount", "nobody", tmp_path / "other", "--remote", "shared", code=2)
    kist("unmount", mount_point)


@needs_fuse
def test_a_mount_of_all_runs_follows_what_comes_and_goes(kist, chain, mount_point):
    kist("mount", "--all", mount_point)
    assert os.listdir(mount_point) == ["one"]
    assert (mount_point / "one/out/note").read_text() == "a note from the file"
    kist.run("chain.yaml", name="two")
    wait_until(lambda: sorted(os.listdir(mount_point)) == ["one", "two"])
    assert (mount_point / "two/made/deep/kept").read_text() == "same\n"
    kist("rm", "-y", "one")
    wait_until(lambda: os.listdir(mount_point) == ["two"])
    assert not (mount_point / "one").exists()
    kist("unmount", mount_point)
    kist("mount", "--all", chain, mount_point, code=2)


@needs_fuse
def test_dstack_shows_artifacts_where_it_kept_them(kist, tmp_path, request):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: hello
            provider: bash
            commands: [echo hello > output/hello.txt]
            artifacts: [{path: ./output}]
        """)
    home = tmp_path.resolve() / "person"
    artifacts = home / ".dstack/artifacts"
    home.mkdir()
    kist.environment["HOME"] = str(home)

    def end():
        if is_mounted(artifacts):
            server = server_of(artifacts)
            subprocess.run(["fusermount3", "-u", "-z", artifacts], check=True)
            wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists())

    request.addfinalizer(end)
    kist("run", "hello", "--name", "quick-fox-1", program="dstack")
    assert not artifacts.exists()  # nobody who never had dstack gets its directory
    artifacts.parent.mkdir()
    kist("ps", program="dstack")
    shown = artifacts / "project/quick-fox-1,hello,0/output/hello.txt"
    assert shown.read_text() == "hello\n"
    with pytest.raises(OSError):
        shown.write_text("other")
    kist("run", "hello", "--name", "lazy-dog-1", program="dstack")
    wait_until(lambda: (artifacts / "project/lazy-dog-1,hello,0/output/hello.txt").exists())
    # What dstack itself left there is never hidden.
    end()
    (artifacts / "old").mkdir()
    kist("ps", program="dstack")
    assert not is_mounted(artifacts)


def test_the_next_page_after_any_name(kist):
    kist.write(".dstack/workflows.yaml", """\
        workflows:
          - name: odd
            provider: bash
            commands:
              - mkdir -p output && cd output
              - touch "$(printf 'bad\\\\377\\\\376name')" "$(printf "it's\\\\n\\\\\\\\one")" "$(printf 'a\\\\0331b')" plain
            artifacts: [{path: output}]
        """)
    kist.run("odd", name="odd")
    seen, after = 0, ""
    for _ in range(10):
        done = kist.shell(f"kist ls -r odd --limit 1 {after}")
        assert done.returncode == 0, done.stderr
        seen += 1
        if "--after" not in done.stderr:
            break
        after = done.stderr.strip().removeprefix("There is more: ")
        assert "\x1b" not in after
    assert seen == 4
