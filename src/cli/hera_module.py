"""Reads a Python module that defines workflows with Hera, and writes what it defines as YAML to descriptor 3.

    python hera_module.py FILE PROJECT 3>documents

kist carries this file and runs it with the project's own interpreter, so it needs nothing but Hera and Python 3.8. The
module is imported under its own name, not as `__main__`: that is the name by which the steps of Hera's runner import it
again. What the module prints goes where its standard output goes. No call of Hera's reaches a server: `create()` says
that the workflow is to be run, and everything goes on as if a server had taken it.

Descriptor 3 gets a line of JSON for every document, in the order the module made them:
{"kind": "Workflow", "name": "hello", "yaml": "…"}. The last line is {"end": true}, or {"error": "…"} where the module
could not be read; its traceback is on standard error then.
"""

import sys

# Before anything is imported: Python looks first where this file lies, or where it was started, and a file there that is
# called http.py is not Python's http. The module's own directory takes its place once Hera is there.
if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

import ast  # noqa: E402
import importlib.util  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import traceback  # noqa: E402

CHANNEL = 3
RUNNER = "hera.workflows.runner"
LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # what a cluster makes names of


class Refused(Exception):
    """What is said instead of a document."""


def where_it_lies(path):
    """The module's name, the directory from which it is imported, and its own. A file of a package is imported by the
    package's name, from where the package lies."""
    directory, file = os.path.split(path)
    parts = [os.path.splitext(file)[0]]
    root = directory
    while os.path.isfile(os.path.join(root, "__init__.py")) and os.path.basename(root).isidentifier():
        root, package = os.path.split(root)
        parts.insert(0, package)
    return ".".join(parts), root, directory


def own_names():
    """The modules that come with Python."""
    known = getattr(sys, "stdlib_module_names", None)
    if known is None:  # before Python 3.10
        known = {file.partition(".")[0] for file in os.listdir(os.path.dirname(os.__file__))}
        known.update(sys.builtin_module_names)
    return known


def comes_from(name, directory):
    """The file by which a module of this name lies in the directory, or None."""
    for file in (os.path.join(directory, name + ".py"), os.path.join(directory, name, "__init__.py")):
        if os.path.isfile(file):
            return file
    return None


def imported_from(directory):
    """(name, file) of what was imported from the directory by a name of its own."""
    for name, module in list(sys.modules.items()):
        file = comes_from(name, directory) if "." not in name else None
        found = getattr(module, "__file__", None)
        if file and found and os.path.realpath(found) == os.path.realpath(file):
            yield name, file


def stands_in_the_way(directories, error):
    """The file in these directories that was imported in the place of a module of Python's, or None."""
    known = own_names()
    wanted = (getattr(error, "name", None) or "").partition(".")[0]
    for directory in directories:
        for name, file in imported_from(directory):
            if name in known:
                return file
        if isinstance(error, ImportError) and wanted in known and comes_from(wanted, directory):
            return comes_from(wanted, directory)
    return None


