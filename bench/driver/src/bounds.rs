//! What `--quick` does not accept: figures that are worse than they once were, by more than noise.

use anyhow::{Result, bail};

use crate::contender::Contender;
use crate::notes::Notes;
use crate::statistics::median;
use crate::work::Work;
use crate::{cpu, replay};

/// Says which of what was measured is out of its bound.
pub(crate) fn check(notes: &Notes) -> Result<()> {
    let mut worse = Vec::new();
    for (part, figure, other, bound) in bounds() {
        let Some(part_notes) = notes.part(&part) else { continue };
        let of = |contender: Contender| median(part_notes.of(contender.name(), figure));
        let ratio = of(Contender::Timewright) / of(other);
        if ratio.is_nan() {
            continue; // one of the two is not built
        }
        println!("{part:<22} {ratio:>7.2} × {} (bound {bound:.2})", other.name());
        // Of speeds, less is worse.
        let is_worse = if figure == replay::SPEED { ratio < bound / NOISE } else { ratio > bound * NOISE };
        if is_worse {
            worse.push(format!("{part}: {ratio:.2} × {}, where it was {bound:.2}", other.name()));
        }
    }
    if worse.is_empty() {
        return Ok(());
    }
    bail!("worse than before by more than noise:\n  {}", worse.join("\n  "))
}

/// The ratios that stand in `docs/performance.md`.
fn bounds() -> Vec<(String, &'static str, Contender, f64)> {
    let cpu = |work: Work, other, bound| (work.name().to_owned(), cpu::CPU, other, bound);
    vec![
        cpu(Work::OneActivity, Contender::Official, 0.37),
        cpu(Work::TenActivities, Contender::Official, 0.41),
        cpu(Work::TenLocalActivities, Contender::Official, 0.37),
        cpu(Work::TenUpdates, Contender::Official, 0.43),
        cpu(Work::OneActivity, Contender::Floor, 1.55),
        cpu(Work::TenActivities, Contender::Floor, 1.7),
        (replay::name(1_000), replay::SPEED, Contender::Official, 11.0),
        (replay::name(10_000), replay::SPEED, Contender::Official, 70.0),
    ]
}

/// How far the ratio of a quick run lies from the median of many.
const NOISE: f64 = 1.4;
