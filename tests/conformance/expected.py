#!/usr/bin/env python3
"""Holds kist against what Argo's own tests expect of the files in a collection.

  LINT_EXPECT.tsv   what lint says: no error, an error, an error with these words
  ARTGC_EXPECT.tsv  which artifacts are gone after a workflow has ended, and which after it was removed; on a real S3 server

The collection is KIST_CORPUS, or shared/corpus beside a directory above this one; without it nothing is done.
"""
import collections
import csv
import pathlib
import re
import sys
import tempfile

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from conftest import Kist  # noqa: E402
from collection import CORPUS  # noqa: E402
from corpus import documents  # noqa: E402
from servers import S3Server, serve_s3  # noqa: E402

ARGO = CORPUS / "argo"
Verdict = collections.namedtuple("Verdict", "kind text")


def table(name):
    with (ARGO / name).open() as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


# ---- lint -------------------------------------------------------------------------------------------------------------


def lint(row, kist, without_error):
    """A file of which Argo expects no error, and another time one, has it when it is submitted, not before; and so has one
    whose own arguments lack a value: Argo's lint lets that be, and only its check of what is submitted does not."""
    file = ARGO / row["file"]
    if not file.exists():
        return Verdict("skipped", "not in the collection")
    of_arguments = "spec.arguments." in row["expectation"] and ".value or " in row["expectation"]
    submitted = row["expectation"] != "NoError" and (of_arguments or row["file"] in without_error)
    done = kist("run" if submitted else "lint", file, code=None)
    said = done.stdout + done.stderr
    kind, _, words = row["expectation"].partition(": ")
    words = words[1:-1] if words.startswith("`") else words[1:-1].replace('\\"', '"')  # as Go writes texts
    if done.returncode != (0 if kind == "NoError" else 2):
        return Verdict("FAILS", f"{row['expectation']}, but exit code {done.returncode}: {said.strip()[:300]}")
    if words and words not in said:
        return Verdict("FAILS", f"{row['expectation']}, but: {said.strip()[:300]}")
    return Verdict("passes", "")


# ---- artifact garbage collection --------------------------------------------------------------------------------------


def key_of(written, run):
    """A key as it is, or what became of the default key of a template's artifact."""
    derived = re.match(r"DERIVED templateName=(.*),artifactName=(.*)", written)
    if not derived:
        return written
    for node in run["nodes"]:
        for artifact in node.get("output_artifacts", []):
            if node["definition"] == derived[1] and artifact["name"] == derived[2]:
                return next(field["value"] for field in artifact["sent"][0]["fields"] if field["name"] == "key")
    raise AssertionError(f"no artifact for {written}")


PLUGIN = "-plugin"  # at the end of what has a twin that says s3 instead


def without_plugins(node, bucket):
    """The plugin of Argo's tests is S3 behind another name: with what it is given, s3 says the same."""
    if isinstance(node, list):
        return [without_plugins(each, bucket) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: without_plugins(value, bucket) for key, value in node.items()}
    if isinstance(plugin := found.pop("plugin", None), dict) and "configuration" in plugin:
        found["s3"] = {**yaml.safe_load(plugin["configuration"]), "bucket": bucket, "key": plugin["key"]}
    elif isinstance(found.get("s3"), dict) and "bucket" in found["s3"]:
        found["s3"]["bucket"] = bucket
    return found


def called_templates(text):
    return re.findall(r"(?:workflowTemplateRef|templateRef):\s*\n\s*name: *(\S+)", text)


def template_file(name, known):
    """The file of a template, or of its twin."""
    twin = name.removesuffix(PLUGIN) if name.endswith(PLUGIN) else name + PLUGIN
    for each in (name, twin):
        for kind in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
            if paths := known.get((kind, each)):
                return paths[0], each
    return None, None


