/** Patches, and what a workflow writes about itself. */

import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { deprecatePatch, patched as isPatched, sleep, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import { local } from './common';

export const COLOUR = defineSearchAttributeKey('HistoryColour', SearchAttributeType.KEYWORD);
const COUNT = defineSearchAttributeKey('HistoryCount', SearchAttributeType.INT);

// --- Patches

export async function patched(): Promise<boolean> {
  const patched = isPatched('my-patch');
  await sleep(100);
  return patched;
}

export async function patch_deprecated(): Promise<string> {
  deprecatePatch('my-patch');
  await sleep(100);
  return 'done';
}

export async function patches_two(): Promise<boolean[]> {
  const patches = [isPatched('first-patch'), isPatched('second-patch')];
  await sleep(100);
  return patches;
}

export async function patch_second_task(): Promise<boolean> {
  await sleep(100);
  const patched = isPatched('my-patch');
  await sleep(100);
  return patched;
}

export async function patch_local_activity(): Promise<boolean[]> {
  const first = isPatched('first-patch');
  await local().echo('hello');
  const second = isPatched('second-patch');
  await sleep(100);
  return [first, second];
}

export async function patch_two_places(): Promise<boolean[]> {
  const first = isPatched('my-patch');
  await sleep(100);
  const second = isPatched('my-patch');
  await sleep(100);
  return [first, second];
}

export async function patch_between_timers(): Promise<boolean> {
  const first = sleep(100);
  const patched = isPatched('my-patch');
  const second = sleep(1000);
  await first;
  await second;
  return patched;
}

export async function patch_and_upsert(): Promise<boolean> {
  upsertSearchAttributes([{ key: COLOUR, value: 'red' }]);
  const patched = isPatched('my-patch');
  upsertSearchAttributes([{ key: COUNT, value: 1 }]);
  await sleep(100);
  return patched;
}

// --- Upserts

export async function upsert_search_attributes(): Promise<string> {
  upsertSearchAttributes([
    { key: COLOUR, value: 'red' },
    { key: COUNT, value: 1 },
  ]);
  await sleep(100);
  upsertSearchAttributes([{ key: COLOUR, value: null }]);
  return 'done';
}

export async function upsert_memo(): Promise<string> {
  upsertMemo({ note: 'first', count: 1 });
  await sleep(100);
  upsertMemo({ note: null });
  return 'done';
}
