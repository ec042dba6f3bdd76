"""`kist serve`: objects for other machines, as curl or any HTTP client sees them."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest


class Served:
    def __init__(self, kist, *options):
        self.process = kist.start("serve", "--port", "0", *options)
        lines = [self.process.stdout.readline() for _ in range(3)]
        found = re.search(r" at (https?://\S+)$", lines[0].strip())
        assert found, (lines, self.process.stderr.read() if self.process.poll() is not None else "")
        self.address = found[1]
        self.token_file = re.search(r"the token is in ([^,\n]+)", lines[1])[1]
        with open(self.token_file) as file:
            self.token = file.read().strip()
        self.context = None

    def __call__(self, method, path, body=None, token=None, **headers):
        request = urllib.request.Request(f"{self.address}/api/kist/v1{path}", data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token if token is None else token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=self.context))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def test_objects_over_http(kist):
    with Served(kist) as served:
        assert oct(os.stat(served.token_file).st_mode & 0o777) == "0o600"
        status, _, headers = served("PUT", "/objects/a/b", b"0123456789", If_None_Match="*")
        assert status == 201
        version = headers["ETag"]
        assert served("PUT", "/objects/a/b", b"x", If_None_Match="*")[0] == 412
        assert served("PUT", "/objects/a/b", b"x", If_Match='"other"')[0] == 412
        assert served("GET", "/objects/a/b")[1] == b"0123456789"
        status, body, headers = served("GET", "/objects/a/b", Range="bytes=2-3")
        assert (status, body, headers["Content-Range"]) == (206, b"23", "bytes 2-3/10")
        status, body, headers = served("HEAD", "/objects/a/b")
        assert (status, body, headers["Content-Length"], headers["ETag"]) == (200, b"", "10", version)
        assert served("PUT", "/objects/a/c", b"")[0] == 201
        listed = json.loads(served("GET", "/objects?prefix=a/&limit=1")[1])
        assert [one["name"] for one in listed["objects"]] == ["a/b"] and listed["more"] is True
        listed = json.loads(served("GET", "/objects?prefix=a/&after=a/b")[1])
        assert [one["name"] for one in listed["objects"]] == ["a/c"] and listed["more"] is False
        assert served("GET", "/objects/a/b", token="wrong")[0] == 401
        status, body, _ = served("GET", "/objects/none")
        assert status == 404 and json.loads(body)["error"]["kind"] == "not found"
        assert served("DELETE", "/objects/a/b")[0] == 204
        assert served("GET", "/objects/a/b")[0] == 404
        assert served("POST", "/objects/a/b", b"x")[0] == 405
        assert served("GET", "/elsewhere")[0] == 404
        assert served.stop()[0] == 0
    # The same token, and the same objects, the next time.
    token = served.token
    with Served(kist) as served:
        assert served.token == token
        assert served("GET", "/objects/a/c")[0] == 200
        assert served.stop(signal.SIGINT)[0] == 0


def test_tls(kist, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True,
                   capture_output=True)
    with Served(kist, "--tls-certificate", certificate, "--tls-key", key) as served:
        assert served.address.startswith("https://")
        served.context = ssl.create_default_context(cafile=certificate)
        body = os.urandom(3_000_000)
        assert served("PUT", "/objects/large", body)[0] == 201
        assert served("GET", "/objects/large")[1] == body
        kist.environment["KIST_TOKEN"] = served.token
        told = kist("remote", "add", "plain", served.address.replace("https", "http"), code=3).stderr
        assert f"begins with https://: {served.address}" in told
        assert served.stop()[0] == 0


@pytest.mark.parametrize("options, said", [
    (["--tls-certificate", "none.pem", "--tls-key", "none.pem"], "none.pem: no certificate"),
    (["--tls-certificate", "none.pem"], "a certificate and its key"),
    (["--port", "many"], "--port many"),
    (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
])
def test_wrong_options_are_named(kist, options, said):
    done = kist("serve", "--port", "0", *options, code=2) if "--port" not in options else kist("serve", *options, code=2)
    assert said in done.stderr


def test_a_port_in_use_is_said(kist):
    with Served(kist) as served:
        done = kist("serve", "--port", served.address.rsplit(":", 1)[1], code=None)
        assert done.returncode not in (0, None)
        assert "--port chooses another" in done.stderr


def test_what_listens_everywhere_is_named_by_its_host(kist):
    process = kist.start("serve", "--port", "0", "--host", "0.0.0.0")
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        assert " at http://0.0.0.0:" in lines[0]
        assert lines[2].split()[-1].startswith(f"http://{socket.gethostname()}:")
    finally:
        process.kill()
        process.communicate()
