"""The S3 servers that files name: one real server in place of all of them, with the buckets, secrets and objects that the
files take for granted."""
import contextlib
import dataclasses
import json
import os
import re
import sys

import yaml

from collection import CORPUS, ROOT, Verdict, execute

sys.path.insert(0, str(ROOT / "tests/integration"))
from servers import S3Server, serve_s3  # noqa: E402

AMAZON = "s3.amazonaws.com"
REPOSITORIES = CORPUS / "argo/config/artifact-repositories-configmap.yaml"  # what Argo's own tests have for a repository


@dataclasses.dataclass
class Place:
    """An `s3` mapping of a file, and whether it is an input's."""
    fields: dict
    read: bool


def documents(text):
    with contextlib.suppress(yaml.YAMLError):
        yield from yaml.safe_load_all(text)


def places(node, read=False):
    if isinstance(node, list):
        for each in node:
            yield from places(each, read)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "s3" and isinstance(value, dict):
            yield Place(value, read and not node.get("optional"))
        elif isinstance(value, str) and re.search(r"^s3:$", value, flags=re.M):  # a repository, in a config map
            for document in documents(value):
                yield from places(document)
        else:
            yield from places(value, (read or key in ("inputs", "arguments")) and key != "outputs")


def is_fixed(text):
    return isinstance(text, str) and text != "" and "{{" not in text


def seeded(server, home, project, found):
    """Puts an object under every key that is read and never written, where the file says where that is."""
    written = {place.fields.get("key") for place in found if not place.read}
    for place in found:
        key, bucket = place.fields.get("key"), place.fields.get("bucket")
        if not place.read or not is_fixed(key) or key in written:
            continue
        if bucket:
            server.request("PUT", f"/{bucket}/{key}", body=b"hello\n")
        else:  # of the default repository
            directory = project.parent / "seed"
            directory.mkdir(exist_ok=True)
            (directory / "hello.txt").write_text("hello\n")
            execute(["put", key, str(directory)], home, project, 60)


@contextlib.contextmanager
def served(files, home, project):
    """A server with all that these files need of it, known in the home; yields files to give beside them, or a Verdict why
    there is none."""
    with serve_s3(project.parent / "s3") as server:
        if not isinstance(server, S3Server):
            yield Verdict("skipped", f"needs an S3 server: {server}")
            return
        texts = [path.read_text(errors="replace") for path in files]
        found = [place for text in texts for document in documents(text) for place in places(document)]
        further = []
        # A bucket without a server is the repository's, as far as it goes.
        if any(place.fields.get("bucket") and not place.fields.get("endpoint") for place in found):
            further.append(REPOSITORIES)
            found += [place for document in documents(REPOSITORIES.read_text()) for place in places(document)]
        hosts = {place.fields["endpoint"] for place in found if is_fixed(place.fields.get("endpoint"))} | {AMAZON}
        home.mkdir(parents=True, exist_ok=True)
        (home / "settings.yaml").write_text(f"endpoints: {json.dumps({host: server.endpoint for host in sorted(hosts)})}\n")
        secrets = {}
        for place in found:
            for field, value in (("accessKeySecret", server.access_key), ("secretKeySecret", server.secret_key)):
                secret = place.fields.get(field)
                if isinstance(secret, dict) and is_fixed(secret.get("name")):
                    secrets.setdefault(secret["name"], {})[secret.get("key")] = value
            if is_fixed(place.fields.get("bucket")):
                server.make_bucket(place.fields["bucket"])
        for name, values in secrets.items():
            path = project.parent / f"secret-{name}.yaml"
            path.write_text("apiVersion: v1\nkind: Secret\nmetadata: " + json.dumps({"name": name}) +
                            "\nstringData: " + json.dumps(values) + "\n")
            execute(["apply", str(path)], home, project, 60)
            os.unlink(path)
        seeded(server, home, project, found)
        yield further
