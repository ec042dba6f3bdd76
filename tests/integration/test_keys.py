"""The default repository: files and directories under keys."""


def test_what_is_put_under_a_key_stays_until_the_key_goes(kist):
    kist.write("data/inner/a.txt", "a\n" * 1000)
    kist.write("model.bin", "weights")
    kist("put", "my-data/input", "data")
    kist("put", "/my-data//model/", "model.bin")
    keys = kist.json("keys")
    assert [(key["name"], key["files"]) for key in keys] == [("my-data/input", 1), ("my-data/model", 1)]
    assert kist.json("keys", "list", "my-data/m")[0]["bytes"] == len("weights")
    kist("gc")
    kist("fsck")
    before = kist.json("keys")[0]["tree"]
    kist("put", "my-data/input", "data")
    assert kist.json("keys")[0]["tree"] == before

    refused = kist("put", "a/../b", "data", code=2)
    assert "cannot be a key" in refused.stderr
    assert "no such" in kist("put", "x", "missing", code=None).stderr.lower()
    kist("keys", "delete", "my-data/input", "nothing-there", "-y", code=None)
    assert len(kist.json("keys")) == 2  # all or nothing
    kist("keys", "delete", "my-data/input", "-y")
    assert [key["name"] for key in kist.json("keys")] == ["my-data/model"]
