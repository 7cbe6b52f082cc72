"""Patches, and what a workflow writes about itself."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from common import Timer, start_local

COLOUR = SearchAttributeKey.for_keyword("HistoryColour")
COUNT = SearchAttributeKey.for_int("HistoryCount")

# --- Patches


@workflow.defn(name="patched")
class Patched:
    @workflow.run
    async def run(self) -> bool:
        patched = workflow.patched("my-patch")
        await Timer(0.1).fired
        return patched


@workflow.defn(name="patch_deprecated")
class PatchDeprecated:
    @workflow.run
    async def run(self) -> str:
        workflow.deprecate_patch("my-patch")
        await Timer(0.1).fired
        return "done"


@workflow.defn(name="patches_two")
class PatchesTwo:
    @workflow.run
    async def run(self) -> list[bool]:
        patches = [workflow.patched("first-patch"), workflow.patched("second-patch")]
        await Timer(0.1).fired
        return patches


@workflow.defn(name="patch_second_task")
class PatchSecondTask:
    @workflow.run
    async def run(self) -> bool:
        await Timer(0.1).fired
        patched = workflow.patched("my-patch")
        await Timer(0.1).fired
        return patched


@workflow.defn(name="patch_local_activity")
class PatchLocalActivity:
    @workflow.run
    async def run(self) -> list[bool]:
        first = workflow.patched("first-patch")
        await start_local("echo", "hello")
        second = workflow.patched("second-patch")
        await Timer(0.1).fired
        return [first, second]


@workflow.defn(name="patch_two_places")
class PatchTwoPlaces:
    @workflow.run
    async def run(self) -> list[bool]:
        first = workflow.patched("my-patch")
        await Timer(0.1).fired
        second = workflow.patched("my-patch")
        await Timer(0.1).fired
        return [first, second]


@workflow.defn(name="patch_between_timers")
class PatchBetweenTimers:
    @workflow.run
    async def run(self) -> bool:
        first = Timer(0.1)
        patched = workflow.patched("my-patch")
        second = Timer(1)
        await first.fired
        await second.fired
        return patched


@workflow.defn(name="patch_and_upsert")
class PatchAndUpsert:
    @workflow.run
    async def run(self) -> bool:
        workflow.upsert_search_attributes([COLOUR.value_set("red")])
        patched = workflow.patched("my-patch")
        workflow.upsert_search_attributes([COUNT.value_set(1)])
        await Timer(0.1).fired
        return patched


# --- Upserts


@workflow.defn(name="upsert_search_attributes")
class UpsertSearchAttributes:
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([COLOUR.value_set("red"), COUNT.value_set(1)])
        await Timer(0.1).fired
        workflow.upsert_search_attributes([COLOUR.value_unset()])
        return "done"


@workflow.defn(name="upsert_memo")
class UpsertMemo:
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_memo({"note": "first", "count": 1})
        await Timer(0.1).fired
        workflow.upsert_memo({"note": None})
        return "done"


WORKFLOWS = [
    Patched,
    PatchDeprecated,
    PatchesTwo,
    PatchSecondTask,
    PatchLocalActivity,
    PatchTwoPlaces,
    PatchBetweenTimers,
    PatchAndUpsert,
    UpsertSearchAttributes,
    UpsertMemo,
]
