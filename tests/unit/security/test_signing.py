"""A signed model directory: no file of it changes unnoticed, and nothing unsigned verifies."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from terna.contracts.version import RELEASE_FILE, SIGNATURE_FILE
from terna.errors import ModelRejected, SettingsError, SignatureInvalid
from terna.security.signing import (
    ensure_signing_keys,
    is_release_signed,
    sign,
    signed_files,
    verify,
)


class Keys:
    """A key pair in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.private = folder / "secrets" / "signing.key"
        self.public = folder / "certs" / "signing.pub"
        ensure_signing_keys(self.private, self.public)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, and a model signed with them: every test gets a copy, as signing takes its time."""
    root = tmp_path_factory.mktemp("signed")
    sign(a_model(root / "model"), Keys(root / "keys").private)
    return root


@pytest.fixture
def keys(tmp_path: Path, originals: Path) -> Keys:
    return Keys(shutil.copytree(originals / "keys", tmp_path / "keys"))


def a_model(folder: Path) -> Path:
    files = {
        "MLmodel": "flavors: {}",
        "model.skops": "the model",
        "code/deep/extra.py": "x = 1",
        "code/deep/model.sig": "not the signature",
        ".gitignore": "*.pyc",
        ".gitattributes": "* text",
        ".git/config": "[core]",
        ".github/workflows/ci.yml": "on: push",
        ".hidden": "hidden",
        "a name with spaces": "",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.fixture
def signed(tmp_path: Path, originals: Path) -> Path:
    return shutil.copytree(originals / "model", tmp_path / "model")


def refused(model: Path, keys: Keys) -> str:
    """The one line with which the model is refused."""
    with pytest.raises(SignatureInvalid) as raised:
        verify(model, keys.public)
    line = str(raised.value)
    assert line.isprintable()
    assert "Digest(" not in line
    assert str(keys.public) in line
    return line


def test_signed_model_verifies(signed: Path, keys: Keys) -> None:
    verify(signed, keys.public)


def test_signed_model_verifies_where_it_is_copied_to(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    verify(shutil.copytree(signed, tmp_path / "elsewhere"), keys.public)


def test_signed_model_verifies_from_a_relative_path(
    signed: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(signed.parent)
    verify(Path(signed.name), keys.public)
    monkeypatch.chdir(signed)
    verify(Path(), keys.public)


def test_model_can_be_signed_again_after_a_change(signed: Path, keys: Keys) -> None:
    (signed / "model.skops").write_text("another model")
    sign(signed, keys.private)

    verify(signed, keys.public)


def test_signing_says_nothing_and_writes_only_the_signature(
    tmp_path: Path, keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    model = a_model(tmp_path / "model")
    before = set(model.rglob("*"))
    sign(model, keys.private)
    verify(model, keys.public)

    assert set(model.rglob("*")) - before == {model / SIGNATURE_FILE}
    assert capfd.readouterr() == ("", "")


def test_empty_folder_is_no_change(signed: Path, keys: Keys) -> None:
    (signed / "empty" / ".git").mkdir(parents=True)

    verify(signed, keys.public)


# ---- what is changed, added, removed, renamed

SIGNED_FILES = sorted(
    str(p)
    for p in (
        "MLmodel",
        "model.skops",
        "code/deep/extra.py",
        "code/deep/model.sig",
        ".gitignore",
        ".gitattributes",
        ".git/config",
        ".github/workflows/ci.yml",
        ".hidden",
        "a name with spaces",
    )
)


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_changed_file_is_refused(signed: Path, keys: Keys, name: str) -> None:
    with (signed / name).open("a") as file:
        file.write(" ")

    assert f"Hash mismatch for '{name}'" in refused(signed, keys)


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_removed_file_is_refused(signed: Path, keys: Keys, name: str) -> None:
    (signed / name).unlink()

    assert "Missing files" in refused(signed, keys)


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_renamed_file_is_refused(signed: Path, keys: Keys, name: str) -> None:
    (signed / name).rename(signed / "renamed")

    line = refused(signed, keys)
    assert "Extra files" in line
    assert name in line


@pytest.mark.parametrize(
    "name",
    [
        "added.py",
        ".added",
        "code/deep/.added",
        ".git/hooks/pre-commit",
        ".github/added",
        "code/.gitignore",
        "code/.git/config",
        "sub/.gitattributes",
        "sub/model.sig",
        "model.sig.bak",
        "model.sig~",
        "MODEL.SIG",
        "__pycache__/extra.cpython-311.pyc",
        "new\nline",
        "\u202egpj.exe",
    ],
)
def test_added_file_is_refused(signed: Path, keys: Keys, name: str) -> None:
    (signed / name).parent.mkdir(parents=True, exist_ok=True)
    (signed / name).write_text("")

    assert "Extra files" in refused(signed, keys)


@pytest.mark.parametrize("name", [".git/config", ".gitignore", ".gitattributes", ".github/x"])
def test_git_files_added_after_signing_a_model_without_them_are_refused(
    tmp_path: Path, keys: Keys, name: str
) -> None:
    model = tmp_path / "plain"
    model.mkdir()
    (model / "MLmodel").write_text("")
    sign(model, keys.private)
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text("")

    assert "Extra files" in refused(model, keys)


def test_file_whose_name_is_not_unicode_is_refused(signed: Path, keys: Keys) -> None:
    try:
        Path(os.fsdecode(os.fsencode(signed) + b"/\xff.py")).write_text("")
    except OSError:
        pytest.skip("this file system takes Unicode names only")

    assert "Extra files" in refused(signed, keys)


def test_two_files_that_swap_their_content_are_refused(signed: Path, keys: Keys) -> None:
    one, two = signed / "MLmodel", signed / "model.skops"
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)

    assert "Hash mismatch" in refused(signed, keys)


def test_folder_in_the_place_of_a_file_is_refused(signed: Path, keys: Keys) -> None:
    (signed / "model.skops").unlink()
    (signed / "model.skops").mkdir()

    assert "Missing files" in refused(signed, keys)


def test_hundreds_of_added_files_still_make_one_short_line(signed: Path, keys: Keys) -> None:
    for number in range(300):
        (signed / f"added{number}").write_text("")

    assert len(refused(signed, keys)) < 1000


# ---- links and other things that are no files


@pytest.mark.parametrize("name", ["link", ".git/link", "code/deep/link"])
def test_symbolic_link_out_of_the_directory_is_refused(
    signed: Path, keys: Keys, tmp_path: Path, name: str
) -> None:
    (tmp_path / "outside").write_text("x = 1")
    (signed / name).symlink_to(tmp_path / "outside")

    assert "symlink" in refused(signed, keys)


def test_signed_file_replaced_by_a_link_to_the_same_content_is_refused(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    (signed / "model.skops").rename(tmp_path / "outside")
    (signed / "model.skops").symlink_to(tmp_path / "outside")

    assert "symlink" in refused(signed, keys)


def test_folder_replaced_by_a_link_to_the_same_content_is_refused(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    (signed / "code").rename(tmp_path / "outside")
    (signed / "code").symlink_to(tmp_path / "outside")

    assert "symlink" in refused(signed, keys)


def test_link_within_the_directory_and_a_broken_link_are_refused(signed: Path, keys: Keys) -> None:
    (signed / "link").symlink_to("model.skops")
    assert "symlink" in refused(signed, keys)
    (signed / "link").unlink()
    (signed / "link").symlink_to("nowhere")
    assert "symlink" in refused(signed, keys)


def test_signature_that_is_a_link_to_a_good_one_is_refused(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    (signed / SIGNATURE_FILE).rename(tmp_path / "outside")
    (signed / SIGNATURE_FILE).symlink_to(tmp_path / "outside")

    assert "symlink" in refused(signed, keys)


def test_model_directory_that_is_a_link_is_refused(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    (tmp_path / "current").symlink_to(signed)

    assert "symlink" in refused(tmp_path / "current", keys)


def test_named_pipe_is_refused_without_waiting_for_it(signed: Path, keys: Keys) -> None:
    os.mkfifo(signed / "pipe")
    refused(signed, keys)
    (signed / SIGNATURE_FILE).unlink()
    os.mkfifo(signed / SIGNATURE_FILE)
    refused(signed, keys)


def test_folder_that_may_not_be_listed_is_refused(
    signed: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its files can still be opened by name. Patched, as root may list everything.
    hidden = signed / "unlistable"
    hidden.mkdir()
    (hidden / "added.py").write_text("")
    scan = os.scandir

    def scandir(path: Any = ".") -> Any:
        if Path(path) == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert "Permission denied" in refused(signed, keys)


# ---- the signature itself


def test_model_without_a_signature_is_refused(signed: Path, keys: Keys) -> None:
    (signed / SIGNATURE_FILE).unlink()

    assert f"it has no file {SIGNATURE_FILE}" in refused(signed, keys)


def test_model_that_is_not_there_is_refused(tmp_path: Path, keys: Keys) -> None:
    refused(tmp_path / "nowhere", keys)


def test_model_signed_with_another_key_is_refused(signed: Path, keys: Keys, tmp_path: Path) -> None:
    sign(signed, Keys(tmp_path / "other").private)

    assert "Key mismatch" in refused(signed, keys)


def bundle_of(model: Path) -> Any:
    return json.loads((model / SIGNATURE_FILE).read_text())


@pytest.mark.parametrize("hint", ["ours", "none"])
def test_another_key_that_claims_to_be_ours_is_refused(
    signed: Path, keys: Keys, tmp_path: Path, hint: str
) -> None:
    ours = bundle_of(signed)["verificationMaterial"]["publicKey"]["hint"]
    sign(signed, Keys(tmp_path / "other").private)
    bundle = bundle_of(signed)
    bundle["verificationMaterial"]["publicKey"] = {"hint": ours} if hint == "ours" else {}
    (signed / SIGNATURE_FILE).write_text(json.dumps(bundle))

    assert "InvalidSignature" in refused(signed, keys)


def test_signature_of_another_model_is_refused(signed: Path, keys: Keys, tmp_path: Path) -> None:
    other = a_model(tmp_path / "other")
    (other / "model.skops").write_text("another")
    sign(other, keys.private)
    shutil.copy(other / SIGNATURE_FILE, signed / SIGNATURE_FILE)

    assert "Hash mismatch for 'model.skops'" in refused(signed, keys)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'{"verificationMaterial": {}}',
        b'{"verificationMaterial": {"publicKey": {}}, "dsseEnvelope": {}}',
        b"[" * 100_000,
        b"1" * 100_000,
    ],
    ids=lambda garbage: garbage[:30].decode("latin-1"),
)
def test_garbage_in_the_place_of_the_signature_is_refused(
    signed: Path, keys: Keys, garbage: bytes
) -> None:
    (signed / SIGNATURE_FILE).write_bytes(garbage)

    refused(signed, keys)


def test_folder_in_the_place_of_the_signature_is_refused(signed: Path, keys: Keys) -> None:
    (signed / SIGNATURE_FILE).unlink()
    (signed / SIGNATURE_FILE).mkdir()
    (signed / SIGNATURE_FILE / "added.py").write_text("")

    refused(signed, keys)


def cut_in_half(bundle: Any) -> None:
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = envelope["payload"][: len(envelope["payload"]) // 8 * 4]


def without_signatures(bundle: Any) -> None:
    bundle["dsseEnvelope"]["signatures"] = []


def with_an_empty_signature(bundle: Any) -> None:
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = ""


def with_zeros_for_a_signature(bundle: Any) -> None:
    zeros = base64.b64encode(bytes.fromhex("3006020100020100")).decode()
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = zeros


def of_another_payload_type(bundle: Any) -> None:
    bundle["dsseEnvelope"]["payloadType"] = "text/plain"


def of_another_media_type(bundle: Any) -> None:
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.1+json"


@pytest.mark.parametrize(
    "spoil",
    [
        cut_in_half,
        without_signatures,
        with_an_empty_signature,
        with_zeros_for_a_signature,
        of_another_payload_type,
        of_another_media_type,
    ],
)
def test_spoilt_signature_is_refused(
    signed: Path, keys: Keys, spoil: Callable[[Any], None]
) -> None:
    bundle = bundle_of(signed)
    spoil(bundle)
    (signed / SIGNATURE_FILE).write_text(json.dumps(bundle))

    refused(signed, keys)


def sign_statement(model: Path, keys: Keys, change: Callable[[Any], None]) -> None:
    """Sign, with the right key, what the library would not have signed by itself."""
    bundle = bundle_of(model)
    envelope = bundle["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    change(statement)
    payload = json.dumps(statement).encode()
    kind = envelope["payloadType"]
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    key = load_pem_private_key(keys.private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    (model / SIGNATURE_FILE).write_text(json.dumps(bundle))


def test_signer_of_these_tests_signs_as_the_library_does(signed: Path, keys: Keys) -> None:
    sign_statement(signed, keys, lambda _: None)

    verify(signed, keys.public)


@pytest.mark.parametrize("path", ["code", ".", "", "code/added.py", "./code", "x/../code"])
def test_manifest_cannot_have_a_file_overlooked(signed: Path, keys: Keys, path: str) -> None:
    def overlook(statement: Any) -> None:
        statement["predicate"]["serialization"]["ignore_paths"].append(path)

    sign_statement(signed, keys, overlook)
    (signed / "code" / "added.py").write_text("")

    assert "Extra files" in refused(signed, keys)


def test_manifest_cannot_allow_symbolic_links(signed: Path, keys: Keys, tmp_path: Path) -> None:
    def allow(statement: Any) -> None:
        statement["predicate"]["serialization"]["allow_symlinks"] = True

    sign_statement(signed, keys, allow)
    verify(signed, keys.public)
    (signed / "model.skops").rename(tmp_path / "outside")
    (signed / "model.skops").symlink_to(tmp_path / "outside")

    assert "symlink" in refused(signed, keys)


@pytest.mark.parametrize("method", ["shards", "none"])
def test_manifest_cannot_choose_how_it_is_verified(signed: Path, keys: Keys, method: str) -> None:
    def choose(statement: Any) -> None:
        statement["predicate"]["serialization"] |= {"method": method, "shard_size": 1}

    sign_statement(signed, keys, choose)

    refused(signed, keys)


def test_whatever_goes_wrong_while_verifying_never_counts_as_verified(
    signed: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_signing import hashing

    class UnheardError(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise UnheardError("of\nnothing we know")

    monkeypatch.setattr(hashing.Config, "hash", fail)

    assert r"of\nnothing we know" in refused(signed, keys)


# ---- keys


def pem_of(private: Any) -> bytes:
    done: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return done


def public_pem_of(private: Any) -> bytes:
    public = private.public_key()
    done: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return done


RSA = rsa.generate_private_key(65537, 2048)
UNSUPPORTED_CURVE = ec.generate_private_key(ec.SECP256K1())


@pytest.mark.parametrize(
    "content",
    [None, b"", b"garbage", public_pem_of(RSA), public_pem_of(UNSUPPORTED_CURVE), pem_of(RSA)],
    ids=["missing", "empty", "garbage", "rsa", "another curve", "a private key"],
)
def test_public_key_that_cannot_be_used_is_a_matter_of_settings(
    signed: Path, keys: Keys, content: bytes | None
) -> None:
    keys.public.unlink()
    if content is not None:
        keys.public.write_bytes(content)

    with pytest.raises(SettingsError) as raised:
        verify(signed, keys.public)
    assert str(raised.value).isprintable()
    assert str(keys.public) in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"garbage", pem_of(RSA), pem_of(UNSUPPORTED_CURVE)],
    ids=["missing", "empty", "garbage", "rsa", "another curve"],
)
def test_private_key_that_cannot_be_used_is_a_matter_of_settings(
    tmp_path: Path, keys: Keys, content: bytes | None
) -> None:
    keys.private.unlink()
    if content is not None:
        keys.private.write_bytes(content)

    with pytest.raises(SettingsError) as raised:
        sign(a_model(tmp_path / "model"), keys.private)
    assert str(raised.value).isprintable()
    assert str(keys.private) in str(raised.value)


def test_model_with_a_symbolic_link_cannot_be_signed(tmp_path: Path, keys: Keys) -> None:
    model = a_model(tmp_path / "model")
    (model / "link").symlink_to("MLmodel")

    with pytest.raises(ModelRejected, match="symlink"):
        sign(model, keys.private)
    assert not (model / SIGNATURE_FILE).exists()


def test_signing_does_not_write_through_a_link(tmp_path: Path, keys: Keys) -> None:
    model = a_model(tmp_path / "model")
    (model / SIGNATURE_FILE).symlink_to(tmp_path / "outside")

    with pytest.raises(ModelRejected, match="symlink"):
        sign(model, keys.private)
    assert not (tmp_path / "outside").exists()


def test_model_that_is_not_there_cannot_be_signed(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(ModelRejected):
        sign(tmp_path / "nowhere", keys.private)


def test_only_the_owner_reads_the_private_key_and_everybody_the_public_one(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "new")
    assert keys.private.stat().st_mode & 0o777 == 0o600
    assert keys.public.stat().st_mode & 0o777 == 0o644


def test_keys_that_exist_stay_as_they_are(keys: Keys) -> None:
    before = keys.private.read_bytes(), keys.public.read_bytes()
    ensure_signing_keys(keys.private, keys.public)

    assert (keys.private.read_bytes(), keys.public.read_bytes()) == before


def test_lost_public_key_is_derived_from_the_private_one(keys: Keys) -> None:
    before = keys.public.read_bytes()
    keys.public.unlink()
    ensure_signing_keys(keys.private, keys.public)

    assert keys.public.read_bytes() == before


def test_lost_private_key_is_refused_with_what_to_do(keys: Keys) -> None:
    keys.private.unlink()

    with pytest.raises(SettingsError, match=f"put the key back, or delete {keys.public}"):
        ensure_signing_keys(keys.private, keys.public)


def test_keys_that_cannot_be_written_are_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="cannot make the keys"):
        ensure_signing_keys(tmp_path / "file" / "key", tmp_path / "pub")


def test_runs_at_once_end_with_one_pair_that_fits(tmp_path: Path) -> None:
    private, public = tmp_path / "secrets" / "key", tmp_path / "certs" / "pub"
    code = (
        "import sys; from pathlib import Path\n"
        "from terna.security.signing import ensure_signing_keys\n"
        "ensure_signing_keys(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(private), str(public)]
    runs = [subprocess.Popen(command) for _ in range(4)]
    assert {run.wait() for run in runs} == {0}

    model = a_model(tmp_path / "model")
    sign(model, private)
    verify(model, public)


def test_signed_files_are_known_from_the_signature_alone(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    paths = {str(f.relative_to(signed)) for f in signed.rglob("*") if f.is_file()} - {"model.sig"}
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(signed / "model.sig", alone)

    assert signed_files(alone, keys.public) == paths


def test_names_in_a_signature_by_another_key_or_changed_are_refused(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    ensure_signing_keys(tmp_path / "other.key", tmp_path / "other.pub")
    with pytest.raises(SignatureInvalid):
        signed_files(signed, tmp_path / "other.pub")

    file = signed / "model.sig"
    document = json.loads(file.read_text())
    payload = base64.b64decode(document["dsseEnvelope"]["payload"]).replace(b"MLmodel", b"MLmodeL")
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    file.write_text(json.dumps(document))
    with pytest.raises(SignatureInvalid):
        signed_files(signed, keys.public)


# ---- the second signature, by the release key


@pytest.fixture
def release(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "release")


def test_release_signature_leaves_the_first_one_valid(
    signed: Path, keys: Keys, release: Keys
) -> None:
    assert not is_release_signed(signed, release.public)
    sign(signed, release.private, RELEASE_FILE)

    verify(signed, keys.public)
    verify(signed, release.public, RELEASE_FILE)
    assert is_release_signed(signed, release.public)


def test_first_signature_can_be_made_anew_after_the_release(
    signed: Path, keys: Keys, release: Keys
) -> None:
    sign(signed, release.private, RELEASE_FILE)
    sign(signed, keys.private)

    verify(signed, keys.public)
    assert is_release_signed(signed, release.public)


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_file_changed_after_the_release_ends_both_signatures(
    signed: Path, keys: Keys, release: Keys, name: str
) -> None:
    sign(signed, release.private, RELEASE_FILE)
    (signed / name).write_text("changed")

    assert f"Hash mismatch for '{name}'" in refused(signed, keys)
    assert not is_release_signed(signed, release.public)


def test_release_by_trainings_own_key_is_none(signed: Path, keys: Keys, release: Keys) -> None:
    sign(signed, keys.private, RELEASE_FILE)
    verify(signed, keys.public)

    assert not is_release_signed(signed, release.public)


def test_trainings_signature_under_the_name_of_the_release_is_none(
    signed: Path, release: Keys
) -> None:
    shutil.copy(signed / SIGNATURE_FILE, signed / RELEASE_FILE)

    assert not is_release_signed(signed, release.public)


def test_release_of_another_model_is_none(signed: Path, release: Keys, tmp_path: Path) -> None:
    other = a_model(tmp_path / "other")
    (other / "model.skops").write_text("another")
    sign(other, release.private, RELEASE_FILE)
    shutil.copy(other / RELEASE_FILE, signed / RELEASE_FILE)

    assert is_release_signed(other, release.public)
    assert not is_release_signed(signed, release.public)


def test_release_without_trainings_signature_is_refused(
    tmp_path: Path, keys: Keys, release: Keys
) -> None:
    model = a_model(tmp_path / "unsigned")
    sign(model, release.private, RELEASE_FILE)

    assert f"it has no file {SIGNATURE_FILE}" in refused(model, keys)


@pytest.mark.parametrize("name", [RELEASE_FILE, SIGNATURE_FILE])
def test_files_in_a_folder_named_as_a_signature_are_refused(
    signed: Path, keys: Keys, release: Keys, name: str
) -> None:
    # The library leaves out what lies below a path that it is to leave out.
    (signed / name).unlink(missing_ok=True)
    (signed / name).mkdir()
    (signed / name / "added.py").write_text("")

    refused(signed, keys)
    assert not is_release_signed(signed, release.public)


def test_release_that_is_a_link_is_refused(signed: Path, keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x = 1")
    (signed / RELEASE_FILE).symlink_to(tmp_path / "outside")

    assert "symlink" in refused(signed, keys)


def test_named_pipe_as_the_release_is_refused_without_waiting(signed: Path, keys: Keys) -> None:
    os.mkfifo(signed / RELEASE_FILE)

    assert RELEASE_FILE in refused(signed, keys)


def test_lost_release_key_is_an_error_only_where_it_is_needed(
    signed: Path, keys: Keys, tmp_path: Path
) -> None:
    lost = tmp_path / "lost.pub"
    assert not is_release_signed(signed, lost)
    sign(signed, keys.private, RELEASE_FILE)
    with pytest.raises(SettingsError, match=re.escape(str(lost))):
        is_release_signed(signed, lost)
