"""What is kept of a tree, and what becomes of the rest (docs/tasks.md, "What is kept of a tree")."""
import os
import stat
import subprocess
import textwrap

import pytest

WORKFLOW = """\
    workflows:
      - name: w
        provider: bash
        commands:
          - python3 -u work.py
        artifacts:
          - output
    """


@pytest.fixture
def made(kist):
    """Runs a program, in `output`, whose tree is the artifact of a run `r`."""
    def run(text):
        kist.write(".dstack/workflows.yaml", WORKFLOW)
        kist.write("work.py", "import os, socket\nos.chdir('output')\n" + textwrap.dedent(text))
        return kist("run", "w", "--name", "r")
    return run


def stored(kist):
    return sum(entry.stat().st_blocks * 512 for entry in os.scandir(kist.home / "store/containers"))


def test_what_cannot_be_kept_is_named_in_the_log_and_the_record(kist, made):
    done = made("""\
        os.mkfifo('pipe')
        os.makedirs('sub')
        bound = socket.socket(socket.AF_UNIX); bound.bind('sub/socket')
        open('kept', 'w').write('kept')
        """)
    left_out = ["pipe: it is a named pipe", "sub/socket: it is a socket"]
    for text in left_out:
        assert f"artifact 'output': left out: {text}\n" in done.stdout + done.stderr
        assert f"output: left out: {text}\n" in kist("show", "r").stdout
    assert kist.json("show", "r")["nodes"][-1]["output_artifacts"][0]["left_out"] == left_out
    assert set(entry["path"] for entry in kist.json("ls", "-r", "r")) == {"output/kept", "output/sub/"}


def test_odd_names_come_back_as_they_were(kist, made):
    made("""\
        for name in [b'new\\nline', b'\\xff\\xfe', b'\\x1b[31m', b'blank at the end ', b'-r', b'x' * 255, 'ä€😀'.encode()]:
            open(name, 'wb').write(name)
        """)
    names = [b"new\nline", b"\xff\xfe", b"\x1b[31m", b"blank at the end ", b"-r", b"x" * 255, "ä€😀".encode()]
    listing = kist("ls", "-r", "r").stdout
    assert "\x1b" not in listing and len(listing.splitlines()) == 1 + len(names)
    assert "\\xff\\xfe" in listing and "new\\x0aline" in listing
    for name in names:
        if name != b"\xff\xfe":  # what the test reads is UTF-8
            assert kist("cat", "r", os.fsdecode(b"output/" + name)).stdout == os.fsdecode(name)
    kist("artifacts", "download", "r", "back")
    back = os.fsencode(kist.project / "back/output")
    assert sorted(os.listdir(back)) == sorted(names)
    assert all(open(os.path.join(back, name), "rb").read() == name for name in names)


def test_paths_longer_than_the_system_takes_at_once(kist, made):
    made("""\
        for level in range(60):
            os.mkdir('d' * 200)
            os.chdir('d' * 200)
        open('bottom', 'w').write('reached')
        """)
    path = "output/" + ("d" * 200 + "/") * 60 + "bottom"
    assert kist("cat", "r", path).stdout == "reached"
    kist("cp", "r", "output", "back")
    os.chdir(kist.project / "back")
    try:
        for _ in range(60):
            os.chdir("d" * 200)
        assert open("bottom").read() == "reached"
    finally:
        os.chdir("/")


def test_a_sparse_file_stays_sparse_and_costs_nothing(kist, made):
    made("""\
        with open('sparse', 'wb') as file:
            file.truncate(20 << 30)
            file.seek(10 << 30)
            file.write(b'in the middle')
        """)
    assert stored(kist) < 1 << 20
    kist("cp", "r", "output", "back")
    back = os.stat(kist.project / "back/sparse")
    assert back.st_size == 20 << 30 and back.st_blocks * 512 < 1 << 20
    with open(kist.project / "back/sparse", "rb") as file:
        file.seek(10 << 30)
        assert file.read(13) == b"in the middle"
    # Given on to another task it is sparse too.
    kist.write(".dstack/workflows.yaml", WORKFLOW.rstrip(" ") + """\
      - name: next
        provider: bash
        deps: [w]
        commands:
          - test $(du -k output/sparse | cut -f1) -lt 1024
          - echo x >> output/sparse
        artifacts: [other]
    """)
    kist("run", "next", "--name", "n")


