"""The starter of steps that Hera's runner performs (sandbox/starter.hpp): does once what each begins with, which is to
start Python and to import Hera, and becomes the process of a step whenever it is asked to.

What a step sees is what `python -m hera.workflows.runner ...` would have brought about in its place. Where this cannot be
told for certain it ends, and the step gets an interpreter of its own.

It imports nothing of a project: neither the step's working directory nor PYTHONPATH is searched before there is a step.
"""
import sys

if __name__ == "__main__":
    # As a module of its own: __main__ belongs to the runner.
    exec(compile(sys.orig_argv[2], "<starter>", "exec"), {"__name__": "starter", "__builtins__": __builtins__})
    raise SystemExit

import ctypes, importlib.machinery, os, runpy, select, socket, stat, struct, threading, time  # noqa: E401

CONTROL, WRITTEN = 3, 4  # where requests come; what anybody wrote to the standard output or error until now
IDLE = 60  # seconds
RUNNER = "hera.workflows.runner"
STAND_IN = "/.kist/bin/python"  # for python where there is only python3
OF_MAIN = {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__", "__builtins__"}


class Doubt(Exception):
    pass


# ---- before

def prepare():
    """Imports what the runner does. What it is made of, as the file system has it."""
    began = time.time()
    if sys.flags.safe_path if sys.version_info >= (3, 11) else sys.flags.isolated:
        raise Doubt("the working directory is not searched")
    if sys.path[:1] == [""]:
        del sys.path[0]
    given = read("/proc/self/environ", "rb").split(b"\0")
    own = {name: value for name, value in os.environb.items() if name + b"=" + value not in given}
    missed = Missed()
    sys.meta_path.append(missed)
    import hera.workflows._runner.util  # noqa: F401
    sys.meta_path.remove(missed)
    if RUNNER in sys.modules:
        raise Doubt("the runner itself was imported")
    sys.stdout.flush()
    sys.stderr.flush()
    if select.select([WRITTEN], [], [], 0)[0]:
        raise Doubt("something was written")
    os.close(WRITTEN)
    if threading.active_count() != 1 or len(os.listdir("/proc/self/task")) != 1:
        raise Doubt("there are threads")
    if {int(each) for each in os.listdir("/proc/self/fd")} - {0, 1, 2, CONTROL} - {max_descriptor()}:
        raise Doubt("files were left open")
    made_of = [Place(path) for path in places()]
    if any(place.written >= began - 1 for place in made_of):
        raise Doubt("something has just been written")
    return own, missed.names, made_of


class Missed:
    """The last of the finders: hears of what was looked for and not found."""

    def __init__(self):
        self.names = set()

    def find_spec(self, name, path=None, target=None):
        self.names.add(name.partition(".")[0])


def read(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def max_descriptor():
    """The one that a listing of descriptors is read by: the lowest that is free."""
    descriptor = os.open("/", os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def places():
    """All that decided what is loaded now: modules and their directories, libraries, what made sys.path."""
    found = {sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"), *sys.path}
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})  # no more than it has: some load what they are asked for
        path = names.get("__file__")
        if path:
            found.update((path, os.path.dirname(path)))
        found.update(names.get("__path__") or ())
    for directory in sys.path:
        if os.path.isdir(directory):
            found.update(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".pth"))
    for line in read("/proc/self/maps").splitlines():
        path = line.split(None, 5)[5:]
        if path and path[0].startswith("/"):
            found.add(path[0])
    return found


class Place:
    """What was found at a path."""

    def __init__(self, path):
        self.path = path
        self.seen = self.look()
        self.is_directory = self.seen is not None and self.seen[0] is None
        self.names = sorted(os.listdir(path)) if self.is_directory else None
        self.written = 0 if self.seen is None or self.is_directory else os.stat(path).st_ctime

    def look(self):
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return None, status.st_mtime_ns
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode

    def is_as_seen(self):
        now = self.look()
        if now == self.seen:
            return True
        # A directory that lies in several layers has the time of the uppermost.
        return self.is_directory and now is not None and now[0] is None and sorted(os.listdir(self.path)) == self.names


# ---- on request

def serve(own, missed, made_of):
    """Returns in the process of a step alone, with what it is to be."""
    control = socket.socket(fileno=CONTROL)
    control.send(b"ready")
    under_way = 0
    while True:
        ready = select.select([control], [], [], 0.05 if under_way else IDLE)[0]
        if not ready and not under_way:
            os._exit(0)
        while under_way and os.waitpid(-1, os.WNOHANG)[0]:
            under_way -= 1
        if not ready:
            continue
        _, rights, _, _ = control.recvmsg(16, socket.CMSG_SPACE(4))
        if not rights:
            os._exit(0)
        connection = socket.socket(fileno=struct.unpack("=i", rights[0][2][:4])[0])
        if os.fork() == 0:
            control.close()
            try:
                return enter(connection, own, missed, made_of)
            except BaseException:
                os._exit(1)
        connection.close()
        under_way += 1


def enter(connection, own, missed, made_of):
    message, rights, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 8))
    if not rights:
        raise Doubt("there is no request")
    descriptors = list(struct.unpack("=%di" % (len(rights[0][2]) // 4), rights[0][2]))
    with_user, arguments, environment, directory = unpack(message[1:])
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(4 if with_user else 3):
        if libc.setns(descriptors.pop(0), 0) != 0:
            raise Doubt("a namespace cannot be entered")
    if child := os.fork():  # that is in the namespace
        os.waitpid(child, 0)
        os._exit(0)
    if os.fork():  # that is a child of init as soon as this one has ended
        os._exit(0)
    while os.getppid() != 1:
        time.sleep(0.0002)
    root, *streams = descriptors
    there, here = os.fstat(root), os.stat("/")
    if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
        os.fchdir(root)  # kist runs in a chroot, where init could not make its root that of its mounts either
        os.chroot(".")
    take_rights_of_init(libc)
    os.setsid()
    os.chdir(directory)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    variables = dict(each.split(b"=", 1) for each in environment)
    words = [os.fsdecode(word) for word in arguments]
    if words[1:3] != ["-m", RUNNER]:
        raise Doubt("it is another command")
    words[0] = interpreter(words[0], variables)
    first = first_of_path(variables, missed)
    if not all(place.is_as_seen() for place in made_of):
        raise Doubt("other files are there")
    connection.send(b"S" + struct.pack("=QQ", 0, os.getpid()))
    if not connection.recv(16):
        raise Doubt("nobody waits for it any more")
    connection.close()
    os.closerange(3, 64)
    return words, {**variables, **{name: value for name, value in own.items() if name not in variables}}, first


def unpack(message):
    """What a Packer of kist's wrote."""
    at = 0

    def number():
        nonlocal at
        at += 8
        return struct.unpack_from("=Q", message, at - 8)[0]

    def text():
        nonlocal at
        length = number()
        at += length
        return message[at - length:at]

    def texts():
        return [text() for _ in range(number())]

    return number(), texts(), texts(), text()


def status_of(process):
    lines = (line.partition(":") for line in read("/proc/%s/status" % process).splitlines())
    return {name: value.strip() for name, _, value in lines}


def take_rights_of_init(libc):
    bounding, drop, dumpable = 23, 24, 4  # of prctl
    capset, sigaction = (126, 13) if os.uname().machine == "x86_64" else (91, 134)
    for number in (32, 33):  # the C library's own: posix_spawn() has them ignored
        libc.syscall(sigaction, number, bytes(32), None, 8)
    init = status_of(1)
    kept, permitted = int(init["CapBnd"], 16), int(init["CapPrm"], 16)
    if permitted != (kept if os.geteuid() == 0 else 0):
        raise Doubt("a new program would have other rights")
    capability = 0
    while libc.prctl(bounding, capability, 0, 0, 0) >= 0:
        if not kept >> capability & 1:
            libc.prctl(drop, capability, 0, 0, 0)
        capability += 1
    header = struct.pack("=Ii", 0x20080522, 0)
    low, high = permitted & 0xFFFFFFFF, permitted >> 32
    libc.syscall(capset, header, struct.pack("=6I", low, low, 0, high, high, 0))
    libc.prctl(dumpable, 1, 0, 0, 0)
    os.umask(int(init["Umask"], 8))
    now = status_of("self")
    for name in ("Uid", "Gid", "Groups", "Umask", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"):
        if now.get(name) != init.get(name):
            raise Doubt("%s differs" % name)
    for name in ("limits", "oom_score_adj", "cgroup"):
        if read("/proc/1/" + name) != read("/proc/self/" + name):
            raise Doubt("%s differs" % name)
    if os.getpriority(os.PRIO_PROCESS, 0) != os.getpriority(os.PRIO_PROCESS, 1):
        raise Doubt("its niceness differs")


def which(name, variables):
    for directory in os.fsdecode(variables.get(b"PATH", b"")).split(":"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def interpreter(name, variables):
    """The first word of the command as its interpreter gets it, where that is this one."""
    found = which(name, variables)
    if found == STAND_IN:
        name = "python3"
        found = which(name, variables)
    if found != sys.orig_argv[0]:
        raise Doubt("it is another interpreter")
    return name


def first_of_path(variables, missed):
    """What comes first in sys.path: nothing there may be found instead of what is loaded already."""
    first = [os.getcwd()]
    for entry in os.fsdecode(variables.get(b"PYTHONPATH", b"")).split(":") if variables.get(b"PYTHONPATH") else ():
        path = os.path.abspath(entry)
        if path in sys.path or path in first[1:]:
            raise Doubt("%s is searched twice" % path)
        first.append(path)
    wanted = {name.partition(".")[0] for name in sys.modules} - {"__main__"} | missed | {"sitecustomize", "usercustomize"}
    suffixes = importlib.machinery.all_suffixes()
    for directory in first:
        if not os.path.exists(directory):
            continue
        for name in os.listdir(directory):
            stem, dot, _ = name.partition(".")
            is_module = stem in wanted and (not dot or any(name.endswith(suffix) for suffix in suffixes))
            if is_module or name.endswith((".dist-info", ".egg-info", ".egg")):
                raise Doubt("%s may be found before what was found" % os.path.join(directory, name))
    return first


# ---- the step

def become(words, variables, first):
    os.environb.clear()
    os.environb.update(variables)
    sys.orig_argv[:] = words
    sys.argv[:] = words[1:2] + words[3:]
    sys.path[:0] = first
    importlib.invalidate_caches()
    main = vars(sys.modules["__main__"])
    for name in [name for name in main if name not in OF_MAIN]:
        del main[name]
    try:
        runpy._run_module_as_main(RUNNER)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        # As the interpreter does, without this function's frame.
        trace = error.__traceback__.tb_next
        error.__traceback__ = trace
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        sys.excepthook(type(error), error, trace)
        raise SystemExit(1) from None


if __name__ == "starter":
    try:
        step = serve(*prepare())
    except BaseException:
        os._exit(1)
    become(*step)
