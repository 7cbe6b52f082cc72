/** Child Workflows, and other workflows that one signals or cancels. */

import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  type ChildWorkflowHandle,
  type ChildWorkflowOptions,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { begin, outcome } from './common';

function childId(suffix = 'child'): string {
  return `${workflowInfo().workflowId}-${suffix}`;
}

/** Starts a child, and waits until it has been started. */
async function start(
  name: string,
  args: unknown[] = [],
  options: ChildWorkflowOptions = {}
): Promise<ChildWorkflowHandle<() => Promise<string>>> {
  return await startChild(name, { workflowId: childId(), args, ...options } as ChildWorkflowOptions);
}

// --- What the others do

export async function child_echo(value: string): Promise<string> {
  return value;
}

export async function child_timer(seconds: number): Promise<number> {
  await sleep(seconds * 1000);
  return seconds;
}

export async function child_refuses(): Promise<string> {
  throw ApplicationFailure.create({ message: 'refused: by the child', type: 'Refused', nonRetryable: true });
}

const finish = defineSignal<[string]>('finish');

/**
 * Waits for the signal `finish` and gives its value. Cancelled before that, it ends as cancelled half a second later.
 */
export async function child_waits(): Promise<string> {
  let finished: string | undefined;
  setHandler(finish, (value) => void (finished = value));
  try {
    await condition(() => finished !== undefined);
    return finished as unknown as string;
  } catch (error) {
    await CancellationScope.nonCancellable(() => sleep(500));
    throw error;
  }
}

// --- Children

export async function child(): Promise<string> {
  return await (await start('child_echo', ['hello'])).result();
}

export async function child_default_id(): Promise<string> {
  return await (await startChild('child_echo', { args: ['hello'] })).result();
}

export async function children_two(): Promise<string[]> {
  const starting = [1, 3].map((seconds) => start('child_timer', [seconds], { workflowId: childId(`${seconds}`) }));
  const results = [];
  for (const started of starting) {
    results.push(await (await started).result());
  }
  return results;
}

export async function child_failed(): Promise<string> {
  return await outcome((await start('child_refuses')).result());
}

export async function child_terminated(): Promise<string> {
  return await outcome((await start('child_waits')).result());
}

async function cancelOne(cancellationType: ChildWorkflowCancellationType): Promise<string> {
  let started = () => {};
  const untilStarted = new Promise<void>((resolve) => (started = resolve));
  const child = begin(async () => {
    const handle = await start('child_waits', [], { cancellationType });
    started();
    return await handle.result();
  });
  await untilStarted;
  child.cancel();
  const result = await outcome(child.result);
  await sleep(3000);
  return result;
}

export async function child_try_cancel(): Promise<string> {
  return await cancelOne(ChildWorkflowCancellationType.TRY_CANCEL);
}

export async function child_wait_cancelled(): Promise<string> {
  return await cancelOne(ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED);
}

export async function child_wait_requested(): Promise<string> {
  return await cancelOne(ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED);
}

export async function child_abandon(): Promise<string> {
  return await cancelOne(ChildWorkflowCancellationType.ABANDON);
}

export async function child_cancelled_at_once(): Promise<string> {
  const starting = begin(() => start('child_waits'));
  starting.cancel();
  const result = await outcome(starting.result);
  await sleep(100);
  return result;
}

export async function child_left_alone(): Promise<string> {
  await start('child_waits', [], { parentClosePolicy: ParentClosePolicy.ABANDON });
  return 'left alone';
}

export async function child_already_started(): Promise<string> {
  const child = await start('child_waits');
  let second = 'started';
  try {
    await start('child_waits');
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    second = 'already started';
  }
  await child.signal(finish, 'done');
  await child.result();
  return second;
}

export async function child_signalled(): Promise<string> {
  const child = await start('child_waits');
  await child.signal(finish, 'done');
  return await child.result();
}

// --- Others

export async function external_signal(other: string): Promise<string> {
  return await outcome(getExternalWorkflowHandle(other).signal(finish, 'done'));
}

export async function external_cancel(other: string): Promise<string> {
  return await outcome(getExternalWorkflowHandle(other).cancel());
}
