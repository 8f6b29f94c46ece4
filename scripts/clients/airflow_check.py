"""The Airflow provider against an Airbyte: the connection's test, the operator (waiting, and
deferred with its trigger), and a sync that is cancelled.

Arguments: Airbyte's root URL, client id, client secret, a connection id. `AIRFLOW_HOME` names an
empty folder.
"""

import asyncio
import json
import os
import sys
import time

root, client_id, client_secret, connection_id = sys.argv[1:5]
os.environ["AIRFLOW_CONN_AIRBYTE_DEFAULT"] = json.dumps(
    {
        "conn_type": "airbyte",
        "host": f"{root}/api/public/v1",
        "login": client_id,
        "password": client_secret,
        "schema": "applications/token",
    }
)

from airflow.providers.airbyte.hooks.airbyte import AirbyteHook  # noqa: E402
from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator  # noqa: E402
from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger  # noqa: E402


def check(what, condition, seen=None):
    assert condition, f"{what}: {seen}"
    print("ok", what)


hook = AirbyteHook()
worked, message = hook.test_connection()
check("the connection's test", worked, message)

operator = AirbyteTriggerSyncOperator(
    task_id="sync", connection_id=connection_id, wait_seconds=0.2, timeout=60
)
job_id = operator.execute(context={})
status = hook.get_job_status(job_id)
check("the operator waits for the sync", status == "succeeded", status)

asynchronous = AirbyteTriggerSyncOperator(
    task_id="start", connection_id=connection_id, asynchronous=True
)
job_id = asynchronous.execute(context={})
trigger = AirbyteSyncTrigger(
    job_id=job_id,
    conn_id="airbyte_default",
    end_time=time.time() + 60,
    execution_deadline=None,
    poll_interval=0.2,
)


async def first_event():
    async for event in trigger.run():
        return event.payload


event = asyncio.run(first_event())
check("the trigger reports the end", event["status"] == "success", event)
operator.execute_complete(context={}, event=event)

job = hook.submit_sync_connection(connection_id=connection_id)
cancelled = hook.cancel_job(job.job_id)
check(
    "a job is cancelled, or has ended",
    cancelled.job_id == job.job_id and hook.get_job_status(job.job_id) in ("cancelled", "succeeded"),
    cancelled,
)
reset = hook.submit_reset_connection(connection_id=connection_id)
hook.wait_for_job(reset.job_id, wait_seconds=0.2, timeout=60)
check("a reset succeeds", hook.get_job_status(reset.job_id) == "succeeded")
