"""Makes datasources, sinks and ingestions by the ingestion API alone, syncs them while their databases are written to,
and compares what arrived with the databases, cell by cell. ingestion_rows.py says what the rows are."""

import collections
import datetime
import gzip
import io
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import boto3
import botocore.exceptions
import duckdb

from ingestion_rows import ROWS, TABLES, TOTAL, UTC, Database, Writer, checksum, plain, read_back

ORCHESTRATOR, AIRBYTE, KEY = (os.environ[name] for name in ("ORCHESTRATOR", "AIRBYTE", "AAM_API_KEY"))
SYNCS_DURING_WRITES = 3
# Past any proxy that the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SYNC_SECONDS = 120
STREAMS = [
    {"name": "orders", "syncMode": "incremental", "destinationSyncMode": "append", "cursorField": ["updated_at"], "primaryKey": [["id"]]},
    {"name": "accounts", "syncMode": "full_refresh", "destinationSyncMode": "overwrite"},
    {"name": "Loose notes", "syncMode": "full_refresh", "destinationSyncMode": "overwrite"},
]
KEYS = {"aws_access_key_id": f"id{secrets.token_hex(8)}", "aws_secret_access_key": secrets.token_hex(20)}


def wants(truth, message):
    if not truth:
        raise AssertionError(message)


class Api:
    """The orchestrator, of whose ingestion API every second call of each kind goes under the prefix."""

    def __init__(self):
        self.lock, self.turns, self.answers = threading.Lock(), collections.Counter(), []

    def __call__(self, method, path, body=None, status=200):
        kind = method + " " + re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", path)
        with self.lock:
            turn = self.turns[kind]
            self.turns[kind] += 1
        prefix = "/api/v1/airbyte" if turn % 2 and not path.startswith("/orphans") else ""
        url = ORCHESTRATOR + prefix + path
        code, text = request(method, url, body, KEY)
        self.answers.append(text)
        wants(code == status, f"{method} {url}: {code} {text}")
        return json.loads(text) if text else None


