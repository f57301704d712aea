//! What is on the screen, and what keys, samples and answers do to it.

use super::ask::{Action, Answer, Asker, Question};
use super::list;
use super::page::Page;
use super::seen::{Overview, Place};
use crate::view::{self, Query, Sort};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};
use std::ops::ControlFlow;

pub struct App {
    asker: Asker,
    writes: bool,
    query: Query,
    overview: Overview,
    /// The place of the selected row.
    cursor: usize,
    /// The queue that was selected by a key, which the cursor follows.
    selected: Option<Place>,
    /// The first row on the screen, and how many are.
    first: usize,
    rows_shown: usize,
    page: Option<Page>,
    mode: Mode,
    notice: Option<Line<'static>>,
}

/// What keys mean.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    Filter,
    Confirm(Place, Action),
    Help,
}

const KEYS: &str = "↑↓ Enter  s sort  / filter  p pause  ? help  q quit";
const PAGE_KEYS: &str = "Esc back  ↑↓ scroll  d dead letters  p pause  ? help  q quit";
const HELP: &str = "\
↑ ↓ PgUp PgDn Home End   select a queue, or scroll its page
Enter, Esc               open its page; back
s, S                     sort by the next column, the one before
0 worst first, 1 name, 2 ready, 3 in flight, 4 delayed,
5 dead letters, 6 oldest ready, 7 pushed, 8 acknowledged,
9 waiting; r             reverse
/                        filter: a part of the name, or * and ?; Esc shows all
p                        pause or resume (with --allow-writes)
d                        count the dead letters of the page anew
q, Ctrl-C                quit";

impl App {
    pub fn new(asker: Asker, writes: bool) -> Self {
        Self {
            asker,
            writes,
            query: Query::default(),
            overview: Overview::default(),
            cursor: 0,
            selected: None,
            first: 0,
            rows_shown: 1,
            page: None,
            mode: Mode::Plain,
            notice: None,
        }
    }

    pub fn sampled(&mut self) {
        self.list();
        if let Some(page) = &self.page {
            self.asker.ask(Question::Queue(page.place.clone()));
        }
    }

    /// Reads the list anew; the cursor stays on its queue.
    fn list(&mut self) {
        let state = &self.asker.state;
        let seen = view::overview(&state.snapshot(), &state.history, &self.query, self.writes);
        match Overview::read(seen) {
            Ok(overview) => self.overview = overview,
            Err(error) => self.notice = Some(Line::from(error.to_string()).red()),
        }
        let rows = &self.overview.rows;
        let kept = self.selected.as_ref();
        let found = kept.and_then(|kept| rows.iter().position(|row| row.place == *kept));
        self.cursor = found.unwrap_or(self.cursor).min(rows.len().saturating_sub(1));
    }