class Workflows:
    """Every workflow that comes to be, and every wish to run one, in their order."""

    def __init__(self, hera_workflow, namespace):
        self.hera_workflow = hera_workflow
        self.namespace = namespace  # of the module that is read: its globals
        self.made = []  # (place in the order, instance, whether the module itself made it)
        self.wishes = []  # (place, instance or None, document)
        self.named_here = set()  # ids of instances whose name was made up by create()
        self.waited = None  # the line of the module that waits for a run
        self.recording = True
        self.count = 0

    def next(self):
        self.count += 1
        return self.count

    def add(self, instance, given):
        if self.recording:
            self.made.append((self.next(), instance, given and self.made_by_module()))

    def made_by_module(self):
        """Whether the module's own code is at work, and not that of a module it imports."""
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_globals is self.namespace:
                return True
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return False
            frame = frame.f_back
        return False

    def line(self):
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals is not self.namespace:
            frame = frame.f_back
        return frame.f_lineno if frame is not None else 0

    def within_reach(self):
        """Ids of the workflows that the module's names lead to, through lists and dictionaries too."""
        found = set()

        def look(value, depth):
            if isinstance(value, self.hera_workflow):
                found.add(id(value))
            elif depth and isinstance(value, dict):
                for item in list(value.values()):
                    look(item, depth - 1)
            elif depth and isinstance(value, (list, tuple, set, frozenset)):
                for item in list(value):
                    look(item, depth - 1)

        for value in list(self.namespace.values()):
            look(value, 4)
        return found

    def document(self, instance):
        """The workflow as a dictionary. Making it makes no workflow of the module's."""
        recording, self.recording = self.recording, False
        try:
            document = instance.to_dict()
        finally:
            self.recording = recording
        if id(instance) in self.named_here:
            document["metadata"].pop("name", None)
        return document

    def documents(self):
        """What is to be written: workflows that are to be run, and all templates."""
        reached = self.within_reach()
        wished = {id(instance) for _, instance, _ in self.wishes}
        found = [(place, document) for place, _, document in self.wishes]
        for place, instance, own in self.made:
            if id(instance) in wished:
                continue
            try:
                document = self.document(instance)
            except Exception:
                if own or id(instance) in reached:
                    raise
                continue  # it never came to be: its constructor failed, or nobody has it any more
            if document.get("kind") != "Workflow" or own or id(instance) in reached:
                found.append((place, document))
        found.sort(key=lambda each: each[0])
        seen = []
        for place, document in found:
            template = document.get("kind") != "Workflow"
            if not (template and document in seen):
                seen.append(document)
        return seen

    def has_one_to_run(self):
        reached = self.within_reach()
        return any(document.get("kind") == "Workflow" for _, _, document in self.wishes) or any(
            (own or id(instance) in reached) and getattr(instance, "kind", None) == "Workflow"
            for _, instance, own in self.made)


def as_dictionary(model):
    """A model of a request, as Hera would send it."""
    dump = getattr(model, "model_dump_json", None) or model.json
    return json.loads(dump(exclude_none=True, by_alias=True))


def answer_without_a_server(workflows, hera):
    """Puts what needs no server in the place of every call that does."""

    # Services ask for a token when they are made; who gives it may need a cluster, or a program that is not here.
    token = vars(hera.config).get("token")
    if isinstance(token, property):
        def known_token(config):
            found = getattr(config, "_token", None)
            return found if isinstance(found, str) else None
        hera.config.token = property(known_token, token.fset)

    def named(model, instance=None):
        metadata = model.metadata
        if not metadata.name and getattr(metadata, "generate_name", None):
            metadata.name = metadata.generate_name + "".join(random.choice(LETTERS) for _ in range(5))
            if instance is not None:
                instance.name = metadata.name
                workflows.named_here.add(id(instance))
        return model

    def build(self):
        recording, workflows.recording = workflows.recording, False
        try:
            return self.build()
        finally:
            workflows.recording = recording

    def create(self, *_, **options):
        document = workflows.document(self)
        if document.get("kind") == "Workflow":
            workflows.wishes.append((workflows.next(), self, document))
        if options.get("wait"):
            workflows.waited = workflows.waited or workflows.line()
        return named(build(self), self)

    def wait(self, *_, **__):
        workflows.waited = workflows.waited or workflows.line()
        return build(self)

    def echo(self, *_, **__):
        return build(self)

    def in_its_place(function, replacement):
        if inspect.iscoroutinefunction(function):
            async def later(*positional, **named_ones):
                return replacement(*positional, **named_ones)
            return later
        return replacement

    own = {"create": create, "wait": wait, "lint": echo, "update": echo, "get": None}
    for kind in hera.kinds:
        for name, function in list(vars(kind).items()):
            plain = name[len("async_"):] if name.startswith("async_") else name
            if inspect.isfunction(function) and own.get(plain):
                setattr(kind, name, in_its_place(function, own[plain]))

    def model_in(arguments):
        for argument in arguments:
            for key in ("workflow", "template", "cron_workflow"):
                model = getattr(argument, key, None)
                if model is not None:
                    return model
        raise Refused("a call of Hera's service was given nothing to send")

    def service_create(self, *positional, **options):
        model = model_in([*positional, *options.values()])
        document = as_dictionary(model)
        for _, instance, __ in workflows.made:
            try:
                if as_dictionary(build(instance)) == document:
                    break
            except Exception:  # one that is not whole yet is not the one that is sent
                continue
        else:
            instance = None
        if instance is None or document.get("kind") == "Workflow":
            workflows.wishes.append((workflows.next(), instance, document))
        return named(model)

    def service_echo(self, *positional, **options):
        return model_in([*positional, *options.values()])

    def service_submit(self, *positional, **options):
        request = next(each for each in [*positional, *options.values()] if hasattr(each, "resource_name"))
        asked = as_dictionary(request)
        given = asked.get("submitOptions") or {}
        metadata = {key: given[key] for key in ("name", "generateName", "labels") if given.get(key)}
        if "name" not in metadata:
            metadata.setdefault("generateName", asked["resourceName"] + "-")
        spec = {"workflowTemplateRef": {"name": asked["resourceName"]}}
        if asked.get("resourceKind") == "ClusterWorkflowTemplate":
            spec["workflowTemplateRef"]["clusterScope"] = True
        elif asked.get("resourceKind") != "WorkflowTemplate":
            raise Refused("submitting a %s is not supported" % asked.get("resourceKind"))
        if given.get("entryPoint"):
            spec["entrypoint"] = given["entryPoint"]
        pairs = [each.partition("=") for each in given.get("parameters") or []]
        if pairs:
            spec["arguments"] = {"parameters": [{"name": name, "value": value} for name, _, value in pairs]}
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}
        workflows.wishes.append((workflows.next(), None, document))
        model = hera.workflow_model.parse_obj if hera.pydantic_1 else hera.workflow_model.model_validate
        return named(model(document))

    def absent(name):
        def call(self, *_, **__):
            raise hera.not_found("kist reads this module without a server: %s() finds nothing there" % name)
        return call

    def refused(name):
        def call(self, *_, **__):
            raise Refused("%s() asks a server, and kist reads this module without one, before anything runs" % name)
        return call

    for service in hera.services:
        for name, function in list(vars(service).items()):
            if not inspect.isfunction(function) or name.startswith("_") or name in ("close", "_request") \
                    or name.endswith("_link"):
                continue
            if name.startswith(("create_", "update_")) and name.endswith(("workflow", "template")):
                replacement = service_create
            elif name.startswith("lint_"):
                replacement = service_echo
            elif name == "submit_workflow":
                replacement = service_submit
            elif name.startswith(("get_", "delete_")) and not name.endswith(("_info", "_version")):
                replacement = absent(name)
            else:
                replacement = refused(name)
            setattr(service, name, in_its_place(function, replacement))


