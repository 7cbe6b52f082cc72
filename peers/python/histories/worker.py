"""Serves the workflows whose histories ``cargo xtask record-histories`` records, with Temporal's Python SDK.

Prints ``{"ready": true, "sdk": ...}``, serves until SIGTERM or SIGINT, and ends. With ``--nexus`` it serves the Nexus
Operations that the workflows of every SDK call. With ``--build-id`` it is a versioned worker.
"""

import argparse
import asyncio
import json
import os
import signal as signals
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import version

import children_and_others
import endings_and_options
import local_activities
import messages
import nexus_operations
import patches_and_upserts
import timers_and_activities
from activities import ACTIVITIES
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker, WorkerDeploymentConfig

PROGRAMS = [
    timers_and_activities,
    local_activities,
    children_and_others,
    patches_and_upserts,
    messages,
    endings_and_options,
    nexus_operations,
]


class NoStackTraces(DefaultFailureConverter):
    """Leaves stack traces out: they hold paths of the machine that records, and would be half of each file."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        super().to_failure(exception, payload_converter, failure)
        failure.stack_trace = ""


def worker(client: Client, arguments: argparse.Namespace) -> Worker:
    workflows = [workflow for program in PROGRAMS for workflow in program.WORKFLOWS]
    if arguments.nexus:
        return Worker(
            client,
            task_queue=arguments.task_queue,
            workflows=[nexus_operations.NexusWaits],
            nexus_service_handlers=[nexus_operations.Handlers()],
        )
    deployment = None
    if arguments.build_id:
        deployment = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name="histories", build_id=arguments.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    return Worker(
        client,
        task_queue=arguments.task_queue,
        activities=ACTIVITIES,
        workflows=workflows,
        deployment_config=deployment,
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
    )


async def main(arguments: argparse.Namespace) -> int:
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    converter = DataConverter(failure_converter_class=NoStackTraces)
    client = await Client.connect(arguments.address, identity="worker", data_converter=converter)
    stop = asyncio.Event()
    for signal_number in (signals.SIGTERM, signals.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with AsyncExitStack() as running:
        await running.enter_async_context(worker(client, arguments))
        print(json.dumps({"ready": True, "sdk": f"temporalio {version('temporalio')} (PyPI)"}), flush=True)
        await stop.wait()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="of the Temporal Server, such as 127.0.0.1:7233")
    parser.add_argument("--task-queue", required=True)
    parser.add_argument("--nexus", action="store_true", help="serve Nexus Operations, not workflows")
    parser.add_argument("--build-id", help="of the Worker Deployment Version that this is")
    # Not `sys.exit`: the threads of the SDK's native half outlive the interpreter, and one exit in three then crashes.
    os._exit(asyncio.run(main(parser.parse_args())))
