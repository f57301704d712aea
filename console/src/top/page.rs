//! The page of a queue: why nothing is delivered, figures, rates, dead letters, counters and settings.

use super::seen::{Known, Latencies, Place, Queue};
use super::text::{chart, count, ms, plain, rate};
use crate::dead_letters::DeadLetters;
use crate::sampling::history::{History, Point, Range};
use crate::sampling::unix_ms;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use serde_json::{Map, Value};
use std::time::SystemTime;

pub struct Page {
    pub place: Place,
    /// `None` until it was read.
    pub queue: Option<Result<Queue, String>>,
    pub letters: Option<Result<DeadLetters, String>>,
    pub scroll: usize,
}

/// A name, and a figure beside it.
const FIGURE_WIDTH: usize = 38;
const NAME_WIDTH: usize = 24;
const CHART_WIDTH: usize = 60;

impl Page {
    pub fn new(place: Place) -> Self {
        Self { place, queue: None, letters: None, scroll: 0 }
    }

    pub fn paused(&self) -> bool {
        self.known().is_some_and(|known| known.state["paused"] == true)
    }

    fn known(&self) -> Option<&Known> {
        self.queue.as_ref()?.as_ref().ok()?.known.as_ref()
    }

    /// Returns how many lines there is room for.
    pub fn draw(&mut self, frame: &mut Frame, area: Rect, history: &History) -> usize {
        let width = usize::from(area.width);
        let room = usize::from(area.height);
        let text = Paragraph::new(self.lines(width, history)).wrap(Wrap { trim: false });
        let scroll = self.scroll.min(text.line_count(area.width).saturating_sub(room));
        let lines = u16::try_from(scroll).unwrap_or(u16::MAX);
        frame.render_widget(text.scroll((lines, 0)), area);
        self.scroll = scroll;
        room
    }

    fn lines(&self, width: usize, history: &History) -> Vec<Line<'_>> {
        let Place { server, name, source } = &self.place;
        let mut lines = vec![Line::from(vec![plain(name).bold(), format!("  on {server}").dim()])];
        match &self.queue {
            None => lines.push("asking ...".into()),
            Some(Err(error)) => lines.push(Line::from(error.as_str()).red()),
            Some(Ok(queue)) => lines.extend(why(queue)),
        }
        if let Some(known) = self.known() {
            lines.extend(section("Now", &known.state, width));
            lines.push(rates(known));
            lines.extend(latencies(&known.latencies));
        }
        let points = history.of(source, name, Range::TenMinutes);
        if !points.is_empty() {
            lines.extend(charts(&points, width));
        }
        lines.extend(self.dead_letters());
        if let Some(known) = self.known() {
            lines.extend(section("Since the server started", &known.counters, width));
            lines.extend(section("Settings", &known.settings, width));
        }
        lines
    }

    fn dead_letters(&self) -> Vec<Line<'_>> {
        let mut lines = vec![Line::default(), Line::from("Dead letters").bold()];
        match &self.letters {
            None => lines.push("counting ...".into()),
            Some(Err(error)) => lines.push(Line::from(error.as_str()).red()),
            Some(Ok(letters)) => {
                let mut sum = format!("{} in {}", count(letters.total), letters.queue);
                if letters.total > letters.examined as u64 {
                    sum += &format!(", of the first {}:", count(letters.examined as u64));
                }
                lines.push(sum.into());
                lines.extend(letters.sums.iter().map(|sum| {
                    let error = match sum.last_error.as_str() {
                        "" => String::new(),
                        error => format!(": {error}"),
                    };
                    let number = count(sum.count);
                    Line::from(format!("{number:>9}  {} in {}{error}", sum.reason, sum.from))
                }));
            }
        }
        lines
    }
}

fn why(queue: &Queue) -> Vec<Line<'_>> {
    if queue.why.is_empty() {
        return vec![Line::from("Nothing stands in the way of deliveries.").green()];
    }
    let told = queue.why.iter().flat_map(|cause| {
        [Line::from(cause.sentence.as_str()).yellow(), Line::from(format!("  {}", cause.action))]
    });
    told.collect()
}