def request(method, url, body, token):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with OPENER.open(urllib.request.Request(url, data=data, headers=headers, method=method), timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def in_airbyte(kind):
    """The ids that Airbyte itself lists."""
    asked = {"client_id": "check", "client_secret": "secret-of-the-check", "grant-type": "client_credentials"}
    base = AIRBYTE if "/api/" in AIRBYTE else f"{AIRBYTE}/api/public/v1"
    _, text = request("POST", f"{base}/applications/token", asked, None)
    code, text = request("GET", f"{base}/{kind}s?limit=100", None, json.loads(text)["access_token"])
    wants(code == 200, f"Airbyte's {kind}s: {code} {text}")
    return {item[f"{kind}Id"] for item in json.loads(text)["data"]}


def time_of(text):
    return datetime.datetime.strptime(text.rstrip("Z").partition(".")[0], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)


class Ingestion:
    """One of them, and what it left in its folder."""

    def __init__(self, api, store, database, holds, source, sink, folder):
        self.api, self.store, self.database, self.holds, self.folder = api, store, database, holds, folder
        self.label = f"{database.server} to {holds}"
        # One has a schedule that is not due while this runs, one names its sink the other way.
        yearly = {"scheduleType": "cron", "cronExpression": "0 0 1 1 *"}
        asked = {"name": self.label, "sourceId": source, "sinkId" if holds == "JSONL" else "destinationId": sink, "streams": STREAMS}
        self.schedule = {"scheduleType": "manual"}
        if database.server == "postgres":
            self.schedule = asked["schedule"] = yearly
        made = api("POST", "/ingestion", asked, 201)
        self.id = made["connectionId"]
        wants(made["status"] == "active" and made["sinkId"] == made["destinationId"] == sink and made["sourceId"] == source, made)
        wants(made["schedule"] == self.schedule, made)
        self.seconds = []
        before = self.status()
        wants(before["lastSync"] is None and before["lastJob"] is None, f"{self.label} before its first sync: {before}")

    def status(self):
        return self.api("GET", f"/ingestion/{self.id}/status")

    def sync(self):
        """One sync from its start to its end; the status after it."""
        began = datetime.datetime.now(UTC).replace(microsecond=0)
        started = self.api("POST", f"/ingestion/{self.id}/sync")
        wants(started["status"] == "triggered" and started["connectionId"] == self.id, f"{self.label}: {started}")
        deadline = time.monotonic() + SYNC_SECONDS
        while True:
            status = self.status()
            job = status["lastJob"]
            wants(job and job["id"] == started["jobId"], f"{self.label} shows another job than {started}: {status}")
            if job["status"] not in ("pending", "running"):
                break
            wants(time.monotonic() < deadline, f"{self.label} still syncs after {SYNC_SECONDS} seconds: {status}")
            time.sleep(0.2)
        ended = datetime.datetime.now(UTC)
        wants(job["status"] == "succeeded" and job["error"] is None and job["bytes"] > 0, f"{self.label}: {status}")
        wants(status["status"] == "active" and status["schedule"] == self.schedule, f"{self.label}: {status}")
        wants(status["connectionId"] == status["ingestionId"] == self.id, f"{self.label}: {status}")
        wants(began <= time_of(job["startedAt"]) <= time_of(status["lastSync"]) <= ended, f"{self.label} synced from {began} to {ended}: {status}")
        due = f"{ended.year + 1}-01-01T00:00:00Z" if "cronExpression" in self.schedule else None
        wants(status["nextSync"] == due, f"{self.label} is due at {due}: {status}")
        self.seconds.append((ended - began).total_seconds())
        return job

    def cells(self, table):
        """The rows that are in the bucket, as they were written."""
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=self.folder)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        # What the destination keeps for itself: which states the rows belong to.
        keys = [key for key in keys if key.split("/")[2] != "_aam"]
        wants(all(key.split("/")[2] in TABLES for key in keys), f"{self.label} wrote something else: {keys}")
        rows = []
        for key in keys:
            if key.split("/")[2] != table:
                continue
            content = self.store.get_object(Bucket="lake", Key=key)["Body"].read()
            if self.holds == "JSONL":
                for line in gzip.decompress(content).splitlines():
                    rows.append(json.loads(line, parse_float=Decimal))
            else:
                rows += of_parquet(content)
        return rows

    def rows(self, table):
        """The rows that are in the bucket, each of which was in the database once."""
        columns, read = TABLES[table][0], []
        for written in self.cells(table):
            meta = written["_airbyte_meta"]
            meta = json.loads(meta) if self.holds == "Parquet" else meta
            wants(meta["changes"] == [], f"{self.label}: {written} lacks something")
            data = written["_airbyte_data"] if self.holds == "JSONL" else written
            wants(self.holds == "Parquet" or set(data) == set(columns), f"{self.label}: {data} has other columns than {list(columns)}")
            row = {}
            for name, (kind, *_) in columns.items():
                try:
                    row[name] = read_back(kind, data[name], self.holds, self.database.server)
                except (ValueError, KeyError) as fault:
                    raise AssertionError(f"{self.label}: {table}.{name} of {data}: {fault}") from fault
            version = self.database.versions[table].get(row["checksum"])
            wants(version, f"{self.label}: {table} has a row that never was: {row}")
            if row["checksum"] != checksum(table, row):
                torn = {name: (row[name], version[name]) for name in columns if plain(row[name]) != plain(version[name])}
                raise AssertionError(f"{self.label}: {table} has a row that is not as it was written: {torn}")
            read.append(row)
        return read

    def check_snapshot(self):
        """What holds whenever a sync ended."""
        accounts = self.rows("accounts")
        keys = {(row["region"], row["number"]) for row in accounts}
        wants(len(keys) == len(accounts), f"{self.label}: accounts are there twice")
        total = sum(row["balance"] for row in accounts)
        wants(total == TOTAL, f"{self.label}: accounts are of several moments: they hold {total} instead of {TOTAL}")
        self.rows("Loose notes")

    def compare(self):
        """What is in the bucket against what is in the database; nobody writes any more."""
        orders = {}
        for row in self.rows("orders"):
            there = orders.get(row["id"])
            if there is None or there["updated_at"] <= row["updated_at"]:
                orders[row["id"]] = row
        newest = {"orders": list(orders.values()), "accounts": self.rows("accounts"), "Loose notes": self.rows("Loose notes")}
        compared = rows = 0
        for table, (columns, key) in TABLES.items():
            order = lambda row: json.dumps([plain(row[name]) for name in key or columns])
            found, wanted = sorted(newest[table], key=order), sorted(self.database.rows(table), key=order)
            wants(len(found) == len(wanted), f"{self.label}: {table} has {len(found)} rows, the database {len(wanted)}")
            for ours, theirs in zip(found, wanted):
                for name, (kind, *_) in columns.items():
                    same = theirs[name]
                    if kind == "number" and self.holds == "Parquet" and same is not None:
                        # The nearest that Parquet has for a number of any number of digits.
                        same = float(same)
                    wants(ours[name] == same and type(ours[name]) is type(same),
                          f"{self.label}: {table}.{name} of {[theirs[part] for part in key]}: {ours[name]!r} is not {same!r}")
                    compared += 1
            rows += len(found)
        return rows, compared


