"""Servers that tests talk to: real S3 (scripts/s3-server), nginx, git and Hadoop (scripts/location-server). Each lives as long as the test session, on a free port of the
loopback interface, and ends with it even where the session is killed."""
import contextlib
import datetime
import hashlib
import hmac
import itertools
import json
import pathlib
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NOT_HERE = 77


class S3Server:
    """endpoint, region, access_key, secret_key, kind ("minio" or "radosgw"); ca: a certificate to trust, or None."""

    def __init__(self, described):
        self.kind = described["kind"]
        self.endpoint = described["endpoint"]
        self.region = described["region"]
        self.access_key = described["access_key"]
        self.secret_key = described["secret_key"]
        self.ca = described.get("ca")
        self.buckets = itertools.count(1)

    @property
    def environment(self):
        """What a program that speaks S3 needs to find in its environment."""
        found = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                 "AWS_REGION": self.region, "AWS_ENDPOINT_URL": self.endpoint}
        if self.ca:
            found["AWS_CA_BUNDLE"] = self.ca
        return found

    def bucket(self):
        """A new, empty bucket; its name."""
        name = f"bucket-{next(self.buckets)}"
        self.make_bucket(name)
        return name

    def make_bucket(self, name):
        """Of this name, where there is none yet. A server that has just begun may answer, and not take this for a moment."""
        deadline = time.monotonic() + 30
        while True:
            status, body = self.request("PUT", f"/{name}")
            if status in (200, 409):
                return
            assert time.monotonic() < deadline, body
            time.sleep(0.1)

    def keys(self, bucket, prefix=""):
        """The keys in a bucket, at most a thousand."""
        status, body = self.request("GET", f"/{bucket}", {"list-type": "2", "prefix": prefix})
        assert status == 200, body
        text = body.decode()
        return [piece.split("</Key>")[0] for piece in text.split("<Key>")[1:]]

    def request(self, method, path, query=None, body=b"", headers=None):
        """One signed request: its status and the answer's bytes. Independent of kist's own signing."""
        host = urllib.parse.urlsplit(self.endpoint).netloc
        at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        signed = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": at}
        path = urllib.parse.quote(path, safe="/-_.~")
        quoted = "&".join(f"{urllib.parse.quote(name, safe='-_.~')}={urllib.parse.quote(value, safe='-_.~')}"
                          for name, value in sorted((query or {}).items()))
        names = ";".join(sorted(signed))
        canonical = "\n".join([method, path, quoted, *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names,
                               digest])
        scope = f"{at[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (at[:8], self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        authorization = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
                         f"Signature={signature}")
        url = f"{self.endpoint}{path}" + (f"?{quoted}" if quoted else "")
        request = urllib.request.Request(url, data=body if method in ("PUT", "POST") else None, method=method,
                                         headers={**signed, **(headers or {}), "Authorization": authorization})
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=context))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextlib.contextmanager
def serve_s3(directory, *options):
    """A server of scripts/s3-server, or the reason why there is none."""
    process = subprocess.Popen([ROOT / "scripts/s3-server", "run", directory, *options], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        _, reason = process.communicate(timeout=60)
        assert process.returncode == NOT_HERE, reason
        yield reason.strip()
        return
    try:
        yield S3Server(json.loads(line))
    finally:
        process.stdin.close()  # it ends, and its server with it
        process.wait(timeout=60)


def served(*choices):
    """The first of these servers that can be had; skips where there is none."""
    reasons = []
    for directory, *options in choices:
        with serve_s3(directory, *options) as server:
            if isinstance(server, S3Server):
                yield server
                return
            reasons.append(server)
    pytest.skip("; ".join(reasons))


@contextlib.contextmanager
def serve_location(kind, directory):
    """What scripts/location-server tells of this server; skips, saying why, where there is none."""
    process = subprocess.Popen([ROOT / "scripts/location-server", "run", kind, directory], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        _, reason = process.communicate(timeout=60)
        assert process.returncode == NOT_HERE, reason
        pytest.skip(reason.strip())
    try:
        yield json.loads(line)
    finally:
        process.stdin.close()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def web_server(tmp_path_factory):
    """nginx, from the files below `path`."""
    with serve_location("web", tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture(scope="session")
def git_server(tmp_path_factory):
    """Repositories below `path`; those below /private/ want `user` and `password`."""
    with serve_location("git", tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture(scope="session")
def hdfs_server(tmp_path_factory):
    """A name node, asked at `url`, and a data node of Hadoop; everybody may write below /open."""
    with serve_location("hdfs", tmp_path_factory.mktemp("hdfs")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server: MinIO, or radosgw where MinIO cannot be had; skips, saying why, where there is neither."""
    yield from served((tmp_path_factory.mktemp("minio"),), (tmp_path_factory.mktemp("radosgw"), "--kind", "radosgw"))


@pytest.fixture(scope="session")
def s3_tls_server(tmp_path_factory):
    """MinIO behind TLS, with a certificate only `ca` vouches for."""
    yield from served((tmp_path_factory.mktemp("minio-tls"), "--tls"))


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory):
    """The second opinion."""
    yield from served((tmp_path_factory.mktemp("radosgw"), "--kind", "radosgw"))
