//! The overview: a head about the servers, and a table of queues that leaves out columns if the terminal is narrow.

use super::seen::{Figures, Overview, Row, Source};
use super::text::{chart, count, ms, plain, rate};
use crate::sampling::history::{History, Range};
use crate::view::{Query, Sort};
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row as TableRow, Table, TableState};

/// By the digit that selects it.
pub const SORTS: [Sort; 10] = [
    Sort::Worst,
    Sort::Name,
    Sort::Ready,
    Sort::Inflight,
    Sort::Delayed,
    Sort::DeadLetters,
    Sort::OldestReady,
    Sort::Pushed,
    Sort::Acked,
    Sort::BlockedClients,
];

/// The order that is so many places after another.
pub fn after(sort: Sort, by: usize) -> Sort {
    let place = SORTS.iter().position(|one| *one == sort).unwrap_or(0);
    SORTS[(place + by) % SORTS.len()]
}

struct Column {
    title: &'static str,
    width: u16,
    sort: Option<Sort>,
    content: Content,
    /// In a narrow terminal, the columns of the lowest ranks are shown.
    rank: u8,
}

enum Content {
    Causes,
    Number(fn(&Figures) -> String),
    Chart,
}

const fn number(
    title: &'static str,
    width: u16,
    sort: Option<Sort>,
    rank: u8,
    shown: fn(&Figures) -> String,
) -> Column {
    Column { title, width, sort, content: Content::Number(shown), rank }
}

/// Beside the name, which has the rest of the width.
const COLUMNS: [Column; 10] = [
    Column { title: "Stuck", width: 12, sort: None, content: Content::Causes, rank: 3 },
    number("Ready", 9, Some(Sort::Ready), 0, |one| count(one.ready)),
    number("In flight", 9, Some(Sort::Inflight), 5, |one| count(one.inflight)),
    number("Delayed", 9, Some(Sort::Delayed), 7, |one| count(one.delayed)),
    number("Dead", 9, Some(Sort::DeadLetters), 1, |one| count(one.dead_letters)),
    number("Oldest", 11, Some(Sort::OldestReady), 2, |one| match one.oldest_ready_age_ms {
        0 => "-".to_owned(),
        age => ms(age),
    }),
    number("In/s", 7, Some(Sort::Pushed), 6, |one| rate(one.rates.pushed)),
    number("Out/s", 7, Some(Sort::Acked), 4, |one| rate(one.rates.acked)),
    number("Waiting", 7, Some(Sort::BlockedClients), 8, |one| count(one.blocked_clients)),
    Column { title: "Ready, 10 min", width: 20, sort: None, content: Content::Chart, rank: 9 },
];
const NAME_WIDTH: u16 = 16;

/// The columns that fit beside a name of some length.
fn fitting(width: u16) -> Vec<&'static Column> {
    let mut room = width.saturating_sub(NAME_WIDTH);
    let mut by_rank: Vec<&Column> = COLUMNS.iter().collect();
    by_rank.sort_by_key(|column| column.rank);
    let fits = |column: &&&Column| {
        let rest = room.checked_sub(column.width + 1);
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    let ranks = by_rank.iter().take_while(fits).count();
    COLUMNS.iter().filter(|column| usize::from(column.rank) < ranks).collect()
}

/// How many servers and queues there are, and what is wrong with the servers.
pub fn head(overview: &Overview, query: &Query) -> Vec<Line<'static>> {
    let servers: Vec<_> = overview.sources.iter().flat_map(|source| &source.servers).collect();
    let down = servers.iter().filter(|server| server.error.is_some()).count();
    let rows = overview.rows.len();
    let mut first = vec![
        Span::from("redis-mq").bold(),
        format!("  servers: {}", servers.len()).into(),
        format!("  queues: {}", count(rows as u64)).into(),
    ];
    if down > 0 {
        first.insert(2, format!(", {down} down").red().bold());
    }
    if overview.not_sampled > 0 {
        let left_out = count(overview.not_sampled as u64);
        first.push(format!("  too many: {left_out} without figures").yellow());
    }
    if !query.search.is_empty() {
        first.push(format!("  filter: {}", query.search).cyan());
    }
    if query.sort == Sort::Worst {
        first.push("  worst first".dim());
    }
    let mut lines = vec![Line::from(first)];
    lines.extend(overview.sources.iter().flat_map(problems));
    lines
}

