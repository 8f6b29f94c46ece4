"""Drives an Airbyte with Airbyte's own Python SDK, unmodified: a workspace with a source, a
destination and a connection; a job; lists, changes, deletions. Started by test_sdk.sh.

Arguments: the public API's base URL, client id, client secret.
"""

import json
import sys
import time

import airbyte_api
from airbyte_api import api, models

url, client_id, client_secret = sys.argv[1:4]
credentials = models.SchemeClientCredentials(
    client_id=client_id, client_secret=client_secret, token_url="/applications/token"
)
sdk = airbyte_api.AirbyteAPI(
    server_url=url, security=models.Security(client_credentials=credentials)
)


def body(call, request, status=200):
    """The answer's JSON, once the SDK itself has read the answer."""
    try:
        answer = call(request=request)
    except Exception as error:
        # Newer releases look for the connector's type inside a destination's configuration,
        # where Airbyte's server does not write it. The answer is there all the same.
        response = getattr(error, "raw_response", None)
        if type(error).__name__ != "ResponseValidationError" or response is None:
            raise
        assert "destination" in str(error), error
        assert response.status_code == status, response.text
        print(f"   (the SDK cannot type this answer: {str(error)[:90]}…)")
        return response.json()
    assert answer.status_code == status, answer.raw_response.text
    text = answer.raw_response.text
    return json.loads(text) if text else None


def check(what, condition, seen=None):
    assert condition, f"{what}: {seen}"
    print("ok", what)


workspace = body(sdk.workspaces.create_workspace, models.WorkspaceCreateRequest(name="sdk"))
workspace_id = workspace["workspaceId"]
renamed = body(
    sdk.workspaces.update_workspace,
    api.UpdateWorkspaceRequest(
        workspace_id=workspace_id,
        workspace_update_request=models.WorkspaceUpdateRequest(name="sdk 2"),
    ),
)
check("workspace made and renamed", renamed["name"] == "sdk 2", renamed)

source = body(
    sdk.sources.create_source,
    models.SourceCreateRequest(
        name="crm",
        workspace_id=workspace_id,
        configuration=models.SourceSalesforce(
            client_id="id", client_secret="a secret", refresh_token="another secret"
        ),
    ),
)
source_id = source["sourceId"]
check("source made, secrets masked", source["configuration"]["client_secret"] == "*" * 10, source)
destination = body(
    sdk.destinations.create_destination,
    models.DestinationCreateRequest(
        name="sink",
        workspace_id=workspace_id,
        configuration=models.DestinationDevNull(test_destination=models.Silent()),
    ),
)
destination_id = destination["destinationId"]
check("destination made", destination["destinationType"] == "dev-null", destination)

streams = body(
    sdk.streams.get_stream_properties,
    api.GetStreamPropertiesRequest(source_id=source_id, destination_id=destination_id),
)
check("streams listed", [s["streamName"] for s in streams] == ["Account", "Contact"], streams)
tag = body(
    sdk.tags.create_tag,
    models.TagCreateRequest(name="nightly", color="FF5733", workspace_id=workspace_id),
)
# Releases differ in what they call these two.
Streams = getattr(models, "StreamConfigurationsInput", None) or models.StreamConfigurations
Stream = getattr(models, "StreamConfigurationInput", None) or models.StreamConfiguration
connection = body(
    sdk.connections.create_connection,
    models.ConnectionCreateRequest(
        source_id=source_id,
        destination_id=destination_id,
        name="crm to sink",
        configurations=Streams(
            streams=[
                Stream(
                    name="Account",
                    sync_mode=models.ConnectionSyncModeEnum.INCREMENTAL_DEDUPED_HISTORY,
                )
            ]
        ),
        schedule=models.AirbyteAPIConnectionSchedule(schedule_type=models.ScheduleTypeEnum.MANUAL),
    ),
)
connection_id = connection["connectionId"]
check("connection made", connection["status"] == "active", connection)

job = body(
    sdk.jobs.create_job,
    models.JobCreateRequest(connection_id=connection_id, job_type=models.JobTypeEnum.SYNC),
)
deadline = time.monotonic() + 60
while job["status"] not in ("succeeded", "failed", "cancelled"):
    assert time.monotonic() < deadline, f"the job does not end: {job}"
    job = body(sdk.jobs.get_job, api.GetJobRequest(job_id=job["jobId"]))
check("job run", (job["status"], job["rowsSynced"]) == ("succeeded", 3), job)
cancelled = body(sdk.jobs.cancel_job, api.CancelJobRequest(job_id=job["jobId"]))
check("an ended job stays as it is", cancelled["status"] == "succeeded", cancelled)
jobs = body(
    sdk.jobs.list_jobs,
    api.ListJobsRequest(connection_id=connection_id, order_by="createdAt|DESC", limit=1),
)
check("jobs listed", [j["jobId"] for j in jobs["data"]] == [job["jobId"]], jobs)

patched = body(
    sdk.connections.patch_connection,
    api.PatchConnectionRequest(
        connection_id=connection_id,
        connection_patch_request=models.ConnectionPatchRequest(
            name="renamed",
            tags=[
                models.Tag(
                    tag_id=tag["tagId"],
                    name=tag["name"],
                    color=tag["color"],
                    workspace_id=workspace_id,
                )
            ],
        ),
    ),
)
check("connection patched", (patched["name"], patched["tags"]) == ("renamed", [tag]), patched)
found = body(
    sdk.connections.list_connections,
    api.ListConnectionsRequest(workspace_ids=[workspace_id], tag_ids=[tag["tagId"]]),
)
check("connections listed by tag", [c["connectionId"] for c in found["data"]] == [connection_id], found)
patched = body(
    sdk.sources.patch_source,
    api.PatchSourceRequest(
        source_id=source_id, source_patch_request=models.SourcePatchRequest(name="crm 2")
    ),
)
check("source patched", patched["name"] == "crm 2", patched)
for what, call, request, key in [
    ("sources", sdk.sources.list_sources, api.ListSourcesRequest, "sourceId"),
    ("destinations", sdk.destinations.list_destinations, api.ListDestinationsRequest, "destinationId"),
    ("workspaces", sdk.workspaces.list_workspaces, api.ListWorkspacesRequest, "workspaceId"),
]:
    listed = body(call, request(workspace_ids=[workspace_id]))
    check(f"{what} listed", len(listed["data"]) == 1 and listed["data"][0][key], listed)

body(sdk.connections.delete_connection, api.DeleteConnectionRequest(connection_id=connection_id), 204)
body(sdk.sources.delete_source, api.DeleteSourceRequest(source_id=source_id), 204)
body(
    sdk.destinations.delete_destination,
    api.DeleteDestinationRequest(destination_id=destination_id),
    204,
)
body(sdk.tags.delete_tag, api.DeleteTagRequest(tag_id=tag["tagId"]), 204)
body(sdk.workspaces.delete_workspace, api.DeleteWorkspaceRequest(workspace_id=workspace_id), 204)
check("all deleted", True)
