"""Asks two Airbytes the same and prints where their answers differ; scripts/verify_airbyte.sh starts it."""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 900
# Members whose words are Airbyte's own, so that their values are compared too.
WORDS = {
    "status", "jobType", "configType", "syncMode", "destinationSyncMode", "scheduleType", "namespaceDefinition",
    "nonBreakingSchemaUpdatesBehavior", "nonBreakingChangesPreference", "backfillPreference", "dataResidency", "type",
    "title", "token_type", "failureOrigin", "failureType", "stateType", "logType", "connectionStatus",
}
# What an Airbyte may have or leave out by its version, its plan or the connectors' versions.
OPEN = {"connectionSpecification", "advancedAuth", "jsonSchema", "properties", "configuration", "logs", "debug", "state"}


class Stop(Exception):
    """The main job cannot go on."""


class Airbyte:
    def __init__(self, who, public, config, client_id, client_secret):
        self.who, self.public, self.config_base = who, public.rstrip("/"), config.rstrip("/")
        self.client = {"client_id": client_id, "client_secret": client_secret}
        self.token = None
        self.answers = {}
        # Past the environment's proxies, as AAM itself.
        proxy = os.environ.get("AIRBYTE_PROXY_URL") if who != "embedded" else None
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}))

    def send(self, method, url, body=None, form=False, token=True):
        data, headers = None, {"accept": "application/json"}
        if body is not None:
            data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
            headers["content-type"] = "application/x-www-form-urlencoded" if form else "application/json"
        if token and self.token:
            headers["authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        for wait in (0, 2, 10):
            time.sleep(wait)
            try:
                with self.opener.open(request, timeout=600) as answer:
                    status, text = answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                status, text = error.code, error.read().decode()
            except urllib.error.URLError as error:
                raise Stop(f"{self.who}: {method} {url}: {error.reason}") from error
            if status != 429:
                break
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, f"<text: {text.strip()[:40]}>"

    def ask(self, step, method, path, body=None, config=False, must=False, note=True, **how):
        """One step: what was answered is kept under its name."""
        base = self.config_base if config else self.public
        status, answer = self.send(method, base + path, body, **how)
        if note:
            self.answers[step] = (status, answer)
        if must and not 200 <= status < 300:
            raise Stop(f"{self.who}: {step} answered {status}: {json.dumps(answer)[:400]}")
        return answer

    def job_ended(self, job):
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            _, answer = self.send("GET", f"{self.public}/jobs/{job}")
            if answer["status"] in ("succeeded", "failed", "cancelled"):
                return answer
            time.sleep(0.2 if "127.0.0.1" in self.public else 2)
        raise Stop(f"{self.who}: job {job} does not end")


def main_job(airbyte, source_configuration, destination_configuration):
    """Everything that is asked, in order; what it makes is removed again."""
    ask = airbyte.ask
    ask("health", "GET", "/health", token=False)
    ask("token for a wrong secret", "POST", "/applications/token", {**airbyte.client, "client_secret": "wrong"}, token=False)
    ask("token by a form", "POST", "/applications/token", airbyte.client, form=True, token=False)
    ask("no token", "GET", "/workspaces", token=False)
    answer = ask("token", "POST", "/applications/token", {**airbyte.client, "grant-type": "client_credentials"},
                 token=False, must=True)
    airbyte.token = answer["access_token"]
    workspace = ask("make a workspace", "POST", "/workspaces", {"name": "aam-verify"}, must=True)["workspaceId"]
    made = []
    try:
        made = flow(airbyte, workspace, source_configuration, destination_configuration, made)
    finally:
        for kind, identifier in reversed(made):
            ask(f"remove the {kind}", "DELETE", f"/{kind}s/{identifier}")
        ask("remove the workspace", "DELETE", f"/workspaces/{workspace}")
        ask("a workspace that is gone", "GET", f"/workspaces/{workspace}")


def flow(airbyte, workspace, source_configuration, destination_configuration, made):
    ask = airbyte.ask
    ask("rename the workspace", "PATCH", f"/workspaces/{workspace}", {"name": "aam-verify-2"})
    ask("a workspace", "GET", f"/workspaces/{workspace}")
    ask("workspaces, a page", "GET", "/workspaces?limit=1")
    ask("a limit out of bounds", "GET", "/workspaces?limit=1000")
    for kind, configuration in (("source", source_configuration), ("destination", destination_configuration)):
        listed = ask("definitions", "GET", f"/workspaces/{workspace}/definitions/{kind}s", must=True, note=False)
        word = configuration[f"{kind}Type"]
        entry = [d for d in listed["data"] if d["dockerRepository"].rsplit("/", 1)[-1] == f"{kind}-{word}"]
        if not entry:
            raise Stop(f"{airbyte.who}: it has no {kind}-{word}")
        airbyte.answers[f"definition of the {kind}"] = (200, entry[0])
        ask(f"a {kind} without a name", "POST", f"/{kind}s", {"workspaceId": workspace, "configuration": configuration})
        ask(f"a {kind} of no known type", "POST", f"/{kind}s",
            {"name": "x", "workspaceId": workspace, "configuration": {f"{kind}Type": "no-such-connector"}})
        body = {"name": f"verify {kind}", "workspaceId": workspace, "configuration": configuration}
        thing = ask(f"make the {kind}", "POST", f"/{kind}s", body, must=True)[f"{kind}Id"]
        made.append((kind, thing))
        ask(f"the {kind}", "GET", f"/{kind}s/{thing}")
        ask(f"rename the {kind}", "PATCH", f"/{kind}s/{thing}", {"name": f"verified {kind}"})
        ask(f"{kind}s of the workspace", "GET", f"/{kind}s?workspaceIds={workspace}&limit=5")
        ask(f"a {kind} that is not there", "GET", f"/{kind}s/00000000-0000-4000-8000-00000000dead")
        ask(f"check the {kind}", "POST", f"/{kind}s/check_connection", {f"{kind}Id": thing}, config=True)
    source, destination = made[0][1], made[1][1]
    discovered = ask("discover", "POST", "/sources/discover_schema", {"sourceId": source, "disable_cache": True},
                     config=True, must=True)
    ask("discover, from the cache", "POST", "/sources/discover_schema", {"sourceId": source}, config=True)
    ask("streams", "GET", f"/streams?sourceId={source}&destinationId={destination}")
    stream = discovered["catalog"]["streams"][0]["stream"]["name"]
    streams = [{"name": stream, "syncMode": "full_refresh_append"}]
    body = {"name": "verify", "sourceId": source, "destinationId": destination, "configurations": {"streams": streams},
            "schedule": {"scheduleType": "manual"}}
    ask("a connection of an unknown stream", "POST", "/connections",
        {**body, "configurations": {"streams": [{"name": "no such stream"}]}})
    ask("a connection with a bad schedule", "POST", "/connections",
        {**body, "schedule": {"scheduleType": "cron", "cronExpression": "0 2 * * *"}})
    connection = ask("make the connection", "POST", "/connections", body, must=True)["connectionId"]
    made.append(("connection", connection))
    ask("the connection", "GET", f"/connections/{connection}")
    ask("connections of the workspace", "GET", f"/connections?workspaceIds={workspace}")
    ask("schedule the connection", "PATCH", f"/connections/{connection}",
        {"schedule": {"scheduleType": "cron", "cronExpression": "0 0 2 1 1 ? 2099"}})
    ask("the connection is manual again", "PATCH", f"/connections/{connection}",
        {"schedule": {"scheduleType": "manual"}, "prefix": "verify_"})
    read = ask("the connection with its catalog", "POST", "/connections/get", {"connectionId": connection}, config=True)
    ask("update the connection", "POST", "/connections/update",
        {"connectionId": connection, "syncCatalog": read["syncCatalog"], "breakingChange": False}, config=True)
    ask("the connection for the web app", "POST", "/web_backend/connections/get", {"connectionId": connection}, config=True)
    ask("no state yet", "POST", "/state/get", {"connectionId": connection}, config=True)
    sync = {"connectionId": connection, "jobType": "sync"}
    job = ask("trigger a sync", "POST", "/jobs", sync, must=True)["jobId"]
    ask("trigger a second one", "POST", "/jobs", sync)
    airbyte.answers["the sync has ended"] = (200, airbyte.job_ended(job))
    ask("jobs of the connection", "GET", f"/jobs?connectionId={connection}&orderBy=createdAt|DESC&limit=1")
    ask("a job that is not there", "GET", "/jobs/999999999")
    ask("the job with its attempts", "POST", "/jobs/get_without_logs", {"id": job}, config=True)
    ask("jobs for the web app", "POST", "/jobs/list", {"configTypes": ["sync"], "configId": connection}, config=True)
    ask("the state", "POST", "/state/get", {"connectionId": connection}, config=True)
    reset = ask("clear the connection", "POST", "/jobs", {"connectionId": connection, "jobType": "reset"}, must=True)
    airbyte.answers["the clear has ended"] = (200, airbyte.job_ended(reset["jobId"]))
    ask("switch the connection off", "PATCH", f"/connections/{connection}", {"status": "inactive"})
    ask("trigger what is switched off", "POST", "/jobs", sync)
    return made


def kind_of(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def differences(path, ours, theirs):
    """Yields what differs between the embedded Airbyte's answer and the other one's."""
    name = path.rsplit(".", 1)[-1]
    if kind_of(ours) != kind_of(theirs):
        yield f"{path or 'body'}: embedded {kind_of(ours)}, yours {kind_of(theirs)}"
    elif isinstance(ours, dict):
        if name in OPEN:
            return
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            inner = f"{path}.{key}" if path else key
            if key not in theirs:
                yield f"{inner}: only embedded"
            elif key not in ours:
                yield f"{inner}: only yours"
            else:
                yield from differences(inner, ours[key], theirs[key])
    elif isinstance(ours, list):
        if bool(ours) != bool(theirs):
            yield f"{path}: embedded has {len(ours)} entries, yours {len(theirs)}"
        elif ours:
            # Connectors' versions decide how many there are; the first of each tells their shape.
            yield from differences(f"{path}[]", ours[0], theirs[0])
    elif isinstance(ours, str):
        if name in ("next", "previous"):
            if bool(ours) != bool(theirs):
                yield f"{path}: embedded {ours!r}, yours {theirs!r}"
        elif name in WORDS and re.fullmatch(r"[A-Za-z][\w:/.-]*", ours) and ours != theirs:
            yield f"{path}: embedded {ours!r}, yours {theirs!r}"


def main():
    environment = os.environ
    public = environment["AIRBYTE_API_URL"].rstrip("/")
    config = environment.get("AIRBYTE_CONFIG_API_URL") or re.sub(r"/(api/public/v1|api/v1)$", "", public) + "/api/v1"
    try:
        yours = Airbyte("yours", public, config, environment["AIRBYTE_CLIENT_ID"], environment["AIRBYTE_CLIENT_SECRET"])
        source = json.loads(environment.get("VERIFY_SOURCE") or '{"sourceType": "faker", "count": 100}')
        destination = json.loads(environment.get("VERIFY_DESTINATION") or
                                 '{"destinationType": "dev-null", "test_destination": {"test_destination_type": "SILENT"}}')
    except (KeyError, ValueError) as error:
        print(f"{error} is missing or cannot be parsed", file=sys.stderr)
        return 2
    root = environment["EMBEDDED_URL"]
    embedded = Airbyte("embedded", f"{root}/api/public/v1", f"{root}/api/v1", "verify", "verify-embedded-airbyte")
    for airbyte in (embedded, yours):
        try:
            main_job(airbyte, source, destination)
        except Stop as stop:
            print(f"stopped: {stop}", file=sys.stderr)
            if airbyte is embedded:
                return 2
    found, compared = 0, 0
    for step, (status, answer) in embedded.answers.items():
        if step not in yours.answers:
            continue
        compared += 1
        their_status, their_answer = yours.answers[step]
        if status != their_status:
            words = json.dumps(their_answer)
            told = [f"status: embedded {status}, yours {their_status}: {words[:300]}"]
        else:
            told = list(differences("", answer, their_answer))
        found += len(told)
        for line in told:
            print(f"{step}: {line}")
    missing = len(embedded.answers) - compared
    if missing:
        print(f"yours did not come as far as {missing} further answers")
    print(f"{compared} answers compared, {found} differences")
    return 1 if found or missing else 0


if __name__ == "__main__":
    sys.exit(main())
