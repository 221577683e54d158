"""Runs scim2-tester against a SCIM service and prints its results as JSON, one check a line.

usage: python scim2_tester.py URL, with the bearer token in the environment variable SCIM_TOKEN
"""

import json
import os
import sys

# The folder of this file comes first on the path, and the library must not be looked for in it.
sys.path.pop(0)

from httpx2 import Client  # noqa: E402
from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: E402
from scim2_tester import check_server  # noqa: E402

headers = {"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"}
with Client(base_url=sys.argv[1], headers=headers, timeout=60, trust_env=False) as http:
    for result in check_server(SyncSCIMClient(http)):
        line = {
            "kind": result.resource_type,
            "title": result.title,
            "status": result.status.name,
            "reason": result.reason,
        }
        print(json.dumps(line), flush=True)
