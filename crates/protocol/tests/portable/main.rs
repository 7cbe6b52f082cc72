//! Histories that other SDKs recorded, and equal workflows of ours: they must replay them, and issue the same Commands.
//!
//! `../histories` has the histories, with `index.txt` (what there is), `recipes.md` (what each workflow does) and `README.md`
//! (where SDKs differ). [`programs`] has the recipes as workflow code over [`context`], a small one of our own.
//!
//! What is compared, and how, stands in [`normal`]; where their formats cannot be met, the README says why.

mod code;
mod context;
mod histories;
mod live;
mod normal;
mod operation;
mod programs;
mod replay;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use histories::{History, Sdk, all, folder};

/// All that is in the folder is in the index, and the other way round; and each workflow is here, too.
#[test]
fn nothing_is_left_out() {
    let indexed: BTreeSet<String> = all().iter().map(|history| history.file.clone()).collect();
    assert_eq!(indexed.len(), all().len(), "a file is in the index twice");
    assert_eq!(indexed, histories::files());
    check("program", |history| {
        let known = programs::knows(&history.workflow_type);
        known.then_some(()).ok_or_else(|| format!("workflow type {:?} has no program", history.workflow_type))
    });
    let readme = std::fs::read_to_string(folder().join("README.md")).expect("the folder has a README");
    for (file, reason) in SKIPPED {
        assert!(indexed.contains(*file), "{file} is skipped, and is not there");
        assert!(readme.contains(&format!("| `{file}` | {reason} |")), "the README does not say why {file} is skipped");
    }
}

/// The whole history at once. What the workflow returns is what it returned then.
#[test]
fn they_replay() {
    check("replay", |history| replay::replay(history, usize::MAX, history.sdk));
}

/// Pages may end anywhere.
#[test]
fn they_replay_in_pages() {
    for size in [1, 2, 7] {
        check(&format!("replay in pages of {size}"), |history| replay::replay(history, size, history.sdk));
    }
}

/// No order is that of all SDKs. In Python's order those are refused that Python's own replayer refuses, but for
/// `child_default_id`, whose id comes from the history here.
#[test]
fn they_do_not_replay_in_the_order_of_another() {
    for (sdk, expected) in REFUSED {
        let refused = all().iter().filter(|history| replay::replay(history, usize::MAX, *sdk).is_err());
        let refused: Vec<&str> = refused.map(|history| history.file.as_str()).collect();
        assert_eq!(refused, *expected, "all in the order of {sdk:?}");
    }
}

/// A worker that gets any one Workflow Task of theirs, and the history before, answers as they did.
#[test]
fn each_task_is_answered_as_they_did() {
    check("each task", live::each_task_by_a_new_run);
}

/// So does a worker that goes through all tasks with the Run in its cache.
#[test]
fn all_tasks_are_answered_as_they_did() {
    check("all tasks", live::all_tasks_by_one_run);
}

/// A task that failed then, fails for the same reason.
#[test]
fn tasks_that_failed_fail() {
    check("failed tasks", live::each_failed_task);
    let failed: usize = all().iter().map(|history| history.failed_tasks().len()).sum();
    assert_eq!(failed, 3, "each SDK has recorded one");
}

/// Does it for every history, and lists all that failed.
fn check(what: &str, one: impl Fn(&'static History) -> Result<(), String>) {
    let mut failed = String::new();
    let mut count = 0;
    for history in all() {
        if SKIPPED.iter().any(|(file, _)| *file == history.file) {
            continue;
        }
        let result = catch_unwind(AssertUnwindSafe(|| one(history))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.unwrap_or_else(|| "it panicked; see above".to_owned()))
        });
        if let Err(why) = result {
            count += 1;
            let _ = writeln!(failed, "{}: {why}", history.file);
        }
    }
    assert!(count == 0, "{what}: {count} of {} histories failed\n{failed}", all().len());
}

/// Files that are not replayed, and why.
const SKIPPED: &[(&str, &str)] = &[];

/// What does not replay where all is done in the order of one SDK.
const REFUSED: &[(Sdk, &[&str])] = &[
    (
        Sdk::Python,
        &[
            "rust/update_beside_signal.json",
            "rust/update_timer_beside_update.json",
            "rust/updates_first_task.json",
            "typescript/timer_cancelled.json",
            "typescript/update_timer_beside_update.json",
            "typescript/updates_first_task.json",
        ],
    ),
    (
        Sdk::Rust,
        &[
            "python/update_beside_signal.json",
            "python/update_timer_beside_update.json",
            "python/updates_first_task.json",
            "typescript/timer_cancelled.json",
            "typescript/update_beside_signal.json",
            "typescript/update_timer_beside_update.json",
        ],
    ),
    (
        Sdk::TypeScript,
        &[
            "python/timer_cancelled.json",
            "python/updates_first_task.json",
            "rust/timer_cancelled.json",
            "rust/update_beside_signal.json",
            "rust/update_timer_beside_update.json",
        ],
    ),
];
