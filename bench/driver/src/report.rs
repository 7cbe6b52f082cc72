//! Writes `docs/performance.md` from what is noted.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use crate::contender::Contender;
use crate::notes::{Notes, Part};
use crate::statistics::median;
use crate::work::Work;
use crate::{builds, cores, cpu, further_definitions, growth, latency, memory, plot, replay, running, throughput};

/// Writes the page and its plots into this folder.
pub(crate) fn write(notes: &Notes, folder: &Path) -> Result<()> {
    plot::draw(notes, folder)?;
    let mut page = String::from(BEGINNING);
    write_machine(&mut page, notes);
    write_cpu(&mut page, notes);
    write_added_latency(&mut page, notes);
    write_latency(&mut page, notes);
    write_replay(&mut page, notes);
    write_others(&mut page, notes);
    page.push_str(END);
    std::fs::write(folder.join("performance.md"), page)?;
    Ok(())
}

fn write_machine(page: &mut String, notes: &Notes) {
    let mut lines: Vec<String> = Vec::new();
    for (name, Part { date, load, machine, revision, .. }) in notes.parts() {
        let line = format!("| {date} | {revision} | {load} | {machine} | {name} |");
        lines.push(line);
    }
    let _ = writeln!(
        page,
        "\n## When, and on what\n\nTemporal's Rust SDK: `temporalio-sdk` 1.1.1. The server: the dev server of Temporal's CLI {}, on the \
         same machine. Load: how many processes wanted to run in the mean of the last 1, 5 and 15 minutes, when the part was over; \
         what is above the number of cores was work of others.\n\n| day | commit | load | machine | part |\n|---|---|---|---|---|\n{}",
        timewright_testing::TEMPORAL_CLI_VERSION,
        lines.join("\n")
    );
}

