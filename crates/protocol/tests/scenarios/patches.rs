//! Patches, integer versions, side effects, search attributes, memo.

use timewright_proto::command::Command as WireCommand;
use timewright_proto::enums::CommandType;
use timewright_protocol::workflow::Command;

use crate::notation::{check, wire};

/// Live: yes, and noted. On replay: as noted. Where it was gone through without: no.
#[test]
fn a_patch_is_noted_where_it_was_asked_for_first() {
    check(
        "start: timer 1, patched p ? activity 1 : timer 2
         activity 1: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1, RecordMarker core_patch, UpsertWorkflowSearchAttributes TemporalChangeVersion [\"p\"], ScheduleActivityTask 1 charge
         > task WES WTS WTSt / WTC TS PATCH(p) CHANGES ATS ATC WFT*
         11 live: ResolveActivity 1 completed
         complete task 2: CompleteWorkflowExecution
         evict: closed
         > replay B WES WFT TS PATCH(p) CHANGES ATS AST ATC WFT WEC
         B: 3 replaying: Initialize; NotifyPatch p
         B: 12 replaying: ResolveActivity 1 completed
         B: finish task 3
         B: evict: closed
         > replay C WES WFT TS TS(2)
         C: 3 replaying: Initialize
         C: finish task 4
         C: evict: closed",
    );
}

/// Its note, and the search attribute that goes with it, may be missing in the code.
#[test]
fn p1_a_deprecated_patch_whose_call_was_removed() {
    check(
        "start: timer 1",
        "> replay WES WFT PATCH(p,deprecated) CHANGES TS
         3 replaying: Initialize; NotifyPatch p
         finish task 1
         evict: closed
         > replay B WES WFT TS PATCH(p,deprecated) CHANGES
         B: 3 replaying: Initialize; NotifyPatch p
         B: finish task 2
         B: evict: closed
         > replay C WES WFT TS PATCH(p,deprecated)
         C: 3 replaying: Initialize; NotifyPatch p
         C: finish task 3
         C: evict: closed
         > task D WES WFT PATCH(p,deprecated) CHANGES TS TF WFT*
         D: 3 replaying: Initialize; NotifyPatch p
         D: 10 live: FireTimer 1
         D: complete task 4: nothing
         > show texts
         > replay E WES WFT PATCH(p) CHANGES TS
         E: 3 replaying: Initialize order of workflow order-7 run E, seed af63f84c86021c20, started at 1 with [\"order 7\"]; NotifyPatch p
         E: fail task 5: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded the marker of a patch (id \"p\"), the workflow code issued StartTimer (id \"1\"); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         E: evict: task failed
         > replay F WES WFT TS CHANGES
         F: 3 replaying: Initialize order of workflow order-7 run F, seed af63fb4c86022139, started at 1 with [\"order 7\"]
         F: fail task 6: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded UpsertWorkflowSearchAttributes (TemporalChangeVersion), the workflow code issued no further command in this Workflow Task; both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         F: evict: task failed
         > replay G WES WFT PATCH(p,deprecated) TS CHANGES
         G: 3 replaying: Initialize order of workflow order-7 run G, seed af63fa4c86021f86, started at 1 with [\"order 7\"]; NotifyPatch p
         G: fail task 7: NON_DETERMINISTIC_ERROR: nondeterminism at event 7: the history recorded UpsertWorkflowSearchAttributes (TemporalChangeVersion), the workflow code issued no further command in this Workflow Task; both agreed up to event 6, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         G: evict: task failed",
    );
    check(
        "start: deprecate p, timer 1",
        "> replay WES WFT PATCH(p,deprecated) CHANGES TS
         3 replaying: Initialize; NotifyPatch p
         finish task 1
         evict: closed
         > replay B WES WFT PATCH(p) CHANGES TS
         B: 3 replaying: Initialize; NotifyPatch p
         B: finish task 2
         B: evict: closed
         > replay C WES WFT TS
         C: 3 replaying: Initialize
         C: finish task 3
         C: evict: closed
         > task D WES WFT*
         D: 3 live: Initialize
         D: complete task 4: RecordMarker core_patch, UpsertWorkflowSearchAttributes TemporalChangeVersion [\"p\"], StartTimer 1",
    );
}

#[test]
fn p2_a_deprecated_patch_beside_another() {
    check(
        "start: patched q ? timer 1 : timer 2",
        "> replay WES WFT PATCH(p,deprecated) CHANGES PATCH(q) CHANGES TS
         3 replaying: Initialize; NotifyPatch p; NotifyPatch q
         finish task 1
         evict: closed
         > replay B WES WFT PATCH(p,deprecated) CHANGES TS(2)
         B: 3 replaying: Initialize; NotifyPatch p
         B: finish task 2
         B: evict: closed",
    );
}

#[test]
fn p3_a_patch_in_the_second_task_behind_a_failed_one() {
    check(
        "start: timer 1
         timer 1: patched p ? activity 1 : timer 2",
        "> cache 0
         > task WES WFT TS TF WTS WTSt WTF WFT*
         3 replaying: Initialize
         11 live: FireTimer 1
         complete task 1: RecordMarker core_patch, UpsertWorkflowSearchAttributes TemporalChangeVersion [\"p\"], ScheduleActivityTask 1 charge
         evict: cache full
         > task WES WFT TS TF WTS WTSt WTF WFT PATCH(p) CHANGES ATS AST ATC WFT*
         3 replaying: Initialize
         11 replaying: NotifyPatch p; FireTimer 1
         19 live: ResolveActivity 1 completed
         complete task 2: nothing
         evict: cache full",
    );
}

/// User code has the answer at once, so nothing is shifted.
#[test]
fn p8_versions_between_side_effects() {
    check(
        "start: version c 2, effect 1 a, version d 1, effect 2 b, timer 1
         version c: nothing
         effect 2: nothing",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: RecordMarker Version, UpsertWorkflowSearchAttributes TemporalChangeVersion [\"c-2\"], RecordMarker SideEffect, RecordMarker Version, UpsertWorkflowSearchAttributes TemporalChangeVersion [\"c-2\",\"d-1\"], RecordMarker SideEffect, StartTimer 1
         > replay B WES WFT VERSION(c,2) CHANGES EFFECT(1,\"a\") VERSION(d,1) CHANGES EFFECT(2,\"b\") TS
         B: 3 replaying: Initialize; NotifyVersion c 2; NotifySideEffect 1 \"a\"; NotifyVersion d 1; NotifySideEffect 2 \"b\"
         B: finish task 2
         B: evict: closed
         > replay C WES WFT VERSION(c,2) EFFECT(1,\"a\") VERSION(d,1) EFFECT(2,\"b\") TS
         C: 3 replaying: Initialize; NotifyVersion c 2; NotifySideEffect 1 \"a\"; NotifyVersion d 1; NotifySideEffect 2 \"b\"
         C: finish task 3
         C: evict: closed
         > show texts
         > replay D WES WFT VERSION(c,1) EFFECT(1,\"a\") VERSION(d,1) EFFECT(2,\"b\") TS
         D: 3 replaying: Initialize order of workflow order-7 run D, seed af63f94c86021dd3, started at 1 with [\"order 7\"]; NotifyVersion c 1; NotifySideEffect 1 \"a\"; NotifyVersion d 1; NotifySideEffect 2 \"b\"
         D: fail task 4: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded the marker of a version (change \"c\", version 1), the workflow code issued the marker of a version (change \"c\", version 2); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         D: evict: task failed
         > replay E WES WFT VERSION(c,2) EFFECT(2,\"b\")
         E: 3 replaying: Initialize order of workflow order-7 run E, seed af63f84c86021c20, started at 1 with [\"order 7\"]; NotifyVersion c 2; NotifySideEffect 2 \"b\"
         E: fail task 5: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded the marker of a side effect (number 2), the workflow code issued the marker of a side effect (number 1); both agreed up to event 5, the marker of a version (change \"c\", version 2). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         E: evict: task failed",
    );
}

/// Which call found a new value is in its marker, so calls between that found none need no marker.
#[test]
fn p8_mutable_side_effects_are_matched_by_their_calls() {
    check(
        "start: effect limit 1 ten, timer 1
         timer 1: effect limit 3 twenty, effect price 1 low, timer 2
         effect limit: nothing
         effect price: nothing",
        "> cache 0
         > task WES WFT*
         3 live: Initialize
         complete task 1: RecordMarker MutableSideEffect, StartTimer 1
         evict: cache full
         > task WES WFT MUTABLE(limit,1=\"ten\") TS TF WFT*
         3 replaying: Initialize; NotifyMutableSideEffect limit 1 \"ten\"
         9 live: FireTimer 1
         complete task 2: RecordMarker MutableSideEffect, RecordMarker MutableSideEffect, StartTimer 2
         evict: cache full
         > replay B WES WFT MUTABLE(limit,1=\"ten\") TS TF WFT MUTABLE(limit,3=\"20\") MUTABLE(price,1=\"low\") TS(2)
         B: 3 replaying: Initialize; NotifyMutableSideEffect limit 1 \"ten\"
         B: 9 replaying: NotifyMutableSideEffect limit 3 \"20\"; NotifyMutableSideEffect price 1 \"low\"; FireTimer 1
         B: finish task 3
         B: evict: closed
         > show texts
         > replay C WES WFT MUTABLE(limit,2=\"ten\")
         C: 3 replaying: Initialize order of workflow order-7 run C, seed af63fe4c86022652, started at 1 with [\"order 7\"]; NotifyMutableSideEffect limit 2 \"ten\"
         C: fail task 4: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded the marker of a mutable side effect (id \"limit\", call 2), the workflow code issued the marker of a mutable side effect (id \"limit\", call 1); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         C: evict: task failed",
    );
}

#[test]
fn p10_one_patch_at_several_places() {
    check(
        "start: patched p ? timer 1 : timer 2, patched p ? timer 2 : timer 1, deprecate p
         timer 1: patched p ? activity 1 : timer 3",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: RecordMarker core_patch, UpsertWorkflowSearchAttributes TemporalChangeVersion [\"p\"], StartTimer 1, StartTimer 2
         > task WES WTS WTSt / WTC PATCH(p) CHANGES TS TS(2) TF WFT*
         11 live: FireTimer 1
         complete task 2: ScheduleActivityTask 1 charge
         > replay B WES WFT PATCH(p) CHANGES TS TS(2) TF WFT ATS
         B: 3 replaying: Initialize; NotifyPatch p
         B: 11 replaying: FireTimer 1
         B: finish task 3
         B: evict: closed",
    );
    check(
        "start: timer 1
         timer 1: patched p ? activity 1 : timer 2
         timer 2: patched p ? activity 1 : timer 3",
        "> task WES WFT TS TF WFT TS(2) TF(2) WFT*
         3 replaying: Initialize
         8 replaying: FireTimer 1
         13 live: FireTimer 2
         complete task 1: StartTimer 3",
    );
    check(
        "start: timer 1
         timer 1: deprecate p, timer 2
         timer 2: deprecate p, timer 3",
        "> task WES WFT TS TF WFT TS(2) TF(2) WFT*
         3 replaying: Initialize
         8 replaying: FireTimer 1
         13 live: FireTimer 2
         complete task 1: StartTimer 3",
    );
}

/// Their notes come without, and so they do on replay.
#[test]
fn patches_of_other_sdks_before_search_attributes() {
    check(
        "start: patched p ? timer 1 : timer 2, patched q ? timer 2 : timer 3",
        "> replay WES WFT PATCH(p) TS PATCH(q) CHANGES TS(2)
         3 replaying: Initialize; NotifyPatch p; NotifyPatch q
         finish task 1
         evict: closed
         > task B WES WFT PATCH(p) TS PATCH(q) TS(2) TF WFT*
         B: 3 replaying: Initialize; NotifyPatch p; NotifyPatch q
         B: 11 live: FireTimer 1
         B: complete task 2: nothing",
    );
}

/// Their names are.
#[test]
fn p7_other_values_of_search_attributes_are_no_disagreement() {
    check(
        "start: upsert Customer Status, memo",
        "> replay WES WFT UPSERT(Customer,Status) MEMO
         3 replaying: Initialize
         finish task 1
         evict: closed
         > show texts
         > replay B WES WFT UPSERT(Customer) MEMO
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: fail task 2: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded UpsertWorkflowSearchAttributes (Customer), the workflow code issued UpsertWorkflowSearchAttributes (Customer, Status); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         B: evict: task failed
         > replay C WES WFT MEMO
         C: 3 replaying: Initialize order of workflow order-7 run C, seed af63fe4c86022652, started at 1 with [\"order 7\"]
         C: fail task 3: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded WorkflowPropertiesModified, the workflow code issued UpsertWorkflowSearchAttributes (Customer, Status); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         C: evict: task failed",
    );
}

/// They cannot be what this code issued.
#[test]
fn markers_that_nobody_here_wrote() {
    check(
        "start: timer 1",
        "> show texts
         > replay WES WFT TS MRK(LocalActivity)
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded RecordMarker (\"LocalActivity\"), the workflow code issued no further command in this Workflow Task; both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed",
    );
}

/// The search attribute holds as many patches as it has room for; which they are is the same on replay.
#[test]
fn p6_two_hundred_patches_in_one_task() {
    let ids: Vec<String> = (0..200).map(|number| format!("a-patch-{number:03}")).collect();
    let deeds: Vec<String> = ids.iter().map(|id| format!("patch {id}")).collect();
    let code = format!("start: {}", deeds.join(", "));

    let patches = ids.iter().map(|id| Command::SetPatch { patch_id: id.clone(), deprecated: false });
    let sent = wire(patches.collect());
    let is_upsert = |command: &WireCommand| command.command_type() == CommandType::UpsertWorkflowSearchAttributes;
    assert_eq!(sent.iter().filter(|command| !is_upsert(command)).count(), 200, "all are noted");
    // `["a-patch-000",…]`: 14 bytes each, and one more.
    assert_eq!(
        sent.iter().filter(|command| is_upsert(command)).count(),
        146,
        "those that fit into 2048 bytes are shown"
    );

    let recorded: Vec<String> = sent
        .iter()
        .scan(ids.iter(), |ids, command| {
            Some(if is_upsert(command) { "CHANGES".to_owned() } else { format!("PATCH({})", ids.next()?) })
        })
        .collect();
    let notes: Vec<String> = ids.iter().map(|id| format!("NotifyPatch {id}")).collect();
    check(
        &code,
        &format!(
            "> replay WES WFT {}
             3 replaying: Initialize; {}
             finish task 1
             evict: closed",
            recorded.join(" "),
            notes.join("; "),
        ),
    );
}
