"""Syncs Python connectors, a declarative manifest and native file connectors through the whole stack, on ports
of its own, and compares the destination's rows with what the source says, cell by cell. Parquet is read by
DuckDB; the S3 server is moto's."""

import datetime
import decimal
import glob
import gzip
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.exceptions
import duckdb

AAM = sys.argv[1]
ITEMS = [{"id": n, "name": f"item {n}", "price": n / 4, "tags": ["a", f"t{n}"]} for n in range(37)]
PAGE = 10
MANIFEST = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["items"]},
    "streams": [{
        "type": "DeclarativeStream",
        "name": "items",
        "primary_key": ["id"],
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": "{{ config['url'] }}", "path": "/items", "http_method": "GET",
                          "authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"}},
            "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["items"]}},
            "paginator": {"type": "DefaultPaginator",
                          "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page"},
                          "pagination_strategy": {"type": "PageIncrement", "page_size": PAGE, "start_from_page": 1,
                                                  "inject_on_first_request": True}},
        },
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {
            "id": {"type": "integer"}, "name": {"type": "string"}, "price": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}}}}},
    }],
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "required": ["url", "token"], "properties": {
        "url": {"type": "string"}, "token": {"type": "string", "airbyte_secret": True}}}},
}


class Items(BaseHTTPRequestHandler):
    """A paging API that wants a token."""

    def do_GET(self):
        if self.headers.get("Authorization") != "Bearer t0ken-of-items":
            self.send_response(401)
            self.end_headers()
            return
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        page = int(query.get("page", ["1"])[0])
        body = json.dumps({"items": ITEMS[(page - 1) * PAGE:page * PAGE]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def fail(message):
    if os.path.exists("up.log") and "package index cannot be reached" in open("up.log").read():
        reason = "the package index does not answer any more"
        print(f"SKIPPED: {reason}")
        if skips := os.environ.get("AAM_TEST_SKIPS"):
            with open(skips, "a") as file:
                file.write(f"connectors\t{reason}\n")
        sys.exit(77)
    print(f"FAILED: {message}", file=sys.stderr)
    sys.exit(1)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


# Past any proxy that the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def aam(*args):
    ran = subprocess.run([AAM, "--output", "json", *args], capture_output=True, text=True)
    if ran.returncode != 0:
        fail(f"aam {' '.join(args)}: {ran.stderr}{ran.stdout}")
    return json.loads(ran.stdout)


def call(method, url, body, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with OPENER.open(request, timeout=600) as answer:
        return json.load(answer)


def plain(value):
    """A JSON value as the destination's SQLite column holds it, moments aside."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True)
    return value


def written(value, like):
    if isinstance(like, (dict, list)) and isinstance(value, str):
        return json.dumps(json.loads(value), sort_keys=True)
    return value


MOMENTS_OF_FAKER = ["created_at", "updated_at", "added_to_cart_at", "purchased_at", "returned_at"]
MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def compare(table, records, leave_out=()):
    warehouse = sqlite3.connect(f"file:{os.environ['AAM_HOME']}/warehouse.db?mode=ro", uri=True)
    warehouse.row_factory = sqlite3.Row
    rows = [dict(row) for row in warehouse.execute(f'SELECT * FROM "{table}"')]
    if len(rows) != len(records):
        fail(f"{table} has {len(rows)} rows, the source has {len(records)}")
    key = lambda row: json.dumps(row.get("id"))
    cells = 0
    for row, record in zip(sorted(rows, key=key), sorted(records, key=key)):
        for name, value in record.items():
            if name in leave_out:
                continue
            found, wanted = written(row[name], value), plain(value)
            if isinstance(wanted, str) and MOMENT.match(wanted):
                found, wanted = str(found)[:19].replace(" ", "T"), wanted[:19].replace(" ", "T")
            if found != wanted:
                fail(f"{table}.{name} of {record.get('id')}: {found!r} is not {wanted!r}")
            cells += 1
    print(f"{table}: {len(rows)} rows, {cells} cells are the source's")


def sync(name, source_type, config, *more):
    sets = [part for pair in config.items() for part in ("--set", "=".join(map(str, pair)))]
    aam("onboard", name, "-t", source_type, *sets, *more)
    ended = aam("sync", name, "--wait")
    if ended["status"] != "succeeded":
        fail(f"the sync of {name}: {ended}")


def thing(n):
    """What the n-th thing is, as Python has it."""
    moment = datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=n, microseconds=n)
    return {
        "id": n, "big": decimal.Decimal(10**30 + n), "price": n / 8, "name": f'thing "{n}",\nor é', "paid": n % 2 == 0,
        "day": moment.date(), "local": moment, "zoned": moment.replace(tzinfo=datetime.timezone.utc), "note": None if n % 3 else f"note {n}",
    }


def written_thing(n):
    """The same as a line of CSV."""
    cells = []
    for name, value in thing(n).items():
        if value is None:
            text = ""
        elif name == "zoned":
            text = value.isoformat()
        elif isinstance(value, datetime.datetime):
            text = value.isoformat(sep=" ")
        else:
            text = str(value)
        cells.append('"' + text.replace('"', '""') + '"' if '"' in text else text)
    return ",".join(cells) + "\n"


def write_things(ids):
    with open("things.csv", "w") as table:
        table.write(",".join(thing(0)) + "\n")
        table.writelines(map(written_thing, ids))


def of_json(name, value):
    """A value of an object's JSON as Python has it."""
    if value is None:
        return None
    read = {"big": decimal.Decimal, "day": datetime.date.fromisoformat, "local": datetime.datetime.fromisoformat,
            "zoned": datetime.datetime.fromisoformat}
    return read.get(name, lambda same: same)(value)


def compare_things(where, rows, ids):
    """Rows of any order against the things of those ids."""
    rows = {row["id"]: row for row in rows}
    if sorted(rows) != sorted(ids):
        fail(f"{where} has {len(rows)} other rows than the {len(ids)} of the source")
    for n in ids:
        for name, wanted in thing(n).items():
            if rows[n][name] != wanted:
                fail(f"{where}.{name} of {n}: {rows[n][name]!r} is not {wanted!r}")
    print(f"{where}: {len(rows)} rows, {len(rows) * len(thing(0))} cells are the source's")


def of_parquet(pattern):
    rows = duckdb.execute(f"SELECT * FROM '{pattern}'")
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row)) for row in rows.fetchall()]


