"""Who the fuzzer is, and what it names.

Half of the ids that it sends are of things that exist, made here once: with
invented ids alone it would meet little beside "not found".
"""

import json
import os
import subprocess
import urllib.error
import urllib.request

import schemathesis
from hypothesis import strategies as st

URL = os.environ["FUZZ_URL"] + "/api/v1"
LOGIN = {"login": "root", "password": os.environ["UNHIDRA_PASSWORD"]}

# Its cookies make it a browser that has signed in before. The fuzzer is a stranger: when
# its wrong passwords lock the name, they do not lock us out.
BROWSER = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())


def call(method, path, body=None, token=None):
    head = {"Content-Type": "application/json"}
    if token:
        head["Authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, head, method=method)
    with BROWSER.open(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def unhidra(*args):
    return subprocess.run(["./bin/unhidra", *args], check=True, capture_output=True, text=True).stdout.strip()


def sign_in():
    try:
        return call("POST", "/auth/sign-in", LOGIN)["access_token"]
    except urllib.error.HTTPError as e:
        if e.code == 429:  # wrong passwords have locked the name; the operator can do without one
            return unhidra("token", "issue", "--for", "1h", "root")
        if e.code != 401:
            raise
    # The fuzzer has reset the administrator's password, which voids it.
    unhidra("user", "reset-password", "root")
    return call("POST", "/auth/sign-in", LOGIN)["access_token"]


@schemathesis.auth(refresh_interval=1)
class Root:
    """Signs in again when the fuzzer has signed itself out."""

    token = None

    def get(self, case, context):
        try:
            call("GET", "/me", token=Root.token)
        except urllib.error.HTTPError:
            Root.token = sign_in()
        return Root.token

    def set(self, case, token, context):
        case.headers["Authorization"] = "Bearer " + token


def made():
    """What exists: a room with a message, an invitation, a device, another user."""
    token = sign_in()
    ann = call("POST", "/auth/register", {"username": "fuzz", "password": LOGIN["password"], "client": "native"})["me"]
    room = call("POST", "/rooms", {"kind": "public", "name": "Fuzz", "members": [ann["id"]]}, token)
    message = call("POST", f"/rooms/{room['id']}/messages", {"key": "1", "text": "hello"}, token)
    device = call("POST", "/devices", {"name": "Fuzz"}, token)
    invite = call("POST", f"/rooms/{room['id']}/invites", {}, token)
    return {
        "room": room["id"], "user": ann["id"], "seq": message["seq"], "device": device["device"]["id"],
        "key": device["key_id"], "code": invite["code"], "invite": invite["id"],
        "session": call("GET", "/me/sessions", token=token)["items"][0]["id"],
    }


EXISTS = made()


@schemathesis.hook
def flatmap_path_parameters(context, path_parameters):
    if not path_parameters or not EXISTS.keys() & path_parameters.keys():
        return st.just(path_parameters)
    real = {name: EXISTS.get(name, value) for name, value in path_parameters.items()}
    return st.sampled_from([path_parameters, real])


@schemathesis.hook
def filter_query(context, query):
    """Go's server itself refuses header lines beyond 16 KiB, in plain text."""
    return len(str(query)) < 4000
