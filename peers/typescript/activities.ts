/** The activities that the recorded workflows call, the same in every peer. */

import { ApplicationFailure } from '@temporalio/common';
import { Context, sleep } from '@temporalio/activity';

/** What came in. */
export async function echo(value: string): Promise<string> {
  return value;
}

/** Takes nothing and gives nothing. */
export async function nothing(): Promise<void> {}

/** What came in, after so long. */
export async function wait_ms(milliseconds: number): Promise<number> {
  await sleep(milliseconds);
  return milliseconds;
}

/** Fails up to this attempt, which gives its number. */
export async function fail_until(attempt: number): Promise<number> {
  if (Context.current().info.attempt < attempt) {
    throw ApplicationFailure.create({ message: 'not yet', type: 'NotYet' });
  }
  return attempt;
}

/** Fails for good. */
export async function refuse(reason: string): Promise<string> {
  throw ApplicationFailure.create({ message: `refused: ${reason}`, type: 'Refused', nonRetryable: true });
}

/** Works until it is cancelled, and ends as cancelled. */
export async function until_cancelled(): Promise<string> {
  for (;;) {
    if (!Context.current().info.isLocal) {
      Context.current().heartbeat();
    }
    await sleep(50);
  }
}
