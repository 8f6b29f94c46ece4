"""Rows of ingestion_check.py: tables in PostgreSQL and MariaDB, what is written into them, and what a destination's
cells have to be read as to be compared."""

import base64
import datetime
import decimal
import hashlib
import json
import random
import re
import threading
import time

import psycopg
import psycopg.types.json
import pymysql

# Threads begin with a copy of this one.
decimal.DefaultContext.prec = 80
decimal.setcontext(decimal.DefaultContext.copy())
UTC = datetime.timezone.utc
# Of each column: what it holds, its type in PostgreSQL, its type in MariaDB.
REST = {
    "wide": ("integer", "bigint", "bigint"),
    "large": ("whole", "numeric(38,0)", "bigint unsigned"),
    "amount": ("decimal", "numeric(24,6)", "decimal(24,6)"),
    "free": ("number", "numeric", "decimal(60,30)"),
    "ratio": ("double", "double precision", "double"),
    "name": ("text", "text NOT NULL", "text NOT NULL"),
    "note": ("text", "text", "longtext"),
    "paid": ("boolean", "boolean", "tinyint(1)"),
    "day": ("date", "date", "date"),
    "opens": ("time", "time", "time(6)"),
    "local": ("local", "timestamp", "datetime(6)"),
    "zoned": ("moment", "timestamptz", "timestamp(6) NULL"),
    "data": ("json", "jsonb", "json"),
    "raw": ("bytes", "bytea", "blob"),
}
CHECKSUM = {"checksum": ("text", "char(32) NOT NULL", "char(32) NOT NULL")}
MOMENT = ("moment", "timestamptz NOT NULL", "timestamp(6) NOT NULL DEFAULT '2001-01-01'")
ID = ("integer", "bigint NOT NULL", "bigint NOT NULL")
# Orders are read by their cursor and appended: nothing is deleted there. Accounts and notes are replaced by every sync.
TABLES = {
    "orders": ({"id": ID, **REST, "updated_at": MOMENT, **CHECKSUM}, ["id"]),
    "accounts": ({"region": ("text", "text NOT NULL", "varchar(20) NOT NULL"), "number": ID,
                  "balance": ("decimal", "numeric(20,2) NOT NULL", "decimal(20,2) NOT NULL"),
                  "opened": MOMENT, "holder": ("text", "text", "text"), **CHECKSUM}, ["region", "number"]),
    # Without a key, and with a name that has to be quoted; rows may be the same.
    "Loose notes": ({"Note": ("text", "text", "text"), "day": REST["day"], "data": REST["data"], **CHECKSUM}, []),
}
ROWS = {"orders": 12_000, "accounts": 5_000, "Loose notes": 3_000}
# What accounts hold together, in every moment that anybody can see.
TOTAL = decimal.Decimal("123456789.01")
TEXTS = ["plain", "it's \"quoted\"", "two\nlines\r\n", "tab\tand\\slash", "\\N", "", " ", "NULL", "null", "日本語", "😀 é e\u0301",
         "a,b;c|d", "\u2028\u0001", "{}", "[1]", "0012", "1e5", "ß" * 300]


def value(kind, rng, server):
    """One that its kind can hold."""
    far = rng.random() < 0.1
    day = datetime.date(1971, 1, 1) + datetime.timedelta(days=rng.randrange(24_000))
    moment = datetime.datetime(day.year, day.month, day.day, rng.randrange(24), rng.randrange(60), rng.randrange(60),
                               rng.choice([0, 1, 120_000, rng.randrange(1_000_000)]))
    if kind == "integer":
        return rng.choice([-2**63, 2**63 - 1, 2**53 + 1]) if far else rng.randrange(-10**12, 10**12)
    if kind == "whole":
        limit = 2**64 - 1 if server == "mysql" else 10**38 - 1
        return decimal.Decimal(limit if far else rng.randrange(limit))
    if kind == "decimal":
        return decimal.Decimal(rng.randrange(-10**24 + 1, 10**24) if far else rng.randrange(10**9)).scaleb(-6)
    if kind == "number":
        return decimal.Decimal(rng.randrange(-10**40, 10**40) * 2 + 1).scaleb(-30)
    if kind == "double":
        return rng.choice([0.1, -1e300, 5e-324, 1.7976931348623157e308] if far else [rng.random() * 1e6])
    if kind == "text":
        return rng.choice(TEXTS) if rng.random() < 0.3 else f"{rng.choice(TEXTS)} {rng.randrange(10**6)}"
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "date":
        return day
    if kind == "time":
        return moment.time()
    if kind == "local":
        return moment
    if kind == "moment":
        # MariaDB's moments end in 2038.
        return moment.replace(year=min(moment.year, 2030), day=min(moment.day, 28), tzinfo=UTC)
    if kind == "json":
        return rng.choice([{"n": rng.randrange(10**15), "t": rng.choice(TEXTS), "l": [1, None, True, {"é": 0.5}]}, [], {}, "text", 7, [["a\nb"]]])
    return rng.randbytes(rng.randrange(40))