    pub fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Queue(place, queue) => {
                if let Some(page) = self.page_of(&place) {
                    page.queue = Some(queue);
                }
            }
            Answer::DeadLetters(place, letters) => {
                if let Some(page) = self.page_of(&place) {
                    page.letters = Some(letters);
                }
            }
            Answer::Act(place, action, done) => {
                let name = &place.name;
                self.notice = Some(match (done, action) {
                    (Err(error), _) => Line::from(format!("{name}: {error}")).red(),
                    (Ok(()), Action::Pause) => Line::from(format!("{name} is paused.")).green(),
                    (Ok(()), Action::Resume) => Line::from(format!("{name} is resumed.")).green(),
                });
                if self.page_of(&place).is_some() {
                    self.asker.ask(Question::Queue(place));
                }
            }
        }
    }

    fn page_of(&mut self, place: &Place) -> Option<&mut Page> {
        self.page.as_mut().filter(|page| page.place == *place)
    }

    /// Breaks if the key ends the program.
    pub fn key(&mut self, key: KeyEvent) -> ControlFlow<()> {
        self.notice = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
        }
        match std::mem::replace(&mut self.mode, Mode::Plain) {
            Mode::Plain => return self.plain_key(key.code),
            Mode::Filter => self.filter_key(key.code),
            Mode::Confirm(place, action) => match key.code {
                KeyCode::Char('y' | 'Y') => self.asker.ask(Question::Act(place, action)),
                _ => self.notice = Some(Line::from("Nothing was changed.")),
            },
            Mode::Help => {}
        }
        ControlFlow::Continue(())
    }

    fn plain_key(&mut self, code: KeyCode) -> ControlFlow<()> {
        match code {
            KeyCode::Char('q') => return ControlFlow::Break(()),
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('p') => self.ask_to_pause(),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp => self.go(-self.screenful()),
            KeyCode::PageDown => self.go(self.screenful()),
            KeyCode::Home => self.go(isize::MIN),
            KeyCode::End => self.go(isize::MAX),
            _ => match &self.page {
                Some(page) => match code {
                    KeyCode::Esc | KeyCode::Backspace | KeyCode::Left => self.page = None,
                    KeyCode::Char('d') => {
                        self.asker.ask(Question::DeadLetters(page.place.clone()));
                    }
                    _ => {}
                },
                None => self.list_key(code),
            },
        }
        ControlFlow::Continue(())
    }

    fn list_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter | KeyCode::Right => {
                let Some(row) = self.overview.rows.get(self.cursor) else { return };
                let place = row.place.clone();
                self.asker.ask(Question::Queue(place.clone()));
                self.asker.ask(Question::DeadLetters(place.clone()));
                self.selected = Some(place.clone());
                self.page = Some(Page::new(place));
            }
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => self.filter(String::new()),
            KeyCode::Char('s') => self.sort(list::after(self.query.sort, 1)),
            KeyCode::Char('S') => self.sort(list::after(self.query.sort, list::SORTS.len() - 1)),
            KeyCode::Char('r') => {
                self.query.reverse = !self.query.reverse;
                self.select_first();
            }
            KeyCode::Char(digit @ '0'..='9') => {
                let place = usize::from(digit as u8 - b'0');
                if let Some(sort) = list::SORTS.get(place) {
                    self.sort(*sort);
                }
            }
            _ => {}
        }
    }

    fn filter_key(&mut self, code: KeyCode) {
        let mut search = self.query.search.clone();
        match code {
            KeyCode::Enter => return,
            KeyCode::Esc => search.clear(),
            KeyCode::Backspace => drop(search.pop()),
            KeyCode::Char(typed) => search.push(typed),
            _ => {}
        }
        if code != KeyCode::Esc {
            self.mode = Mode::Filter;
        }
        self.filter(search);
    }

    fn filter(&mut self, search: String) {
        self.query.search = search;
        self.select_first();
    }

    fn sort(&mut self, sort: Sort) {
        self.query.sort = sort;
        self.select_first();
    }

    fn select_first(&mut self) {
        self.selected = None;
        self.cursor = 0;
        self.list();
    }

    fn screenful(&self) -> isize {
        isize::try_from(self.rows_shown).unwrap_or(1)
    }

    fn go(&mut self, by: isize) {
        if let Some(page) = &mut self.page {
            page.scroll = page.scroll.saturating_add_signed(by);
            return;
        }
        let last = self.overview.rows.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
        self.selected = self.overview.rows.get(self.cursor).map(|row| row.place.clone());
    }

    fn ask_to_pause(&mut self) {
        let at_cursor = || {
            let row = self.overview.rows.get(self.cursor)?;
            Some((row.place.clone(), row.figures.as_ref().is_some_and(|one| one.paused)))
        };
        let of_page = |page: &Page| (page.place.clone(), page.paused());
        let Some((place, paused)) = self.page.as_ref().map(of_page).or_else(at_cursor) else {
            return;
        };
        if !self.writes {
            let refusal = "This only shows: to pause and resume, start it with --allow-writes.";
            self.notice = Some(Line::from(refusal).yellow());
            return;
        }
        let action = if paused { Action::Resume } else { Action::Pause };
        self.mode = Mode::Confirm(place, action);
    }

    pub fn draw(&mut self, frame: &mut Frame) {
        let [main, bottom] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        match &mut self.page {
            Some(page) => {
                let history = &self.asker.state.history;
                self.rows_shown = page.draw(frame, main, history);
            }
            None => self.draw_list(frame, main),
        }
        frame.render_widget(self.bottom(), bottom);
        if self.mode == Mode::Help {
            let area = frame.area();
            let rows = u16::try_from(HELP.lines().count()).unwrap_or(0) + 2;
            let area = area.centered(Constraint::Max(78), Constraint::Max(rows));
            frame.render_widget(Clear, area);
            let help = Paragraph::new(HELP).block(Block::bordered().title(" Keys "));
            frame.render_widget(help, area);
        }
    }

    fn draw_list(&mut self, frame: &mut Frame, area: Rect) {
        let head = list::head(&self.overview, &self.query);
        let rows = u16::try_from(head.len()).unwrap_or(1).min(area.height / 2).max(1);
        let [top, table] =
            Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(area);
        frame.render_widget(Paragraph::new(head), top);
        // One line is the title.
        self.rows_shown = usize::from(table.height.saturating_sub(1)).max(1);
        let last_first = (self.cursor + 1).saturating_sub(self.rows_shown);
        self.first = self.first.clamp(last_first, self.cursor);
        let history = &self.asker.state.history;
        let rows = self.overview.rows.iter().skip(self.first).take(self.rows_shown);
        let shown = list::Shown { selected: self.cursor - self.first, sort: self.query.sort };
        list::draw(frame, table, rows, &shown, history);
    }

    fn bottom(&self) -> Line<'_> {
        match (&self.mode, &self.notice) {
            (Mode::Filter, _) => {
                Line::from(format!("filter: {}█  (Enter, Esc shows all)", self.query.search))
            }
            (Mode::Confirm(place, action), _) => {
                let verb = if *action == Action::Pause { "Pause" } else { "Resume" };
                let text = format!("{verb} {} on {}? y/n", place.name, place.server);
                Line::from(text).fg(Color::Yellow)
            }
            (_, Some(notice)) => notice.clone(),
            (_, None) => {
                let keys = if self.page.is_some() { PAGE_KEYS } else { KEYS };
                Line::from(keys).dim()
            }
        }
    }
}
