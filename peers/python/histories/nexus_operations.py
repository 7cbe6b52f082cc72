"""Nexus Operations: workflows that call them, and a handler for them."""

import asyncio

import nexusrpc
import temporalio.nexus
from temporalio import workflow
from temporalio.workflow import NexusOperationCancellationType

with workflow.unsafe.imports_passed_through():
    from common import Timer, outcome

ENDPOINT = "histories"
HANDLERS = "histories-nexus"


@nexusrpc.service(name="histories")
class Histories:
    echo: nexusrpc.Operation[str, str]
    refuse: nexusrpc.Operation[str, str]
    wait: nexusrpc.Operation[str, str]


@nexusrpc.handler.service_handler(service=Histories)
class Handlers:
    @nexusrpc.handler.sync_operation
    async def echo(self, _context: nexusrpc.handler.StartOperationContext, value: str) -> str:
        return value

    @nexusrpc.handler.sync_operation
    async def refuse(self, _context: nexusrpc.handler.StartOperationContext, reason: str) -> str:
        raise nexusrpc.OperationError(f"refused: {reason}", state=nexusrpc.OperationErrorState.FAILED)

    @temporalio.nexus.workflow_run_operation
    async def wait(
        self, context: temporalio.nexus.WorkflowRunOperationContext, value: str
    ) -> temporalio.nexus.WorkflowHandle[str]:
        return await context.start_workflow(NexusWaits.run, value, id=f"nexus-{value}")


@workflow.defn(name="nexus_waits")
class NexusWaits:
    """Stands behind the operation ``wait``.

    Ends by itself for ``short``; for anything else half a second after it is cancelled.
    """

    @workflow.run
    async def run(self, value: str) -> str:
        try:
            await asyncio.sleep(0.5 if value == "short" else 3600)
            return value
        except asyncio.CancelledError:
            await Timer(0.5).fired
            raise


def client() -> workflow.NexusClient[Histories]:
    return workflow.create_nexus_client(service=Histories, endpoint=ENDPOINT)


@workflow.defn(name="nexus_sync")
class NexusSync:
    @workflow.run
    async def run(self) -> str:
        return await client().execute_operation(Histories.echo, "hello")


@workflow.defn(name="nexus_failed")
class NexusFailed:
    @workflow.run
    async def run(self) -> str:
        return await outcome(client().execute_operation(Histories.refuse, "no"))


@workflow.defn(name="nexus_async")
class NexusAsync:
    @workflow.run
    async def run(self) -> str:
        return await (await client().start_operation(Histories.wait, "short"))


async def cancel_one(cancellation_type: NexusOperationCancellationType) -> str:
    operation = await client().start_operation(
        Histories.wait, f"long-{workflow.info().workflow_id}", cancellation_type=cancellation_type
    )
    await Timer(0.1).fired
    operation.cancel()
    result = await outcome(operation)
    await Timer(3).fired
    return result


@workflow.defn(name="nexus_wait_cancelled")
class NexusWaitCancelled:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(NexusOperationCancellationType.WAIT_COMPLETED)


@workflow.defn(name="nexus_wait_requested")
class NexusWaitRequested:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(NexusOperationCancellationType.WAIT_REQUESTED)


@workflow.defn(name="nexus_try_cancel")
class NexusTryCancel:
    @workflow.run
    async def run(self) -> str:
        return await cancel_one(NexusOperationCancellationType.TRY_CANCEL)


WORKFLOWS = [NexusSync, NexusFailed, NexusAsync, NexusWaitCancelled, NexusWaitRequested, NexusTryCancel]
