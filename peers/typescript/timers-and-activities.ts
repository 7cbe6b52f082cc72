/** Timers and activities. */

import { ActivityCancellationType, sleep } from '@temporalio/workflow';
import { begin, outcome, remote } from './common';

// --- Timers

export async function timer(): Promise<string> {
  await sleep(100);
  return 'fired';
}

export async function timer_cancelled(): Promise<string> {
  const long = begin(() => sleep(3_600_000));
  const short = begin(() => sleep(100));
  await short.result;
  long.cancel();
  await sleep(100);
  return 'fired';
}

export async function timer_cancelled_at_once(): Promise<string> {
  begin(() => sleep(3_600_000)).cancel();
  await sleep(100);
  return 'fired';
}

export async function timers_race(): Promise<string> {
  const long = begin(() => sleep(3_600_000));
  const short = begin(() => sleep(100));
  await Promise.race([long.result, short.result]);
  long.cancel();
  return 'short';
}

export async function timers_parallel(): Promise<string> {
  const timers = [1000, 100, 2000].map((milliseconds) => sleep(milliseconds));
  for (const timer of timers) {
    await timer;
  }
  return 'fired';
}

// --- Activities

export async function activity(): Promise<string> {
  return await remote().echo('hello');
}

export async function activity_nothing(): Promise<void> {
  await remote().nothing();
}

export async function activity_custom_id(): Promise<string> {
  return await remote({ activityId: 'my-activity' }).echo('hello');
}

export async function activity_retried(): Promise<number> {
  return await remote({ retry: { initialInterval: 100 } }).fail_until(2);
}

export async function activity_failed(): Promise<string> {
  return await outcome(remote().refuse('no'));
}

export async function activity_timed_out(): Promise<string> {
  return await outcome(remote({ startToCloseTimeout: 500, retry: { maximumAttempts: 1 } }).wait_ms(2000));
}

export async function activities_parallel(): Promise<number[]> {
  return await Promise.all([1000, 10, 2000].map((milliseconds) => remote().wait_ms(milliseconds)));
}

async function cancelOne(cancellationType: ActivityCancellationType): Promise<string> {
  const working = begin(() => remote({ heartbeatTimeout: '10s', cancellationType }).until_cancelled());
  await sleep(500);
  working.cancel();
  const result = await outcome(working.result);
  await sleep(1000);
  return result;
}

export async function activity_try_cancel(): Promise<string> {
  return await cancelOne(ActivityCancellationType.TRY_CANCEL);
}

export async function activity_wait_cancelled(): Promise<string> {
  return await cancelOne(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED);
}

export async function activity_abandon(): Promise<string> {
  return await cancelOne(ActivityCancellationType.ABANDON);
}

export async function activity_cancelled_at_once(): Promise<string> {
  const never = begin(() => remote().echo('never'));
  never.cancel();
  const result = await outcome(never.result);
  await sleep(100);
  return result;
}