def files_of(file, bucket, known, directory):
    """The file and all that it refers to, as they are, or with S3 for plugins; or the name of what is missing."""
    texts = {file: file.read_text()}
    called = {}  # by the name of the twin that stands in for it
    waiting = [file]
    while waiting:
        for name in called_templates(texts[waiting.pop()]):
            path, its = template_file(name, known)
            if path is None:
                return None, name
            if its != name:
                called[its] = name
            if path not in texts:
                texts[path] = path.read_text()
                waiting.append(path)
    if not called and not any("plugin:" in text for text in texts.values()):
        return list(texts), None
    written = []
    for number, text in enumerate(texts.values()):
        documents = [without_plugins(document, bucket) for document in yaml.safe_load_all(text)]
        for document in documents:
            name = document["metadata"].get("name")
            document["metadata"].update({"name": called[name]} if name in called else {})
        written.append(directory / f"{number}.yaml")
        written[-1].write_text(yaml.safe_dump_all(documents))
    return written, None


def collect(rows, kist, server, known):
    file = ARGO / rows[0]["workflow file"]
    if not file.exists():
        return Verdict("skipped", "not in the collection")
    files, missing = files_of(file, rows[0]["bucket"] or "my-bucket", known, kist.project)
    if missing:
        return Verdict("skipped", f"needs the template {missing}, which is not in the collection")

    kist.home.mkdir(exist_ok=True)
    (kist.home / "settings.yaml").write_text(f'endpoints: {{"minio:9000": "{server.endpoint}"}}\n')
    kist.environment.update(ACCESS=server.access_key, SECRET=server.secret_key)
    kist("secrets", "add", "my-minio-cred", "accesskey", "--from-env", "ACCESS")
    kist("secrets", "add", "my-minio-cred", "secretkey", "--from-env", "SECRET")
    for bucket in {row["bucket"] or "my-bucket" for row in rows}:
        server.make_bucket(bucket)
    done = kist("run", *files, "--name", "r", code=None)
    wanted = rows[0]["workflow should succeed"] == "true"
    if (done.returncode == 0) != wanted:
        return Verdict("FAILS", f"should {'succeed' if wanted else 'fail'}: {done.stderr.strip()[-300:]}")
    run = kist.json("show", "r")
    places = [(f"/{row['bucket']}/{key_of(row['key'], run)}", row) for row in rows if row["key"]]

    def gone(place):
        return server.request("HEAD", place)[0] == 404

    for place, row in places:
        if gone(place) != (row["gone after completion"] == "true"):
            return Verdict("FAILS", f"{place} is {'' if gone(place) else 'not '}gone after the run")
    kist("rm", "-y", "r")
    for place, row in places:
        expected = "true" in (row["gone after completion"], row["gone after deletion"])
        if gone(place) != expected:
            return Verdict("FAILS", f"{place} is {'' if gone(place) else 'not '}gone after the removal")
    return Verdict("passes", "")


def told(what, verdicts):
    counts = collections.Counter(verdict.kind for _, verdict in verdicts)
    reasons = collections.Counter(verdict.text for _, verdict in verdicts if verdict.kind == "skipped")
    for name, verdict in verdicts:
        if verdict.kind == "FAILS":
            print(f"{what} FAILS {name}: {verdict.text}", flush=True)
    print(f"{what}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())))
    for reason, number in reasons.most_common():
        print(f"  skipped {number}: {reason}")
    return counts["FAILS"]


def main():
    if not (ARGO / "LINT_EXPECT.tsv").exists():
        print(f"no collection of workflow files is here ({CORPUS}); KIST_CORPUS names one")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="kist-expected.") as directory:
        kist = Kist(pathlib.Path(directory))
        rows = table("LINT_EXPECT.tsv")
        without_error = {row["file"] for row in rows if row["expectation"] == "NoError"}
        failed += told("lint", [(row["file"], lint(row, kist, without_error)) for row in rows])
    known = documents()
    cases = collections.defaultdict(list)
    for row in table("ARTGC_EXPECT.tsv"):
        cases[row["case"]].append(row)
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="kist-expected.") as directory, \
            serve_s3(pathlib.Path(directory) / "s3") as server:
        for name, rows in cases.items():
            if not isinstance(server, S3Server):
                verdicts.append((name, Verdict("skipped", server)))
                continue
            place = pathlib.Path(directory) / name
            place.mkdir()
            verdicts.append((name, collect(rows, Kist(place), server, known)))
    failed += told("artifactGC", verdicts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