fn write_cpu(page: &mut String, notes: &Notes) {
    let _ = writeln!(
        page,
        "\n## CPU time per workflow\n\nMicroseconds of user and system time of the worker's process for one workflow: the median of \
         all rounds. Ratios are taken in each round; behind their median stand the least and the greatest.\n\n\
         ![CPU per workflow](performance-cpu.svg)\n\n\
         | work | Timewright | official | ratio | official without gzip | ratio | floor | ÷ floor |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    );
    let mut ratios = [const { Vec::new() }; 3];
    for work in Work::ALL {
        let Some(part) = notes.part(work.name()) else { continue };
        let of = |contender: Contender| part.of(contender.name(), cpu::CPU);
        let ours = of(Contender::Timewright);
        let mut cells = vec![work.name().to_owned(), number(ours)];
        for (index, other) in [Contender::Official, Contender::OfficialWithoutGzip, Contender::Floor].iter().enumerate()
        {
            cells.extend([number(of(*other)), ratio(ours, of(*other))]);
            if !of(*other).is_empty() {
                ratios[index].push(median(ours) / median(of(*other)));
            }
        }
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    let [official, plain, floor] =
        ratios.map(
            |ratios| {
                if ratios.is_empty() { NOT_MEASURED.to_owned() } else { format!("{:.2}", geometric_mean(&ratios)) }
            },
        );
    let _ = writeln!(page, "| geometric mean | | | {official} | | {plain} | | {floor} |");
    let tasks: Vec<String> = [Work::TwentySignals, Work::HundredActivities]
        .into_iter()
        .filter_map(|work| {
            let part = notes.part(work.name())?;
            let mean = |contender: Contender| number(part.of(contender.name(), cpu::TASKS));
            let all = Contender::ALL.map(|contender| format!("{} {}", contender.name(), mean(contender))).join(", ");
            Some(format!("{}: {all}", work.name()))
        })
        .collect();
    let _ = writeln!(
        page,
        "\nHow many Workflow Tasks the messages to a workflow come in depends on how quickly each is answered: who answers sooner has \
         more of them for the same work. Workflow Tasks of a workflow — {}.",
        tasks.join("; ")
    );
}

fn write_latency(page: &mut String, notes: &Notes) {
    let _ = writeln!(
        page,
        "\n## Latency\n\nMilliseconds from the start of a workflow to its result, 50 of them under way at a time: the median over the \
         rounds. Server, driver and worker share the machine, and the server needs most of it, so that this is noise as long as all are \
         alike; only what stands out means something.\n\n\
         | work | Timewright p50, p95 | official p50, p95 | official without gzip p50, p95 | floor p50, p95 |\n|---|--:|--:|--:|--:|"
    );
    for work in Work::ALL {
        let Some(part) = notes.part(work.name()) else { continue };
        let both = |contender: Contender| {
            let of = |figure| number(part.of(contender.name(), figure));
            format!("{}, {}", of(cpu::P50), of(cpu::P95))
        };
        let _ = writeln!(page, "| {} | {} |", work.name(), Contender::ALL.map(both).join(" | "));
    }
}

fn write_added_latency(page: &mut String, notes: &Notes) {
    let Some(part) = notes.part("latency") else { return };
    let _ = writeln!(
        page,
        "\n## Latency that a worker adds\n\nMilliseconds from the moment in which a task is there until its answer has come, as the \
         server's model sees it, which costs next to nothing, in a process of its own: workflows of one activity, so many started at once.\n\n\
         | in flight | | Timewright | official without gzip | ratio | floor |\n|--:|---|--:|--:|--:|--:|"
    );
    for (in_flight, _) in latency::IN_FLIGHT {
        for (name, figure) in [("p50", latency::p50_of(in_flight)), ("p99", latency::p99_of(in_flight))] {
            let of = |contender: Contender| part.of(contender.name(), &figure);
            let (ours, official) = (of(Contender::Timewright), of(Contender::OfficialWithoutGzip));
            let _ = writeln!(
                page,
                "| {in_flight} | {name} | {} | {} | {} | {} |",
                number(ours),
                number(official),
                ratio(ours, official),
                number(of(Contender::Floor))
            );
        }
    }
}

fn write_replay(page: &mut String, notes: &Notes) {
    let _ = writeln!(
        page,
        "\n## Replay\n\nEvents per CPU second, of a workflow that executes activities one after the other.\n\n\
         ![Replay](performance-replay.svg)\n\n| events | Timewright | official | ratio |\n|--:|--:|--:|--:|"
    );
    for length in replay::LENGTHS {
        let Some(part) = notes.part(&replay::name(length)) else { continue };
        let ours = part.of(Contender::Timewright.name(), replay::SPEED);
        let official = part.of(Contender::Official.name(), replay::SPEED);
        let _ = writeln!(page, "| {length} | {} | {} | {} |", number(ours), number(official), ratio(ours, official));
    }
}

fn write_others(page: &mut String, notes: &Notes) {
    let has_memory = memory::WORKFLOWS.into_iter().any(|(count, _)| notes.part(&memory::name(count)).is_some());
    let plot = if has_memory { "![Memory of cached workflows](performance-memory.svg)\n\n" } else { "" };
    let _ = writeln!(
        page,
        "\n## Throughput, memory, builds\n\nThe builds are of the least program with activities alone.\n\n{plot}\
         | figure | Timewright | official | ratio |\n|---|--:|--:|--:|"
    );
    let figures = [
        ("throughput", throughput::THROUGHPUT, "no-op activities per CPU second, all waiting beforehand"),
        ("memory-5000", memory::BYTES, "bytes of resident memory per cached workflow, of 5,000"),
        ("memory-50000", memory::BYTES, "the same, of 50,000"),
        ("running", running::IDLE, "megabytes of resident memory of the least program, idle"),
        ("running", running::BUSY, "the same, with 500 activities that run"),
        (
            "growth",
            growth::GROWTH,
            "percent by which resident memory grows from the fifth minute of steady load to the sixtieth",
        ),
        ("cores", cores::SPEED_UP, "how much sooner workflows that compute are done on two cores than on one"),
        ("builds", builds::CRATES, "crates that are compiled"),
        ("clean-builds", builds::CLEAN, "CPU seconds of a build from nothing, release"),
        ("clean-builds", builds::CLEAN_DEBUG, "the same, debug"),
        ("builds", builds::REBUILD, "CPU seconds of a rebuild after a change of `main.rs`, release"),
        ("builds", builds::REBUILD_DEBUG, "the same, debug"),
        (
            "further-definitions",
            further_definitions::EACH,
            "CPU seconds of compilation for each further workflow, release",
        ),
        ("builds", builds::MEGABYTES, "megabytes of the stripped program"),
    ];
    for (part, figure, title) in figures {
        let of = |contender: Contender| notes.part(part).map_or(&[][..], |part| part.of(contender.name(), figure));
        let (ours, official) = (of(Contender::Timewright), of(Contender::Official));
        let _ = writeln!(page, "| {title} | {} | {} | {} |", number(ours), number(official), ratio(ours, official));
    }
}

fn number(samples: &[f64]) -> String {
    match median(samples) {
        nothing if nothing.is_nan() => NOT_MEASURED.to_owned(),
        tiny if tiny.abs() < 1.0 => format!("{tiny:.3}"),
        small if small.abs() < 100.0 => format!("{small:.1}"),
        large => format!("{large:.0}"),
    }
}

/// The median of the ratios in each round, with the least and the greatest.
fn ratio(ours: &[f64], theirs: &[f64]) -> String {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(0.0, f64::max);
    match ratios.len() {
        0 => NOT_MEASURED.to_owned(),
        1 => format!("{least:.2}"),
        _ => format!("{:.2} ({least:.2} – {greatest:.2})", median(&ratios)),
    }
}

pub(crate) fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

const NOT_MEASURED: &str = "not measured";
const BEGINNING: &str = include_str!("report/beginning.md");
const END: &str = include_str!("report/end.md");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_has_its_spread_and_nothing_measured_says_so() {
        assert_eq!(ratio(&[1.0, 2.0, 3.0], &[2.0, 2.0, 4.0]), "0.75 (0.50 – 1.00)");
        assert_eq!(ratio(&[1.0], &[4.0, 5.0]), "0.25");
        assert_eq!(ratio(&[], &[1.0]), NOT_MEASURED);
        assert_eq!(number(&[]), NOT_MEASURED);
        assert_eq!(number(&[1234.5]), "1234");
        assert!((geometric_mean(&[0.25, 1.0]) - 0.5).abs() < 1e-9);
    }
}