def objects(store, folder):
    listed = store.list_objects_v2(Bucket="lake", Prefix=folder).get("Contents", [])
    return {found["Key"]: store.get_object(Bucket="lake", Key=found["Key"])["Body"].read() for found in listed}


def of_objects(found, holds):
    if holds == "Parquet":
        for at, content in enumerate(found.values()):
            with open(f"object-{at}.parquet", "wb") as file:
                file.write(content)
        rows = of_parquet("object-*.parquet")
        for file in glob.glob("object-*.parquet"):
            os.remove(file)
        return rows
    lines = [json.loads(line) for content in found.values() for line in gzip.decompress(content).splitlines()]
    for line in lines:
        if set(line) != {"_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id", "_airbyte_data"}:
            fail(f"an object's line has other members: {line}")
    return [{name: of_json(name, value) for name, value in line["_airbyte_data"].items()} for line in lines]


def check_files(base, workspace, token):
    """The native source of files into Parquet and S3: twice, so that the second sync replaces the first's files."""
    port = free_port()
    moto = subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", port],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": "key-of-check", "aws_secret_access_key": "secret-of-s3"}
        store = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
        for _ in range(300):
            try:
                store.create_bucket(Bucket="lake")
                break
            except botocore.exceptions.EndpointConnectionError:
                time.sleep(0.1)
        s3 = {"s3_bucket_name": "lake", "s3_bucket_region": "us-east-1", "s3_endpoint": endpoint,
              "access_key_id": "key-of-check", "secret_access_key": "secret-of-s3"}
        targets = {
            "parquet": {"destinationType": "parquet", "path": "lake"},
            "objects_jsonl": {"destinationType": "s3", "s3_bucket_path": "jsonl", "format": {"format_type": "JSONL"}, **s3},
            "objects_parquet": {"destinationType": "s3", "s3_bucket_path": "parquet", "format": {"format_type": "Parquet"}, **s3},
        }
        read = {
            "parquet": lambda: of_parquet("lake/things/*.parquet"),
            "objects_jsonl": lambda: of_objects(objects(store, "jsonl/things/"), "JSONL"),
            "objects_parquet": lambda: of_objects(objects(store, "parquet/things/"), "Parquet"),
        }
        first, second = range(2_000), range(500, 3_000)
        for name, configuration in targets.items():
            made = call("POST", f"{base}/destinations", {
                "name": name, "workspaceId": workspace, "configuration": configuration}, token)
            write_things(first)
            sync(name, "local-files", {"path": "things.csv"}, "--destination", made["destinationId"])
            compare_things(name, read[name](), first)
            write_things(second)
            ended = aam("sync", name, "--wait")
            if ended["status"] != "succeeded":
                fail(f"the second sync of {name}: {ended}")
            compare_things(name, read[name](), second)
        store.put_object(Bucket="lake", Key="others", Body=b"stays")
        left = list(objects(store, ""))
        # What the destination keeps for itself: the newest of which states the rows belong to.
        own = [key for key in left if "/_aam/" in key]
        if len(left) - len(own) != 3 or len(own) != 2:
            fail(f"objects were left behind: {left}")
    finally:
        moto.terminate()
        moto.wait(10)