fn problems(source: &Source) -> Vec<Line<'static>> {
    let own =
        source.error.iter().map(|error| Line::from(format!("{}: {error}", source.name)).red());
    let of_servers = source.servers.iter().flat_map(|server| {
        let address = &server.address;
        let error = server.error.iter();
        let down = error.map(move |error| Line::from(format!("{address} is down: {error}")).red());
        let warnings = server.warnings.iter();
        down.chain(warnings.map(move |text| Line::from(format!("{address}: {text}")).yellow()))
    });
    own.chain(of_servers).collect()
}

/// Which of the rows is selected, and what they are sorted by.
pub struct Shown {
    pub selected: usize,
    pub sort: Sort,
}

pub fn draw<'r>(
    frame: &mut Frame,
    area: Rect,
    rows: impl Iterator<Item = &'r Row>,
    shown: &Shown,
    history: &History,
) {
    let columns = fitting(area.width);
    let title = |text: &'static str, sort: Option<Sort>| {
        let sorted = sort == Some(shown.sort);
        if sorted { Span::from(text).bold().underlined() } else { text.into() }
    };
    let titles = columns.iter().map(|column| {
        let line = Line::from(title(column.title, column.sort));
        Cell::from(if column.is_number() { line.right_aligned() } else { line })
    });
    let name = Cell::from(title("Queue", Some(Sort::Name)));
    let header = TableRow::new([name].into_iter().chain(titles)).style(Style::new().dim());
    let lines = rows.map(|row| {
        let cells = columns.iter().map(|column| column.cell(row, history));
        TableRow::new([Cell::from(plain(&row.place.name))].into_iter().chain(cells))
    });
    let widths = columns.iter().map(|column| Constraint::Length(column.width));
    let table = Table::new(lines, [Constraint::Min(8)].into_iter().chain(widths))
        .header(header)
        .row_highlight_style(Modifier::REVERSED);
    let mut selection = TableState::new().with_selected(shown.selected);
    frame.render_stateful_widget(table, area, &mut selection);
}

impl Column {
    fn is_number(&self) -> bool {
        matches!(self.content, Content::Number(_))
    }

    fn cell<'r>(&self, row: &'r Row, history: &History) -> Cell<'r> {
        let Some(figures) = &row.figures else {
            let text = row.error.as_deref().unwrap_or("not sampled");
            return match self.content {
                Content::Causes => Cell::from(Span::from(text).red()),
                _ => Cell::default(),
            };
        };
        match &self.content {
            Content::Causes => {
                Cell::from(figures.causes.first().map_or("", String::as_str)).fg(Color::Yellow)
            }
            Content::Number(shown) => {
                let line = Line::from(shown(figures)).right_aligned();
                let bad = self.sort == Some(Sort::DeadLetters) && figures.dead_letters > 0;
                Cell::from(if bad { line.red() } else { line })
            }
            Content::Chart => {
                let points = history.of(&row.place.source, &row.place.name, Range::TenMinutes);
                let depths: Vec<f32> = points.iter().map(|point| point.ready as f32).collect();
                Cell::from(chart(&depths, self.width.into())).fg(Color::Cyan)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(width: u16) -> Vec<&'static str> {
        fitting(width).iter().map(|column| column.title).collect()
    }

    #[test]
    fn a_narrow_terminal_has_the_columns_that_matter_most() {
        assert_eq!(titles(200).len(), COLUMNS.len());
        assert_eq!(titles(80), ["Stuck", "Ready", "In flight", "Dead", "Oldest", "Out/s"]);
        assert_eq!(titles(40), ["Ready", "Dead"]);
        assert_eq!(titles(20), [""; 0]);
    }

    #[test]
    fn ranks_are_numbered_from_zero() {
        let mut ranks: Vec<u8> = COLUMNS.iter().map(|column| column.rank).collect();
        ranks.sort_unstable();
        assert!(ranks.into_iter().eq(0..COLUMNS.len() as u8));
    }

    #[test]
    fn sorting_goes_round() {
        assert_eq!(after(Sort::Worst, 1), Sort::Name);
        assert_eq!(after(Sort::BlockedClients, 1), Sort::Worst);
        assert_eq!(after(Sort::Worst, SORTS.len() - 1), Sort::BlockedClients);
    }
}
