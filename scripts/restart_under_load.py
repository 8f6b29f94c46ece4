"""Restarts a database again and again while readers and writers call both services that use it.

A request that begins after both said that they are ready and before the next restart must succeed.
Arguments: the orchestrator, the auth broker, and the command that restarts the database and returns
when it was started. KEY in the environment is the admin key.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ORCHESTRATOR, BROKER, *RESTART = sys.argv[1:]
ROUNDS, CALLERS, PROBES = 4, 8, 200
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(method, url, body=None):
    headers = {"Authorization": f"Bearer {os.environ['KEY']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with OPENER.open(urllib.request.Request(url, data=data, headers=headers, method=method), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError as broken:
        return 0, str(broken).encode()


def is_ready():
    return all(call("GET", f"{base}/ready")[0] == 200 for base in (ORCHESTRATOR, BROKER))


steady, stop = threading.Event(), threading.Event()
lock, failed, answered = threading.Lock(), [], [0]


def caller(number):
    turn = 0
    while not stop.is_set():
        turn += 1
        counts = steady.is_set()
        kind = turn % 3
        if kind == 0:
            said = call("GET", f"{ORCHESTRATOR}/connections")
        elif kind == 1:
            said = call("GET", f"{BROKER}/credentials")
        else:
            body = {"source_type": "shop", "kind": "raw", "secret": {"token": str(turn)}}
            said = call("PUT", f"{BROKER}/credentials/load-{number}", body)
        # One that was under way when the next restart began may fail.
        if counts and steady.is_set():
            with lock:
                answered[0] += 1
                if not 200 <= said[0] < 300:
                    failed.append((kind, said))
        # Fewer than one key may send a service in a second.
        time.sleep(0.05)


callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
for thread in callers:
    thread.start()
try:
    for _ in range(ROUNDS):
        subprocess.run(RESTART, check=True, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not is_ready():
            assert time.monotonic() < deadline, "not ready within 60 s"
        steady.set()
        until = answered[0] + PROBES
        while answered[0] < until:
            assert time.monotonic() < deadline, "no answers within 60 s"
            time.sleep(0.01)
        steady.clear()
finally:
    stop.set()
    for thread in callers:
        thread.join()
print(f"{ROUNDS} restarts, {answered[0]} requests after ready, {len(failed)} failed")
sys.exit(f"{failed[:5]}" if failed else 0)
