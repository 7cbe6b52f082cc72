/** How workflows end, and what is said about them and their parts. */

import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  makeContinueAsNewFunc,
  patched,
  setHandler,
  sleep,
  startChild,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { local, remote } from './common';
import { COLOUR } from './patches-and-upserts';

// --- Endings

export async function workflow_failed(): Promise<string> {
  throw ApplicationFailure.create({ message: 'refused: by the workflow', type: 'Refused', nonRetryable: true });
}

export async function workflow_cancelled(): Promise<string> {
  await sleep(3_600_000);
  return 'never';
}

export async function workflow_cancelled_cleanup(): Promise<string> {
  try {
    await sleep(3_600_000);
    return 'never';
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => remote().echo('clean-up'));
    }
    throw error;
  }
}

export async function workflow_cancelled_completes(): Promise<string> {
  try {
    await sleep(3_600_000);
    return 'never';
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return 'cancelled, and completed';
  }
}

export async function continue_as_new(run: number): Promise<string> {
  await sleep(100);
  if (run === 1) {
    await makeContinueAsNewFunc<typeof continue_as_new>({
      memo: { note: 'kept' },
      typedSearchAttributes: [{ key: COLOUR, value: 'red' }],
    })(2);
  }
  return 'done';
}

/** Fails its second Workflow Task once: what a bug does, and its repair. */
export async function workflow_task_failed(): Promise<string> {
  await sleep(100);
  if (workflowInfo().historyLength < 10) {
    throw new Error('a bug');
  }
  await sleep(100);
  return 'repaired';
}

const finish = defineSignal('finish');

/** Somewhat of everything, until the signal `finish`. */
export async function resettable(): Promise<boolean> {
  let finished = false;
  setHandler(finish, () => void (finished = true));
  await local().echo('local');
  const isPatched = patched('my-patch');
  await sleep(100);
  await remote().echo(uuid4());
  await condition(() => finished);
  return isPatched;
}

// --- Options

export async function summaries(): Promise<string> {
  await sleep(100, { summary: 'a timer' });
  await remote({ summary: 'an activity' }).echo('hello');
  await local({ summary: 'a Local Activity' }).echo('hello');
  const child = await startChild('child_echo', {
    workflowId: `${workflowInfo().workflowId}-child`,
    args: ['hello'],
    staticSummary: 'a child',
    staticDetails: 'with details',
  });
  return await child.result();
}

export async function priorities(): Promise<string> {
  await remote({ priority: { priorityKey: 2 } }).echo('hello');
  const child = await startChild('child_echo', {
    workflowId: `${workflowInfo().workflowId}-child`,
    args: ['hello'],
    priority: { priorityKey: 4, fairnessKey: 'child', fairnessWeight: 2 },
  });
  return await child.result();
}

/** A UUID and a random number leave their trace in an activity's input. */
export async function random(): Promise<string> {
  await remote().echo(uuid4());
  return await remote().echo(String(Math.floor(Math.random() * 1_000_000)));
}