def plain(cell):
    """A text that only this value has."""
    if cell is None:
        return "~"
    if isinstance(cell, (bool, float)):
        return repr(cell)
    if isinstance(cell, (int, decimal.Decimal)):
        return format(decimal.Decimal(cell).normalize(), "f")
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, (dict, list)):
        return json.dumps(cell, sort_keys=True)
    if isinstance(cell, str):
        return f"'{cell}'"
    if isinstance(cell, datetime.datetime) and cell.tzinfo:
        return cell.astimezone(UTC).isoformat()
    return cell.isoformat()


def checksum(table, row):
    """Over what a row holds; `free` aside, since Parquet has no type for a number of any number of digits."""
    columns = [name for name in TABLES[table][0] if name not in ("checksum", "free")]
    return hashlib.md5("\x1f".join(plain(row[name]) for name in columns).encode()).hexdigest()


def clock_of(text):
    """What a text of a moment, with or without a zone, means."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z)?", text)
    if not found:
        raise ValueError(f"{text!r} is no moment")
    day, clock, fraction, zone = found.groups()
    read = datetime.datetime.strptime(f"{day}T{clock}.{(fraction or '0').ljust(6, '0')}", "%Y-%m-%dT%H:%M:%S.%f")
    return read.replace(tzinfo=UTC) if zone else read


def read_back(kind, cell, holds, server):
    """A destination's cell as the value that it stands for; a fault where it is not of the type that it should be."""
    if cell is None:
        return None
    parquet, number = holds == "Parquet", (int, decimal.Decimal)
    wanted = {"integer": int, "boolean": bool, "double": float if parquet else number, "number": float if parquet else number,
              "decimal": decimal.Decimal if parquet else number,
              # `bigint unsigned` travels as a text of digits.
              "whole": decimal.Decimal if parquet else str if server == "mysql" else number}
    if kind in wanted and not isinstance(cell, wanted[kind]):
        raise ValueError(f"{cell!r} is no {kind}")
    if kind == "double":
        return float(cell)
    if kind in ("number", "decimal", "whole"):
        return cell if isinstance(cell, float) else decimal.Decimal(cell)
    if kind == "time":
        return clock_of(f"2000-01-01T{cell}").time()
    if kind == "json" and (holds == "Parquet" or server == "mysql"):
        return json.loads(cell)
    if holds == "JSONL":
        if kind in ("local", "moment"):
            read = clock_of(cell)
            if (read.tzinfo is not None) != (kind == "moment"):
                raise ValueError(f"{cell!r} is no {kind}")
            return read
        if kind == "date":
            return datetime.date.fromisoformat(cell)
        if kind == "bytes":
            return base64.b64decode(cell, validate=True)
    if kind == "json" and isinstance(cell, (dict, list)):
        # Numbers were read with all their digits.
        return json.loads(json.dumps(cell, default=float))
    return bytes(cell) if kind == "bytes" else cell


