/** All recorded workflows. */

export * from './children-and-others';
export * from './endings-and-options';
export * from './local-activities';
export * from './messages';
export * from './nexus-operations';
export { patch_and_upsert, patch_between_timers, patch_deprecated, patch_local_activity } from './patches-and-upserts';
export { patch_second_task, patch_two_places, patched, patches_two } from './patches-and-upserts';
export { upsert_memo, upsert_search_attributes } from './patches-and-upserts';
export * from './timers-and-activities';
