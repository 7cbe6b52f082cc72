/** What the recorded workflows share. */

import {
  ActivityCancellationType,
  type ActivityOptions,
  CancellationScope,
  isCancellation,
  type LocalActivityOptions,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type * as activities from './activities';

type Activities = typeof activities;

/** Something that has begun and that can be cancelled on its own. */
export interface Begun<T> {
  result: Promise<T>;
  cancel(): void;
}

export function begin<T>(operation: () => Promise<T>): Begun<T> {
  const scope = new CancellationScope();
  const result = scope.run(operation);
  result.catch(() => undefined); // whoever waits for it sees it
  return { result, cancel: () => scope.cancel() };
}

/** Activities that may take long. */
export function remote(options: ActivityOptions = {}) {
  return proxyActivities<Activities>({
    startToCloseTimeout: '60s',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    ...options,
  });
}

/** Local Activities that may take long. */
export function local(options: LocalActivityOptions = {}) {
  return proxyLocalActivities<Activities>({
    startToCloseTimeout: '60s',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    ...options,
  });
}

/** Waits, and says how it went. */
export async function outcome(operation: Promise<unknown>): Promise<'completed' | 'cancelled' | 'failed'> {
  try {
    await operation;
    return 'completed';
  } catch (error) {
    return isCancellation(error) ? 'cancelled' : 'failed';
  }
}