class Database:
    """A database of its own on a server, with a user of its own."""

    def __init__(self, server, name, user, password, url):
        self.server, self.name, self.user, self.password, self.url = server, name, user, password, url
        self.host, self.port = url.hostname, url.port
        self.admin = self.connect(url.username, url.password, (url.path or "/").lstrip("/") or None)
        if server == "postgres":
            self.execute(self.admin, f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
            self.execute(self.admin, f"CREATE DATABASE {name} OWNER {user}")
        else:
            self.execute(self.admin, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            self.execute(self.admin, f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'")
            self.execute(self.admin, f"GRANT ALL ON {name}.* TO {user}@'%'")

    def connect(self, user, password, database):
        # PostgreSQL's moments are the same in whatever zone; MariaDB's driver takes them for the session's.
        if self.server == "postgres":
            return psycopg.connect(host=self.host, port=self.port, user=user, password=password, dbname=database,
                                   autocommit=True, options="-c timezone=Asia/Kolkata")
        return pymysql.connect(host=self.host, port=self.port, user=user, password=password, database=database, charset="utf8mb4",
                               autocommit=True, init_command="SET time_zone = '+00:00'")

    def own(self):
        return self.connect(self.user, self.password, self.name)

    def drop(self):
        if self.server == "postgres":
            self.execute(self.admin, f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            self.execute(self.admin, f"DROP ROLE IF EXISTS {self.user}")
        else:
            self.execute(self.admin, f"DROP DATABASE IF EXISTS {self.name}")
            self.execute(self.admin, f"DROP USER IF EXISTS {self.user}@'%'")

    def execute(self, connection, statement, arguments=None):
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)

    def quoted(self, name):
        return f'"{name}"' if self.server == "postgres" else f"`{name}`"

    def cell(self, kind, cell):
        """A value as the driver takes it."""
        if cell is None:
            return None
        if kind == "json":
            return psycopg.types.json.Jsonb(cell) if self.server == "postgres" else json.dumps(cell)
        if kind == "moment" and self.server == "mysql":
            return cell.replace(tzinfo=None)
        return cell

    def rows(self, table):
        """All rows, as Python has them."""
        columns = TABLES[table][0]
        connection = self.own()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(map(self.quoted, columns))} FROM {self.quoted(table)}")
            found = [dict(zip(columns, row)) for row in cursor.fetchall()]
        connection.close()
        for row in found:
            for name, (kind, *_) in columns.items():
                row[name] = self.of_driver(kind, row[name])
        return found

    def of_driver(self, kind, cell):
        if cell is None or self.server == "postgres":
            return cell
        if kind == "boolean":
            return bool(cell)
        if kind == "json":
            return json.loads(cell)
        if kind == "moment":
            return cell.replace(tzinfo=UTC)
        if kind == "whole":
            return decimal.Decimal(cell)
        return (datetime.datetime.min + cell).time() if kind == "time" else cell


class Writer(threading.Thread):
    """Fills a database, then goes on changing it until it is stopped. It is the only one that writes, so that cursors
    are committed in their order; rows of one transaction share theirs."""

    def __init__(self, database, seed):
        super().__init__(daemon=True)
        self.database, self.rng = database, random.Random(seed)
        self.connection = database.own()
        self.connection.set_autocommit(False) if database.server == "postgres" else self.connection.autocommit(False)
        self.now = datetime.datetime.now(UTC)
        self.next_id = 1
        self.accounts, self.notes = {}, []
        # Every version of a row that ever was, by its checksum.
        self.versions = {table: {} for table in TABLES}
        self.ended, self.fault, self.transactions = threading.Event(), None, 0
        self.written = {"inserted": 0, "updated": 0, "deleted": 0}
        for table, (columns, key) in TABLES.items():
            server = 1 if database.server == "postgres" else 2
            lines = [f"{database.quoted(name)} {types[server]}" for name, types in columns.items()]
            if key:
                lines.append(f"PRIMARY KEY ({', '.join(map(database.quoted, key))})")
            database.execute(self.connection, f"CREATE TABLE {database.quoted(table)} ({', '.join(lines)})")
        self.put("orders", [self.order(self.new_id()) for _ in range(ROWS["orders"])])
        shares = ROWS["accounts"]
        share = (TOTAL / shares).quantize(decimal.Decimal("0.01"), decimal.ROUND_DOWN)
        self.put("accounts", [self.account((self.region(), n), share + (TOTAL - share * shares if n == 0 else 0)) for n in range(shares)])
        self.put("Loose notes", [self.note() for _ in range(ROWS["Loose notes"])])
        self.connection.commit()

    def new_id(self):
        self.next_id += 1
        return self.next_id - 1

    def region(self):
        return self.rng.choice(["north", "süd", "o'st", "west\nend"])

    def sealed(self, table, row):
        row["checksum"] = checksum(table, row)
        self.versions[table][row["checksum"]] = row
        return row

    def order(self, number):
        server = self.database.server
        row = {name: None if name != "name" and self.rng.random() < 0.1 else value(kind, self.rng, server) for name, (kind, *_) in REST.items()}
        return self.sealed("orders", {"id": number, **row, "updated_at": self.now})

    def account(self, key, balance):
        row = {"region": key[0], "number": key[1], "balance": balance, "opened": self.now, "holder": self.rng.choice(TEXTS)}
        self.accounts[key] = row
        return self.sealed("accounts", row)

    def note(self):
        rng = self.rng
        row = {"Note": rng.choice([None, *TEXTS]), "day": value("date", rng, ""), "data": rng.choice([None, value("json", rng, "")])}
        return self.sealed("Loose notes", row)

    def put(self, table, rows):
        columns, quoted = TABLES[table][0], self.database.quoted
        values = [[self.database.cell(kind, row[name]) for name, (kind, *_) in columns.items()] for row in rows]
        statement = f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, columns))}) VALUES ({', '.join(['%s'] * len(columns))})"
        with self.connection.cursor() as cursor:
            cursor.executemany(statement, values)
        self.notes += [row["checksum"] for row in rows] if table == "Loose notes" else []
        self.written["inserted"] += len(rows)

    def change(self, table, row):
        columns, key = TABLES[table]
        quoted = self.database.quoted
        sets = ", ".join(f"{quoted(name)} = %s" for name in columns)
        where = " AND ".join(f"{quoted(name)} = %s" for name in key)
        values = [self.database.cell(kind, row[name]) for name, (kind, *_) in columns.items()]
        self.database.execute(self.connection, f"UPDATE {quoted(table)} SET {sets} WHERE {where}", values + [row[name] for name in key])
        self.written["updated"] += 1

    def remove(self, table, by):
        quoted = self.database.quoted
        where = " AND ".join(f"{quoted(name)} = %s" for name in by)
        self.database.execute(self.connection, f"DELETE FROM {quoted(table)} WHERE {where}", list(by.values()))
        self.written["deleted"] += 1

    def transaction(self):
        rng = self.rng
        self.now = max(self.now + datetime.timedelta(microseconds=1), datetime.datetime.now(UTC))
        self.put("orders", [self.order(self.new_id()) for _ in range(rng.randrange(1, 4))])
        for number in rng.sample(range(1, self.next_id), rng.randrange(1, 8)):
            self.change("orders", self.order(number))
        one, other, third = rng.sample(list(self.accounts), 3)
        amount = decimal.Decimal(rng.randrange(1, 10**6)).scaleb(-2)
        one_has, other_has = self.accounts[one]["balance"] - amount, self.accounts[other]["balance"] + amount
        if rng.random() < 0.4:
            # Whoever leaves gives away what there is.
            other_has += self.accounts.pop(third)["balance"]
            self.remove("accounts", dict(zip(TABLES["accounts"][1], third)))
        if rng.random() < 0.4:
            self.put("accounts", [self.account((self.region(), 10_000 + self.new_id()), decimal.Decimal(0))])
        self.change("accounts", self.account(one, one_has))
        self.change("accounts", self.account(other, other_has))
        self.put("Loose notes", [self.note()])
        if rng.random() < 0.5:
            self.remove("Loose notes", {"checksum": self.notes.pop(rng.randrange(len(self.notes)))})
        self.connection.commit()
        self.transactions += 1

    def run(self):
        try:
            while not self.ended.is_set():
                self.transaction()
                time.sleep(0.01)
        except Exception as fault:
            self.fault = fault

    def stop(self):
        self.ended.set()
        self.join(30)
        if self.fault or self.is_alive():
            raise RuntimeError(f"the writer of {self.database.server} ended with {self.fault!r}")
        self.connection.close()
