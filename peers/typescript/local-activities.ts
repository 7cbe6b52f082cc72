/** Local Activities. */

import { ActivityCancellationType, sleep } from '@temporalio/workflow';
import { begin, local, outcome, remote } from './common';

export async function local_activity(): Promise<string> {
  return await local().echo('hello');
}

export async function local_activity_nothing(): Promise<void> {
  await local().nothing();
}

export async function local_activity_retried(): Promise<number> {
  return await local({ retry: { initialInterval: 50 } }).fail_until(3);
}

export async function local_activity_failed(): Promise<string> {
  const result = await outcome(local().refuse('no'));
  await sleep(100);
  return result;
}

export async function local_activity_failing_workflow(): Promise<string> {
  return await local().refuse('no');
}

export async function local_activity_timed_out(): Promise<string> {
  return await outcome(local({ startToCloseTimeout: 300, retry: { maximumAttempts: 1 } }).wait_ms(2000));
}

export async function local_activities_parallel(): Promise<number[]> {
  return await Promise.all([600, 10, 300].map((milliseconds) => local().wait_ms(milliseconds)));
}

export async function local_activities_chain_beside_slow(): Promise<number[]> {
  const slow = local().wait_ms(1500);
  const chain = [];
  for (const milliseconds of [101, 102, 103]) {
    chain.push(await local().wait_ms(milliseconds));
  }
  return [...chain, await slow];
}

export async function local_activity_backoff(): Promise<number> {
  const retry = { initialInterval: 1000, backoffCoefficient: 1 };
  return await local({ retry, localRetryThreshold: 500 }).fail_until(3);
}

export async function local_activity_heartbeat(): Promise<number> {
  return await local().wait_ms(4000);
}

export async function local_activity_timer_race(): Promise<string> {
  const timer = sleep(1000);
  const activity = begin(() => local().until_cancelled());
  await Promise.race([timer, activity.result]);
  activity.cancel();
  return await outcome(activity.result);
}

async function cancelOne(cancellationType: ActivityCancellationType): Promise<string> {
  const working = begin(() => local({ cancellationType }).until_cancelled());
  await local().wait_ms(200);
  working.cancel();
  const result = await outcome(working.result);
  await sleep(100);
  return result;
}

export async function local_activity_try_cancel(): Promise<string> {
  return await cancelOne(ActivityCancellationType.TRY_CANCEL);
}

export async function local_activity_wait_cancelled(): Promise<string> {
  return await cancelOne(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED);
}

export async function local_activity_abandon(): Promise<string> {
  return await cancelOne(ActivityCancellationType.ABANDON);
}

export async function local_activity_cancelled_at_once(): Promise<string> {
  const never = begin(() => local().wait_ms(100));
  never.cancel();
  const result = await outcome(never.result);
  await sleep(100);
  return result;
}

export async function local_activity_workflow_cancelled(): Promise<string> {
  return await local().until_cancelled();
}

export async function local_activity_second_task(): Promise<string[]> {
  await sleep(100);
  const first = await local().echo('first');
  await sleep(100);
  return [first, await local().echo('second')];
}

export async function local_activity_beside_others(): Promise<string> {
  const timer = sleep(1000);
  const near = local().wait_ms(100);
  const activity = remote().echo('hello');
  await near;
  const secondTimer = sleep(2000);
  await timer;
  await activity;
  await secondTimer;
  return 'all';
}