class Hera:
    """What this module needs of Hera, whichever release it is."""

    def __init__(self):
        import hera.workflows as workflows
        from hera import exceptions
        from hera.shared import global_config
        from hera.workflows import models

        self.workflow = workflows.Workflow
        self.kinds = [workflows.Workflow, workflows.WorkflowTemplate, workflows.CronWorkflow]
        if hasattr(workflows, "ClusterWorkflowTemplate"):
            self.kinds.append(workflows.ClusterWorkflowTemplate)
        self.services = [workflows.WorkflowsService]
        if hasattr(workflows, "AsyncWorkflowsService"):
            self.services.append(workflows.AsyncWorkflowsService)
        self.config = type(global_config)
        self.not_found = exceptions.NotFound
        self.workflow_model = models.Workflow
        self.pydantic_1 = not hasattr(models.Workflow, "model_validate")


def handed_on():
    """What the caller's PYTHONPATH names."""
    return [os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def make_importable(document, roots, project):
    """Lets the steps of Hera's runner find the module, where they would not find it in their working directory."""
    def look(value):
        if isinstance(value, dict):
            if isinstance(value.get("script"), dict):
                script(value["script"])
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    def script(template):
        if RUNNER not in [*(template.get("command") or []), *(template.get("args") or [])]:
            return
        if roots == [project] and not template.get("workingDir") and not handed_on():
            return
        paths = list(dict.fromkeys([*roots, *handed_on()]))
        env = template.setdefault("env", [])
        for variable in env:
            if variable.get("name") == "PYTHONPATH":
                if "valueFrom" not in variable:
                    variable["value"] = os.pathsep.join([*paths, variable.get("value") or ""]).rstrip(os.pathsep)
                return
        env.append({"name": "PYTHONPATH", "value": os.pathsep.join(paths)})

    look(document)


def to_yaml(document):
    """As Hera writes it; without PyYAML as JSON, which is YAML too."""
    try:
        from hera import _yaml
        return _yaml.dump(document, default_flow_style=False, sort_keys=False)
    except ImportError:
        pass
    try:
        import yaml
        return yaml.dump(document, default_flow_style=False, sort_keys=False)
    except ImportError:
        return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def main_parts(tree):
    """What stands below `if __name__ == "__main__":`, at the top of the module."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1
                and isinstance(node.test.ops[0], ast.Eq)):
            continue
        sides = [node.test.left, node.test.comparators[0]]
        if any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
                isinstance(side, ast.Constant) and side.value == "__main__" for side in sides):
            yield ast.Module(body=node.body, type_ignores=[])


def in_the_way(file):
    name = os.path.basename(file if not file.endswith("__init__.py") else os.path.dirname(file))
    return "%s is imported in the place of Python's own module '%s'; give it another name" \
        % (file, name.partition(".")[0])


def perform(action, path, directories):
    """Runs a part of the module. Its traceback is printed as Python would, without what lies between."""
    try:
        action()
    except SystemExit as ended:
        if ended.code not in (None, 0):
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            raise Refused("it ended itself: %s" % ended) from None
    except Refused:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != path:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
        file = stands_in_the_way(directories, error)
        raise Refused("" if file is None else in_the_way(file)) from None


def find_hera(root):
    """Hera as it is installed, before anything of the project can stand in the way of what it imports; else as the
    project brings it along."""
    try:
        return Hera()
    except ImportError as error:
        missing = error
    if getattr(missing, "name", None) == "hera":
        sys.path.insert(0, root)
        try:
            return Hera()
        except ImportError as error:
            missing = error
    if getattr(missing, "name", None) not in ("hera", "hera.workflows"):
        traceback.print_exception(type(missing), missing, missing.__traceback__)
    file = stands_in_the_way([root, *handed_on()], missing)
    if file is not None:
        raise Refused("%s cannot import Hera (%s): %s" % (sys.executable, missing, in_the_way(file)))
    raise Refused("%s cannot import Hera (%s); install it: %s -m pip install 'hera[yaml]'"
                  % (sys.executable, missing, sys.executable))


def read(path, project):
    """The documents of the module."""
    name, root, directory = where_it_lies(path)
    hera = find_hera(root)
    sys.argv = [path]
    if sys.path[:1] != [root]:
        sys.path.insert(0, root)
    # `python FILE` would look into the file's own directory first. Of a package's it is asked last: its modules are
    # http and secrets to each other by the package's name, and to everybody else those are Python's.
    if directory != root:
        sys.path.append(directory)
    looked_in = [root] if directory == root else [root, directory]

    def load():
        package = name.rpartition(".")[0]
        if package:
            importlib.import_module(package)
        spec.loader.exec_module(module)

    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    workflows = Workflows(hera.workflow, vars(module))

    def new(kind, /, *positional, **named):
        instance = object.__new__(kind)
        workflows.add(instance, bool(positional or named))
        return instance

    hera.workflow.__new__ = staticmethod(new)
    answer_without_a_server(workflows, hera)

    def main():
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
        for part in main_parts(tree):
            exec(compile(part, path, "exec"), vars(module))

    try:
        perform(load, path, looked_in)
        if not workflows.has_one_to_run():
            perform(main, path, looked_in)
        documents = []
        perform(lambda: documents.extend(workflows.documents()), path, looked_in)
    except Refused as refused:
        if workflows.waited and not str(refused):
            raise Refused("line %d waits for a run, which begins only when the module has been read; what needs its "
                          "outcome belongs below `if __name__ == \"__main__\":`" % workflows.waited) from None
        raise
    # A step asks the directories it is told of before Python's own.
    needs_own = directory != root and any(imported_from(directory))
    roots = [directory, root] if needs_own else [root]
    for document in documents:
        metadata = document.setdefault("metadata", {})
        if not metadata.get("name") and not metadata.get("generateName"):
            metadata["generateName"] = name.rpartition(".")[2].replace("_", "-").lower() + "-"
        make_importable(document, roots, project)
    return documents


def main():
    path, project = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    with os.fdopen(CHANNEL, "w", encoding="utf-8") as channel:
        os.set_inheritable(CHANNEL, False)

        def say(**line):
            channel.write(json.dumps(line) + "\n")

        try:
            for document in read(path, project):
                metadata = document["metadata"]
                say(kind=document.get("kind") or "Workflow", name=metadata.get("name") or metadata.get("generateName"),
                    yaml=to_yaml(document))
            say(end=True)
        except Refused as refused:
            say(error=str(refused))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