def of_parquet(content):
    name = f"{threading.get_ident()}.parquet"
    pathlib.Path(name).write_bytes(content)
    with duckdb.connect() as reader:
        found = reader.execute(f"SELECT * FROM '{name}'")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found.fetchall()]


def serve_s3():
    """moto's server, with a bucket."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    server = subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", port],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    store = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
    for _ in range(300):
        try:
            store.create_bucket(Bucket="lake")
            return server, endpoint, store
        except botocore.exceptions.EndpointConnectionError:
            time.sleep(0.1)
    raise AssertionError("the S3 server did not start")


def make(api, databases, endpoint, store):
    ingestions = []
    for database in databases:
        where = {"host": database.host, "port": database.port, "database": database.name, "username": database.user}
        made = api("POST", "/datasource", {"name": f"shop in {database.server}", "type": database.server, "config": {**where, "password": database.password}}, 201)
        read = api("GET", f"/datasource/{made['id']}")
        wants(read["config"].items() >= {**where, "password": "**********"}.items() and read == made and made["sourceId"] == made["id"], f"{made} {read}")
        source = made["id"]
        for holds in ("Parquet", "JSONL"):
            folder = f"{database.server}/{holds.lower()}/"
            config = {"bucket_name": "lake", "bucket_region": "us-east-1", "access_key_id": KEYS["aws_access_key_id"],
                      "path_prefix": folder, "format": holds.lower(), "endpoint": endpoint}
            sink = api("POST", "/sink", {"name": f"lake of {folder}", "type": "s3",
                                         "config": {**config, "secret_access_key": KEYS["aws_secret_access_key"]}}, 201)
            shown = sink["config"]
            wants(shown["secret_access_key"] == "**********" and shown["bucket_name"] == "lake" and shown["path_prefix"] == folder, sink)
            ingestions.append(Ingestion(api, store, database, holds, source, sink["id"], folder))
            ingestions[-1].source, ingestions[-1].sink = source, sink["id"]
    return ingestions


def remove(api, ingestions, there):
    """Everything, in the order that is allowed; and nothing is left."""
    sources, sinks = ({getattr(one, kind): [] for one in ingestions} for kind in ("source", "sink"))
    for one in ingestions:
        sources[one.source].append(one)
        sinks[one.sink].append(one)
    for noun, kind in (("datasource", sources), ("sink", sinks)):
        for id, users in kind.items():
            refused = api("DELETE", f"/{noun}/{id}", status=409)
            named = {(user["connectionId"], user["name"]) for user in refused["ingestions"]}
            wants(refused["code"] == "in_use" and named == {(one.id, one.label) for one in users}, refused)
            wants(all(one.label in refused["detail"] for one in users), refused)
    for one in ingestions:
        api("DELETE", f"/ingestion/{one.id}", status=204)
    for noun, kind in (("datasource", sources), ("sink", sinks)):
        for id in kind:
            api("DELETE", f"/{noun}/{id}", status=204)
            api("GET", f"/{noun}/{id}", status=404)
    wants(api("GET", "/orphans?older_than=0") == [], "something is left in Airbyte that nobody knows")
    for kind, before in there.items():
        wants(in_airbyte(kind) == before, f"Airbyte has other {kind}s than before: {in_airbyte(kind)}")


def check_secrets(api, databases, where):
    """No secret in an answer, in a log, or in any file; names are found, so that the search is one."""
    files = {str(file): file.read_bytes() for file in pathlib.Path(os.environ["AAM_HOME"]).rglob("*") if file.is_file()}
    files |= {name: pathlib.Path(name).read_bytes() for name in ("up.log", "up.out")}
    files["the answers"] = "\n".join(api.answers).encode()
    hidden = [KEYS["aws_secret_access_key"], *(database.password for database in databases)]
    for name, content in files.items():
        for secret in hidden:
            wants(secret.encode() not in content, f"{name} shows a secret, {where}")
    registry = b"".join(content for name, content in files.items() if os.path.basename(name).startswith("registry.db"))
    for place in (registry, files["up.log"], files["the answers"]):
        wants(b"postgres to JSONL" in place, f"nothing was searched, {where}")
    return len(files)


def main():
    began = time.monotonic()
    api, databases, writers = Api(), [], []
    server, endpoint, store = serve_s3()
    try:
        for kind, variable in (("postgres", "AAM_TEST_POSTGRES_URL"), ("mysql", "AAM_TEST_MYSQL_URL")):
            name = f"ingestion_{secrets.token_hex(5)}"
            url = urllib.parse.urlparse(os.environ[variable])
            databases.append(Database(kind, name, f"u{name}"[:30], secrets.token_hex(20), url))
        with ThreadPoolExecutor(4) as pool:
            writers = list(pool.map(lambda pair: Writer(pair[1], pair[0]), enumerate(databases, 1)))
            for writer in writers:
                writer.database.versions = writer.versions
            print(f"{sum(ROWS.values()):,} rows are in each of {len(databases)} databases after {time.monotonic() - began:.0f} s")
            there = {kind: in_airbyte(kind) for kind in ("source", "destination", "connection")}
            ingestions = make(api, databases, endpoint, store)
            for writer in writers:
                writer.start()
            for _ in range(SYNCS_DURING_WRITES):
                before = [writer.transactions for writer in writers]
                list(pool.map(Ingestion.sync, ingestions))
                for writer, had in zip(writers, before):
                    wants(writer.is_alive() and writer.transactions > had, f"nobody wrote to {writer.database.server}: {writer.fault}")
                # The writers go on, so that the next sync has something to find.
                for one in ingestions:
                    one.check_snapshot()
            for writer in writers:
                writer.stop()
                print(f"{writer.database.server} was written to in {writer.transactions} transactions: {writer.written}")
            before = [len(one.cells("orders")) for one in ingestions]
            last = list(pool.map(Ingestion.sync, ingestions))
            for one, had, job in zip(ingestions, before, last):
                replaced = sum(len(one.cells(table)) for table in ("accounts", "Loose notes"))
                came = len(one.cells("orders")) - had + replaced
                wants(job["rows"] == came, f"{one.label}: {job} says another number than the {came} rows that came")
                versions = had + came - replaced
                wants(versions < 2 * ROWS["orders"], f"{one.label} read orders anew: {versions} are there")
                rows, compared = one.compare()
                print(f"{one.label}: {len(one.seconds)} syncs of {min(one.seconds):.1f} to {max(one.seconds):.1f} s, "
                      f"{versions:,} versions of orders; {rows:,} rows, {compared:,} cells are the database's")
            check_secrets(api, databases, "with everything there")
            remove(api, ingestions, there)
            searched = check_secrets(api, databases, "with everything removed")
            under = [kind for kind, turns in api.turns.items() if turns < 2 and "orphans" not in kind]
            wants(not under, f"these were called at the root only: {under}")
            print(f"{len(api.answers)} answers and {searched} files show no secret; nothing is left in Airbyte")
    finally:
        for writer in writers:
            writer.ended.set()
        for database in databases:
            database.drop()
        server.send_signal(signal.SIGTERM)
        server.wait(10)
    print(f"everything arrived as it was written, in {time.monotonic() - began:.0f} s")


try:
    main()
except AssertionError as fault:
    print(f"FAILED: {fault}"[:3000], file=sys.stderr)
    sys.exit(1)
