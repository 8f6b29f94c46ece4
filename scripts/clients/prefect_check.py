"""prefect-airbyte's client against an Airbyte: health, a connection's status, a sync and its job.

The package does not import under current releases of Prefect and pydantic, so its client is loaded
without the package's `__init__`. It knows user and password only; the bearer token is put on its
HTTP client.

Arguments: the folder of the unpacked package, Airbyte's root URL, an access token, a connection id.
"""

import asyncio
import importlib
import logging
import sys
import types
import warnings

folder, root, token, connection_id = sys.argv[1:5]
package = types.ModuleType("prefect_airbyte")
package.__path__ = [folder]
sys.modules["prefect_airbyte"] = package
client_module = importlib.import_module("prefect_airbyte.client")
errors = importlib.import_module("prefect_airbyte.exceptions")
warnings.simplefilter("ignore", DeprecationWarning)


async def main():
    client = client_module.AirbyteClient(logging.getLogger("prefect"), f"{root}/api/v1")
    client._client.auth = None
    client._client.headers["Authorization"] = f"Bearer {token}"
    async with client:
        print("ok healthy")
        status = await client.get_connection_status(connection_id)
        assert status == "active", status
        print("ok the connection is active")
        job_id, created_at = await client.trigger_manual_sync_connection(connection_id)
        assert created_at > 0, created_at
        # A flow may carry the job's id as text.
        for _ in range(300):
            job_status, _, updated_at = await client.get_job_status(str(job_id))
            if job_status in ("succeeded", "failed", "cancelled"):
                break
            await asyncio.sleep(0.1)
        assert job_status == "succeeded", job_status
        assert updated_at >= created_at, (updated_at, created_at)
        info = await client.get_job_info(job_id)
        assert len(info["attempts"]) == 1, info
        print("ok the sync succeeded")
        try:
            await client.get_connection_status("00000000-0000-4000-8000-000000000001")
        except errors.ConnectionNotFoundException:
            print("ok an unknown connection is not found")
        else:
            raise AssertionError("an unknown connection was found")


asyncio.run(main())