def test_hard_links_are_stored_once_and_made_again(kist, made):
    made("""\
        open('a', 'wb').write(os.urandom(8 << 20))
        os.mkdir('d')
        os.link('a', 'd/b')
        os.link('a', 'd/c')
        """)
    assert stored(kist) < 9 << 20

    def inodes(*paths):
        statuses = [os.stat(kist.project / path) for path in paths]
        assert all(status.st_size == 8 << 20 and status.st_nlink == len(paths) for status in statuses)
        return {status.st_ino for status in statuses}

    kist("cp", "r", "output", "back")
    assert len(inodes("back/a", "back/d/b", "back/d/c")) == 1
    # Of a part, among the files of the part.
    kist("cp", "r", "output/d", "part")
    assert len(inodes("part/b", "part/c")) == 1
    kist("export", "r", "output", "-o", "out.tar")
    assert os.stat(kist.project / "out.tar").st_size < 9 << 20
    (kist.project / "unpacked").mkdir()
    subprocess.run(["tar", "xf", "../out.tar", "--strip-components=1"], cwd=kist.project / "unpacked", check=True)
    assert len(inodes("unpacked/a", "unpacked/d/b", "unpacked/d/c")) == 1


def test_extended_attributes_are_kept_if_the_settings_say_so(kist, made):
    try:
        os.setxattr(kist.project, "user.kist-test", b"")
        os.removexattr(kist.project, "user.kist-test")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    program = """\
        open('f', 'w').write('x')
        os.chmod('f', 0o444)
        os.mkdir('d')
        for path, value in ('d', b'of d'), ('.', b''):
            os.setxattr(path, 'user.note', value)
        os.chmod('f', 0o644)
        os.setxattr('f', 'user.note', b'of\\0f')
        os.chmod('f', 0o444)
        """
    made(program)
    kist("cp", "r", "output", "without")
    assert os.listxattr(kist.project / "without/f") == []
    kist("rm", "-y", "r")
    (kist.home / "settings.yaml").write_text("xattrs: true\n")
    made(program)
    kist("cp", "r", "output", "back")
    assert os.getxattr(kist.project / "back/f", "user.note") == b"of\0f"
    assert stat.S_IMODE(os.stat(kist.project / "back/f").st_mode) == 0o444
    assert os.getxattr(kist.project / "back/d", "user.note") == b"of d"
    assert os.getxattr(kist.project / "back", "user.note") == b""
    kist("export", "r", "output", "-o", "out.tar")
    (kist.project / "unpacked").mkdir()
    subprocess.run(["tar", "--xattrs", "-xf", "../out.tar", "--strip-components=1"], cwd=kist.project / "unpacked",
                   check=True)
    assert os.getxattr(kist.project / "unpacked/f", "user.note") == b"of\0f"


def test_directories_without_permissions_arrive_with_what_they_hold(kist, made):
    made("""\
        os.makedirs('closed/inner')
        open('closed/inner/file', 'w').write('x')
        os.chmod('closed/inner/file', 0)
        os.chmod('closed/inner', 0o500)
        os.chmod('closed', 0o100)
        """)
    kist("cp", "r", "output", "back")
    closed = kist.project / "back/closed"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o100
    closed.chmod(0o700)
    assert stat.S_IMODE((closed / "inner").stat().st_mode) == 0o500
    (closed / "inner").chmod(0o700)
    assert stat.S_IMODE((closed / "inner/file").stat().st_mode) == 0
