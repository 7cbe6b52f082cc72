"""Temporal's Python SDK as a peer for our tests.

Every command answers with JSON on standard output, one object a line, and exits 0 when it could answer, whatever the
answer is: a workflow that failed and a replay that disagrees are answers. It exits 1, with ``{"error": ...}``, when it
could not do what it was asked. Bytes are ``{"$bytes": "<hex>"}``, as results and as arguments.

``cargo xtask test`` installs what this needs and gives its Python to the tests as ``TIMEWRIGHT_PYTHON``.
"""

import argparse
import asyncio
import json
import os
import signal as signals
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, Worker

import definitions
import operations
import programs
from failures import from_json, levels, to_json

# --- Commands


async def worker(client: Client, arguments: argparse.Namespace) -> None:
    """Serves the Task Queues until SIGTERM or SIGINT, then drains and says so."""
    stop = asyncio.Event()
    for signal_number in (signals.SIGTERM, signals.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with AsyncExitStack() as workers:
        for task_queue in arguments.task_queue:
            await workers.enter_async_context(
                Worker(
                    client,
                    task_queue=task_queue,
                    activities=definitions.ACTIVITIES + operations.ACTIVITIES + programs.ACTIVITIES,
                    workflows=definitions.WORKFLOWS + operations.WORKFLOWS + programs.WORKFLOWS,
                    max_heartbeat_throttle_interval=timedelta(milliseconds=100),
                )
            )
        for task_queue in arguments.task_queue:
            await until_polling(client, task_queue)
        answer({"ready": True})
        await stop.wait()
    answer({"stopped": True})


async def start(client: Client, arguments: argparse.Namespace) -> None:
    """Starts a workflow by its type's name."""
    handle = await client.start_workflow(
        arguments.workflow,
        args=arguments.arguments,
        id=arguments.workflow_id,
        task_queue=arguments.task_queue,
        execution_timeout=timedelta(seconds=arguments.timeout),
    )
    answer({"run_id": handle.result_run_id})


async def result(client: Client, arguments: argparse.Namespace) -> None:
    """Waits for a workflow and prints its result, or its failure, level by level."""
    try:
        answer({"result": to_json(await client.get_workflow_handle(arguments.workflow_id).result())})
    except WorkflowFailureError as error:
        answer({"failure": levels(error.cause)})


async def execute(client: Client, arguments: argparse.Namespace) -> None:
    """Starts a workflow, and waits as `result` does. Prints only the result."""
    await client.start_workflow(
        arguments.workflow,
        args=arguments.arguments,
        id=arguments.workflow_id,
        task_queue=arguments.task_queue,
        execution_timeout=timedelta(seconds=arguments.timeout),
    )
    await result(client, arguments)


async def signal(client: Client, arguments: argparse.Namespace) -> None:
    """Sends a signal."""
    handle = client.get_workflow_handle(arguments.workflow_id)
    await handle.signal(arguments.name, args=arguments.arguments)
    answer({"signalled": True})


async def query(client: Client, arguments: argparse.Namespace) -> None:
    """Asks a query, and prints its answer, or why there is none."""
    handle = client.get_workflow_handle(arguments.workflow_id)
    try:
        answer({"result": to_json(await handle.query(arguments.name, args=arguments.arguments))})
    except WorkflowQueryFailedError as error:
        answer({"query_failed": error.message})


async def cancel(client: Client, arguments: argparse.Namespace) -> None:
    """Asks a workflow to cancel itself."""
    await client.get_workflow_handle(arguments.workflow_id).cancel()
    answer({"cancel_requested": True})


async def terminate(client: Client, arguments: argparse.Namespace) -> None:
    """Terminates a workflow."""
    await client.get_workflow_handle(arguments.workflow_id).terminate(reason=arguments.reason)
    answer({"terminated": True})


async def replay(client: Client, arguments: argparse.Namespace) -> None:
    """Replays the histories of some runs of the programs against this peer's own code for them, one answer for each."""
    programs_of_today = operations.WORKFLOWS + programs.WORKFLOWS
    changed = operations.CHANGED_WORKFLOWS + programs.CHANGED_WORKFLOWS
    workflows = changed if arguments.changed else programs_of_today
    replayer = Replayer(workflows=workflows, namespace=client.namespace)
    for workflow_id, run_id in arguments.run_of:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        outcome = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if outcome.replay_failure is None:
            answer({"workflow_id": workflow_id, "replayed": True, "events": len(history.events)})
        else:
            disagreement = str(outcome.replay_failure)
            answer({"workflow_id": workflow_id, "replayed": False, "disagreement": disagreement})


# --- Helpers


def tracing_interceptor() -> Any:
    """Traces as Temporal's SDK does; each span that ends is an answer: ``{"span": {...}}``."""
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
    from temporalio.contrib.opentelemetry import TracingInterceptor

    class Answers(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            for span in spans:
                answer(
                    {
                        "span": {
                            "name": span.name,
                            "trace_id": f"{span.context.trace_id:032x}",
                            "span_id": f"{span.context.span_id:016x}",
                            "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
                            "links": [f"{link.context.span_id:016x}" for link in span.links],
                            "attributes": dict(span.attributes or {}),
                        }
                    }
                )
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Answers()))
    return TracingInterceptor(provider.get_tracer("python-peer"))


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


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def parse_arguments() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--address", required=True, help="of the Temporal Server, such as 127.0.0.1:7233")
    common.add_argument("--namespace", default="default")
    common.add_argument("--tracing", action="store_true", help="emit spans, and carry traces in headers")
    common.add_argument("--identity", help="as whom to act; PID@HOST if not given")

    one_workflow = argparse.ArgumentParser(add_help=False)
    one_workflow.add_argument("--workflow-id", required=True)

    call = argparse.ArgumentParser(add_help=False)
    call.add_argument("--arguments", type=json_list, default=[], help="a JSON list, one element an argument")

    to_start = argparse.ArgumentParser(add_help=False)
    to_start.add_argument("--task-queue", required=True)
    to_start.add_argument("--workflow", required=True, help="the workflow type's name")
    to_start.add_argument("--timeout", type=float, default=60, help="seconds until the server gives the workflow up")

    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", required=True, help="of the signal or query")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("worker", parents=[common], help=worker.__doc__)
    command.add_argument("--task-queue", required=True, action="append", help="can be given several times")
    command.set_defaults(run=worker)

    for run, parents in (
        (start, [to_start, one_workflow, call]),
        (result, [one_workflow]),
        (execute, [to_start, one_workflow, call]),
        (signal, [named, one_workflow, call]),
        (query, [named, one_workflow, call]),
        (cancel, [one_workflow]),
    ):
        command = commands.add_parser(run.__name__, parents=[common, *parents], help=run.__doc__)
        command.set_defaults(run=run)

    command = commands.add_parser("terminate", parents=[common, one_workflow], help=terminate.__doc__)
    command.add_argument("--reason", required=True)
    command.set_defaults(run=terminate)

    command = commands.add_parser("replay", parents=[common], help=replay.__doc__)
    command.add_argument(
        "--run-of", required=True, action="append", nargs=2, metavar=("WORKFLOW_ID", "RUN_ID"), help="any number of them"
    )
    command.add_argument("--changed", action="store_true", help="with code that agrees with no history of `greeting` and `operations`")
    command.set_defaults(run=replay)
    return parser.parse_args()


def json_list(text: str) -> list[Any]:
    value = json.loads(text)
    if not isinstance(value, list):
        raise argparse.ArgumentTypeError(f"{text} is not a JSON list")
    return [from_json(argument) for argument in value]


async def main(arguments: argparse.Namespace) -> int:
    # The SDK's native half logs on standard output unless told not to; that is where our answers go.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    try:
        client = await Client.connect(
            arguments.address,
            namespace=arguments.namespace,
            identity=arguments.identity,
            interceptors=[tracing_interceptor()] if arguments.tracing else [],
        )
        await arguments.run(client, arguments)
        return 0
    except Exception as error:  # the caller reads JSON, whatever went wrong
        answer({"error": f"{type(error).__name__}: {error}"})
        return 1


if __name__ == "__main__":
    # Not `sys.exit`: the threads of the SDK's native half outlive the interpreter, and one exit in three then crashes.
    os._exit(asyncio.run(main(parse_arguments())))
