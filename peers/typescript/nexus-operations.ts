/** Nexus Operations. The Python peer has their handlers. */

import * as nexus from 'nexus-rpc';
import {
  createNexusServiceClient,
  NexusOperationCancellationType,
  type NexusOperationHandle,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { begin, outcome } from './common';

const histories = nexus.service('histories', {
  echo: nexus.operation<string, string>(),
  refuse: nexus.operation<string, string>(),
  wait: nexus.operation<string, string>(),
});

function client() {
  return createNexusServiceClient({ endpoint: 'histories', service: histories });
}

export async function nexus_sync(): Promise<string> {
  return await client().executeOperation('echo', 'hello');
}

export async function nexus_failed(): Promise<string> {
  return await outcome(client().executeOperation('refuse', 'no'));
}

export async function nexus_async(): Promise<string> {
  return await (await client().startOperation('wait', 'short')).result();
}

async function cancelOne(cancellationType: NexusOperationCancellationType): Promise<string> {
  let started = () => {};
  const untilStarted = new Promise<void>((resolve) => (started = resolve));
  const operation = begin(async () => {
    const input = `long-${workflowInfo().workflowId}`;
    const handle: NexusOperationHandle<string> = await client().startOperation('wait', input, { cancellationType });
    started();
    return await handle.result();
  });
  await untilStarted;
  await sleep(100);
  operation.cancel();
  const result = await outcome(operation.result);
  await sleep(3000);
  return result;
}

export async function nexus_wait_cancelled(): Promise<string> {
  return await cancelOne(NexusOperationCancellationType.WAIT_CANCELLATION_COMPLETED);
}

export async function nexus_wait_requested(): Promise<string> {
  return await cancelOne(NexusOperationCancellationType.WAIT_CANCELLATION_REQUESTED);
}

export async function nexus_try_cancel(): Promise<string> {
  return await cancelOne(NexusOperationCancellationType.TRY_CANCEL);
}
