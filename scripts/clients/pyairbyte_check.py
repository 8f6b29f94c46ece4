"""PyAirbyte's `CloudWorkspace` against an Airbyte: deploy, connect, sync, read logs, state and
catalog, change and delete.

Arguments: Airbyte's root URL, client id, client secret, workspace id, the id of a source.
"""

import sys

from airbyte.cloud import CloudWorkspace

root, client_id, client_secret, workspace_id, source_id = sys.argv[1:6]


def check(what, condition, seen=None):
    assert condition, f"{what}: {seen}"
    print("ok", what)


workspace = CloudWorkspace(
    workspace_id=workspace_id,
    client_id=client_id,
    client_secret=client_secret,
    api_root=f"{root}/api/public/v1",
    config_api_root=f"{root}/api/v1",
)
workspace.connect()
check("connected", True)
organization = workspace.get_organization()
check("the workspace has an organization", organization.organization_id, organization)

source = workspace.get_source(source_id)
check("the source's check succeeds", source.check(raise_on_error=False).success)
destination = workspace.deploy_destination(
    "pyairbyte", {"destinationType": "dev-null", "test_destination": {"test_destination_type": "SILENT"}}
)
check("a destination is deployed", len(workspace.list_destinations(name="pyairbyte")) == 1)
connection = workspace.deploy_connection(
    "crm to pyairbyte", source=source, destination=destination, selected_streams=["Account"]
)
check("a connection is deployed", connection.stream_names == ["Account"], connection.stream_names)

result = connection.run_sync(wait=True, wait_timeout=60)
status = result.get_job_status()
check("a sync succeeds", status == "succeeded", status)
check("rows are counted", result.records_synced == 3, result.records_synced)
attempts = result.get_attempts()
log = attempts[0].get_full_log_text()
check("its attempt has a log", "Succeeded" in log, log)
check("it is among the previous syncs", len(connection.get_previous_sync_logs()) == 1)

state = connection.dump_raw_state()
connection.import_raw_state(state)
check("the state survives a round trip", connection.dump_raw_state() == state, state)
catalog = connection.dump_raw_catalog()
connection.import_raw_catalog(catalog)
check("the catalog survives a round trip", connection.dump_raw_catalog() == catalog, catalog)

connection.rename("renamed")
check("renamed", connection.name == "renamed", connection.name)
connection.set_table_prefix("crm_")
check("prefixed", connection.table_prefix == "crm_", connection.table_prefix)
connection.set_selected_streams(["Account", "Contact"])
connection.set_schedule("0 0 2 * * ?")
connection.set_manual_schedule()
connection.set_enabled(enabled=False)
check("disabled", connection.enabled is False)

workspace.permanently_delete_connection(connection, cascade_delete_destination=False, safe_mode=False)
check("deleted", workspace.list_connections(name="renamed") == [])
workspace.permanently_delete_destination(destination, safe_mode=False)
check("the destination is deleted", workspace.list_destinations(name="pyairbyte") == [])
