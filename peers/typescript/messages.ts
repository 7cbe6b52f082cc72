/** Signals, queries, and Updates. */

import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import { local, remote } from './common';

const finish = defineSignal('finish');
const work = defineSignal<[number]>('work');
const current = defineQuery<number>('current');
const set = defineUpdate<number, [number]>('set');
const setByActivity = defineUpdate<number, [number]>('set_by_activity');
const setByLocalActivity = defineUpdate<number, [number]>('set_by_local_activity');
const setByTimer = defineUpdate<number, [number]>('set_by_timer');
const refuse = defineUpdate<number>('refuse');
const add = defineSignal<[string]>('add');

/** A value that Updates change, until the signal `finish`. */
function handleMessages(): { untilFinished(): Promise<number> } {
  let value = 0;
  let finished = false;
  setHandler(finish, () => void (finished = true));
  setHandler(work, async (milliseconds) => {
    await remote().wait_ms(milliseconds);
    value += 1;
  });
  setHandler(current, () => value);
  setHandler(
    set,
    (to) => {
      const before = value;
      value = to;
      return before;
    },
    {
      validator: (to) => {
        if (to < 0) throw ApplicationFailure.create({ message: 'negative', type: 'Negative' });
      },
    }
  );
  setHandler(setByActivity, async (to) => (value = await remote().wait_ms(to)));
  setHandler(setByLocalActivity, async (to) => (value = await local().wait_ms(to)));
  setHandler(setByTimer, async (to) => {
    await sleep(100);
    return (value = to);
  });
  setHandler(refuse, async () => {
    throw ApplicationFailure.create({ message: 'refused: by the handler', type: 'Refused', nonRetryable: true });
  });
  return {
    untilFinished: async () => {
      await condition(() => finished);
      return value;
    },
  };
}

/** Nothing else happens. */
export async function messages(): Promise<number> {
  return await handleMessages().untilFinished();
}

/** An activity of 1.5 s first. */
export async function messages_beside_activity(): Promise<number> {
  const messages = handleMessages();
  await remote().wait_ms(1500);
  return await messages.untilFinished();
}

/** A Local Activity of 3 s first, so that messages wait for the next Workflow Task. */
export async function messages_beside_local_activity(): Promise<number> {
  const messages = handleMessages();
  await local().wait_ms(3000);
  return await messages.untilFinished();
}

/** Collects three values. */
export async function signals(): Promise<string[]> {
  const values: string[] = [];
  setHandler(add, (value) => void values.push(value));
  await condition(() => values.length === 3);
  return values;
}

/** A Local Activity of 3 s, then three values. */
export async function signals_beside_local_activity(): Promise<string[]> {
  const values: string[] = [];
  setHandler(add, (value) => void values.push(value));
  await local().wait_ms(3000);
  await condition(() => values.length === 3);
  return values;
}