ports = {f"SERVICE_PORT_{name}": free_port() for name in ("ORCHESTRATOR", "AUTH_BROKER", "DRIFT_REPAIR", "EMBEDDED_AIRBYTE")}
os.environ.update(ports, AIRBYTE_CLIENT_ID="check", AIRBYTE_CLIENT_SECRET="secret-of-the-check")
server = ThreadingHTTPServer(("127.0.0.1", 0), Items)
threading.Thread(target=server.serve_forever, daemon=True).start()
log = open("up.log", "w")
up = subprocess.Popen([AAM, "up"], stdout=log, stderr=log)
try:
    for _ in range(600):
        try:
            call("GET", f"http://127.0.0.1:{ports['SERVICE_PORT_ORCHESTRATOR']}/health", None)
            break
        except OSError:
            if up.poll() is not None:
                fail(open("up.log").read())
            time.sleep(0.1)
    hardcoded = {"count": 200}
    sync("hardcoded", "hardcoded-records", hardcoded)
    read = aam("connectors", "read", "source-hardcoded-records", "--set", "count=200", "--limit", "1000")
    for stream in read:
        compare(stream["stream"], stream["records"])
    sync("faker", "faker", {"count": 150, "seed": 7, "parallelism": 1}, "--prefix", "faker_")
    read = aam("connectors", "read", "source-faker", "--set", "count=150", "--set", "seed=7", "--set", "parallelism=1", "--limit", "1000")
    for stream in read:
        # Faker makes these up anew in each run, whatever the seed.
        compare(f"faker_{stream['stream']}", stream["records"], leave_out=MOMENTS_OF_FAKER)

    with open("drinks.csv", "w") as table:
        table.write("id,name,price\n")
        table.writelines(f"{n},drink {n},{n / 8}\n" for n in range(500))
    drinks = {"dataset_name": "drinks", "format": "csv", "url": os.path.abspath("drinks.csv"), "provider": '{"storage": "local"}'}
    sync("drinks", "source-file", drinks)
    compare("drinks", [{"id": n, "name": f"drink {n}", "price": n / 8} for n in range(500)])

    base = f"http://127.0.0.1:{ports['SERVICE_PORT_EMBEDDED_AIRBYTE']}/api/public/v1"
    token = call("POST", f"{base}/applications/token", {
        "client_id": "check", "client_secret": "secret-of-the-check", "grant-type": "client_credentials"})["access_token"]
    workspace = call("GET", f"{base}/workspaces", None, token)["data"][0]["workspaceId"]
    call("POST", f"{base}/workspaces/{workspace}/definitions/declarative_sources",
         {"name": "Items", "manifest": MANIFEST}, token)
    url = f"http://127.0.0.1:{server.server_port}"
    sync("items", "Items", {"url": url, "token": "t0ken-of-items"})
    compare("items", ITEMS)
    check_files(base, workspace, token)
    for secret in ("t0ken-of-items", "secret-of-s3"):
        if secret in open("up.log").read():
            fail("the log shows a secret")
finally:
    up.send_signal(signal.SIGINT)
    up.wait(30)
print("all rows are the sources' rows")
