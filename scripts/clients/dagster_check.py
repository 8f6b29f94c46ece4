"""dagster-airbyte against an Airbyte: the workspace's connections as asset specs, and a
materialization that runs a sync.

Arguments: Airbyte's root URL, client id, client secret, workspace id, a connection id.
"""

import sys

import dagster as dg
from dagster_airbyte import AirbyteWorkspace, build_airbyte_assets_definitions, load_airbyte_asset_specs

root, client_id, client_secret, workspace_id, connection_id = sys.argv[1:6]
workspace = AirbyteWorkspace(
    rest_api_base_url=f"{root}/api/public/v1",
    configuration_api_base_url=f"{root}/api/v1",
    workspace_id=workspace_id,
    client_id=client_id,
    client_secret=client_secret,
    poll_interval=0.2,
    poll_timeout=60,
)


def check(what, condition, seen=None):
    assert condition, f"{what}: {seen}"
    print("ok", what)


data = workspace.fetch_airbyte_workspace_data()
check("the workspace's connections are read", connection_id in data.connections_by_id, data)
specs = load_airbyte_asset_specs(workspace)
check("streams become assets", [str(spec.key.path[-1]) for spec in specs] == ["Account"], specs)

client = workspace.get_client()
output = client.sync_and_poll(connection_id)
check("a sync is started and followed", output.job_details["status"] == "succeeded", output)

assets = build_airbyte_assets_definitions(workspace=workspace)
quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
result = dg.materialize(assets, resources={"airbyte": workspace}, run_config=quiet)
check("the assets are materialized", result.success, result)
materialized = [event.asset_key.path[-1] for event in result.get_asset_materialization_events()]
check("one materialization per stream", materialized == ["Account"], materialized)
