//! The plots of the page.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::contender::Contender;
use crate::notes::Notes;
use crate::statistics::median;
use crate::work::Work;
use crate::{cpu, memory, replay};

/// Draws them, as SVG.
pub(crate) fn draw(notes: &Notes, folder: &Path) -> Result<()> {
    draw_cpu(notes, &folder.join("performance-cpu.svg")).map_err(|error| anyhow!("{error}"))?;
    draw_replay(notes, &folder.join("performance-replay.svg")).map_err(|error| anyhow!("{error}"))?;
    draw_memory(notes, &folder.join("performance-memory.svg")).map_err(|error| anyhow!("{error}"))
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// A group of bars for each work; on a logarithmic scale, since works differ a hundredfold.
fn draw_cpu(notes: &Notes, file: &Path) -> Drawn {
    let parts: Vec<_> = Work::ALL.iter().filter_map(|work| Some((work.name(), notes.part(work.name())?))).collect();
    if parts.is_empty() {
        return Ok(());
    }
    let root = SVGBackend::new(file, (1000, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let width = Contender::ALL.len() + 1;
    let mut chart = ChartBuilder::on(&root)
        .caption("CPU µs per workflow", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..(parts.len() * width) as f64, (100.0..100_000.0).log_scale())?;
    let label = |x: &f64| {
        let name = parts.get(*x as usize / width).filter(|_| *x as usize % width == width / 2);
        name.map_or_else(String::new, |(name, _)| (*name).to_owned())
    };
    chart.configure_mesh().disable_x_mesh().x_labels(parts.len() * width).x_label_formatter(&label).draw()?;
    for (index, contender) in Contender::ALL.into_iter().enumerate() {
        let color = color(contender);
        let bars = parts.iter().enumerate().filter_map(|(group, (_, part))| {
            let value = median(part.of(contender.name(), cpu::CPU));
            let x = (group * width + index) as f64 + 0.5;
            value.is_finite().then(|| Rectangle::new([(x, 100.0), (x + 0.9, value)], color.filled()))
        });
        chart
            .draw_series(bars)?
            .label(contender.name())
            .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], color.filled()));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(BLACK)
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    root.present()?;
    Ok(())
}

fn draw_replay(notes: &Notes, file: &Path) -> Drawn {
    let root = SVGBackend::new(file, (700, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("replayed events per CPU second, over the length of the history", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..52_000.0, (1_000.0..2_000_000.0).log_scale())?;
    chart.configure_mesh().draw()?;
    for contender in [Contender::Timewright, Contender::Official] {
        let color = color(contender);
        let points: Vec<(f64, f64)> = replay::LENGTHS
            .into_iter()
            .filter_map(|length| {
                let speed = median(notes.part(&replay::name(length))?.of(contender.name(), replay::SPEED));
                speed.is_finite().then_some((length as f64, speed))
            })
            .collect();
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
            .label(contender.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, color.filled())))?;
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

fn draw_memory(notes: &Notes, file: &Path) -> Drawn {
    let bars: Vec<(String, Contender, f64)> = memory::WORKFLOWS
        .into_iter()
        .flat_map(|(count, _)| [(count, Contender::Timewright), (count, Contender::Official)])
        .filter_map(|(count, contender)| {
            let bytes = median(notes.part(&memory::name(count))?.of(contender.name(), memory::BYTES));
            bytes.is_finite().then(|| (format!("{}, {count} workflows", contender.name()), contender, bytes))
        })
        .collect();
    if bars.is_empty() {
        return Ok(());
    }
    let root = SVGBackend::new(file, (700, 300)).into_drawing_area();
    root.fill(&WHITE)?;
    let greatest = bars.iter().map(|(.., bytes)| *bytes).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .caption("bytes of resident memory per cached workflow", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..bars.len() as f64, 0.0..greatest * 1.1)?;
    let half =
        |x: &f64| bars.get(*x as usize).filter(|_| x.fract() == 0.5).map_or_else(String::new, |bar| bar.0.clone());
    chart.configure_mesh().disable_x_mesh().x_labels(bars.len() * 2 + 1).x_label_formatter(&half).draw()?;
    chart.draw_series(bars.iter().enumerate().map(|(index, (_, contender, bytes))| {
        let x = index as f64;
        Rectangle::new([(x + 0.2, 0.0), (x + 0.8, *bytes)], color(*contender).filled())
    }))?;
    root.present()?;
    Ok(())
}

const fn color(contender: Contender) -> RGBColor {
    match contender {
        Contender::Timewright => RGBColor(31, 119, 180),
        Contender::Official => RGBColor(214, 39, 40),
        Contender::OfficialWithoutGzip => RGBColor(255, 152, 150),
        Contender::Floor => RGBColor(150, 150, 150),
    }
}