fn rates(known: &Known) -> Line<'static> {
    let rates = &known.rates;
    let [pushed, pulled, acked, dead] =
        [rates.pushed, rates.pulled, rates.acked, rates.dead].map(rate);
    format!("per second: {pushed} pushed, {pulled} delivered, {acked} acknowledged, {dead} dead")
        .into()
}

/// Of all since the server started.
fn latencies(latencies: &Latencies) -> Vec<Line<'static>> {
    let Latencies { delivery, processing } = latencies;
    let both = [("from push to delivery", delivery), ("from delivery to ack", processing)];
    let lines = both.into_iter().filter_map(|(name, latency)| {
        let [half, most] = [latency.p50_ms?, latency.p95_ms?].map(|time| ms(time.ceil() as u64));
        Some(format!("{name}: half within {half}, 95 % within {most}").into())
    });
    lines.collect()
}

fn charts(points: &[Point], width: usize) -> Vec<Line<'static>> {
    let of = |name: &str, figure: fn(&Point) -> f32| {
        let values: Vec<f32> = points.iter().map(figure).collect();
        let highest = values.iter().copied().fold(0.0, f32::max);
        let room = CHART_WIDTH.min(width.saturating_sub(8));
        let bars = chart(&values, room).cyan();
        Line::from(vec![
            format!("{name:<7} ").into(),
            bars,
            format!("  up to {}", rate(highest.into())).dim(),
        ])
    };
    vec![
        Line::default(),
        Line::from("The last 10 minutes").bold(),
        of("ready", |point| point.ready as f32),
        of("pushed", |point| point.pushed),
        of("acked", |point| point.acked),
    ]
}

/// Figures under a title, as many beside each other as there is room for.
fn section(title: &str, figures: &Map<String, Value>, width: usize) -> Vec<Line<'static>> {
    let now = unix_ms(SystemTime::now());
    let shown: Vec<String> = figures
        .iter()
        .filter_map(|(name, value)| {
            let (name, value) = figure(name, value, now)?;
            Some(format!("{name:<NAME_WIDTH$} {value}"))
        })
        .collect();
    let beside = (width / FIGURE_WIDTH).max(1);
    let lines = shown.chunks(beside).map(|chunk| {
        let texts: String = chunk.iter().map(|text| format!("{text:<FIGURE_WIDTH$}")).collect();
        Line::from(texts.trim_end().to_owned())
    });
    let title = Line::from(title.to_owned()).bold();
    [Line::default(), title].into_iter().chain(lines).collect()
}

/// The name of a figure and its value in words; `None` if there is nothing to say.
fn figure(name: &str, value: &Value, now_ms: u64) -> Option<(String, String)> {
    let moment = |at: u64| match at.checked_sub(now_ms) {
        Some(left) => format!("in {}", ms(left)),
        None => format!("{} ago", ms(now_ms - at)),
    };
    let (name, text) = match value {
        Value::Number(number) => match number.as_u64() {
            None => (name, number.to_string()),
            Some(number) => match (name.strip_suffix("_ms"), is_moment(name)) {
                (Some(name), _) => (name, ms(number)),
                (None, true) => (name, moment(number)),
                (None, false) => (name, count(number)),
            },
        },
        Value::Bool(yes) => (name, if *yes { "yes" } else { "no" }.to_owned()),
        Value::String(text) => (name, text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some((name.replace('_', " "), text))
}

fn is_moment(name: &str) -> bool {
    ["_at", "_until", "_start"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_are_told_by_what_they_are() {
        for (name, value, told) in [
            ("ready", json!(1234), Some(("ready", "1,234"))),
            ("oldest_ready_age_ms", json!(61_000), Some(("oldest ready age", "1 min 1 s"))),
            ("next_due_at", json!(5_000), Some(("next due at", "in 4 s"))),
            ("rate_window_start", json!(0), Some(("rate window start", "1 s ago"))),
            ("maxretries", json!(-1), Some(("maxretries", "-1"))),
            ("paused", json!(true), Some(("paused", "yes"))),
            ("paused_until", json!(null), None),
            ("priorities", json!({}), None),
        ] {
            let found = figure(name, &value, 1_000);
            let found = found.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
            assert_eq!(found, told, "{name}");
        }
    }
}
