"""Temporal's Python SDK as a peer for our tests.

Every command answers with JSON on standard output, one object a line, and exits 0 when it could answer, whatever the
answer is: a workflow that failed and a replay that disagrees are answers. It exits 1, with ``{"error": ...}``, when it
could not do what it was asked.

``cargo xtask test`` installs what this needs and gives its Python to the tests as ``TIMEWRIGHT_PYTHON``.
"""

import argparse
import asyncio
import json
import os
import signal
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, Worker

from definitions import ACTIVITIES, WORKFLOWS, Greeting


async def worker(client: Client, arguments: argparse.Namespace) -> None:
    """Serves the Task Queue until SIGTERM or SIGINT, then drains and says so."""
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with Worker(client, task_queue=arguments.task_queue, activities=ACTIVITIES, workflows=WORKFLOWS):
        await until_polling(client, arguments.task_queue)
        answer({"ready": True})
        await stop.wait()
    answer({"stopped": True})


async def execute(client: Client, arguments: argparse.Namespace) -> None:
    """Starts a workflow by its type's name and prints its result, or its chain of failures from the outside in."""
    try:
        result = await client.execute_workflow(
            arguments.workflow,
            args=arguments.arguments,
            id=arguments.workflow_id,
            task_queue=arguments.task_queue,
            execution_timeout=timedelta(seconds=arguments.timeout),
        )
        answer({"result": result})
    except WorkflowFailureError as error:
        answer({"failure": failure_chain(error)})


async def replay(client: Client, arguments: argparse.Namespace) -> None:
    """Replays a recorded ``greeting`` against this peer's own code for it."""
    history = await client.get_workflow_handle(arguments.workflow_id).fetch_history()
    replayer = Replayer(workflows=[Greeting], namespace=client.namespace)
    outcome = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if outcome.replay_failure is None:
        answer({"replayed": True, "events": len(history.events)})
    else:
        answer({"replayed": False, "disagreement": str(outcome.replay_failure)})


async def until_polling(client: Client, task_queue: str) -> None:
    """Waits until the server has seen polls of this process for both kinds of task.

    A worker that cannot poll raises out of its ``async with`` and ends this wait.
    """
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        while not await is_polling(client, task_queue, kind):
            await asyncio.sleep(0.05)  # the server has no call that waits for a poller


async def is_polling(client: Client, task_queue: str, kind: TaskQueueType.ValueType) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
    )
    described = await client.workflow_service.describe_task_queue(request)
    return any(poller.identity == client.identity for poller in described.pollers)


def failure_chain(error: BaseException | None) -> list[dict[str, Any]]:
    """One object for each level, the outermost first. What a level does not have is null."""
    levels = []
    while error is not None:
        application = error if isinstance(error, ApplicationError) else None
        levels.append(
            {
                "class": type(error).__name__,
                "message": error.message if isinstance(error, FailureError) else str(error),
                "type": application and application.type,
                "details": application and list(application.details),
                "non_retryable": application and application.non_retryable,
                "activity_type": error.activity_type if isinstance(error, ActivityError) else None,
            }
        )
        error = error.__cause__
    return levels


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def parse_arguments() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--address", required=True, help="of the Temporal Server, such as 127.0.0.1:7233")
    common.add_argument("--namespace", default="default")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("worker", parents=[common], help=worker.__doc__)
    command.add_argument("--task-queue", required=True)
    command.set_defaults(run=worker)

    command = commands.add_parser("execute", parents=[common], help=execute.__doc__)
    command.add_argument("--task-queue", required=True)
    command.add_argument("--workflow", required=True, help="the workflow type's name")
    command.add_argument("--workflow-id", required=True)
    command.add_argument("--arguments", type=json_list, default=[], help="a JSON list, one element an argument")
    command.add_argument("--timeout", type=float, default=60, help="seconds until the server gives the workflow up")
    command.set_defaults(run=execute)

    command = commands.add_parser("replay", parents=[common], help=replay.__doc__)
    command.add_argument("--workflow-id", required=True)
    command.set_defaults(run=replay)
    return parser.parse_args()


def json_list(text: str) -> list[Any]:
    value = json.loads(text)
    if not isinstance(value, list):
        raise argparse.ArgumentTypeError(f"{text} is not a JSON list")
    return value


async def main(arguments: argparse.Namespace) -> int:
    # The SDK's native half logs on standard output unless told not to; that is where our answers go.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    try:
        client = await Client.connect(arguments.address, namespace=arguments.namespace)
        await arguments.run(client, arguments)
        return 0
    except Exception as error:  # the caller reads JSON, whatever went wrong
        answer({"error": f"{type(error).__name__}: {error}"})
        return 1


if __name__ == "__main__":
    # Not `sys.exit`: the threads of the SDK's native half outlive the interpreter, and one exit in three then crashes.
    os._exit(asyncio.run(main(parse_arguments())))
