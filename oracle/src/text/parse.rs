// SPDX-License-Identifier: GPL-2.0-or-later
//! Reads a scenario's text line by line, and holds its parts to their order and number.

use super::lex::{Cursor, Token, quote};
use super::{MAX_TEXT_LEN, TextError, head, steps};
use lguest_engine::{Expect, MAX_PAGE_RECORDS, MAX_STEPS, Machine, PageRecord, Step, Verb};

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// The machine; its expectation comes by an item of its own, if at all.
    Machine(Machine),
    /// What must come of the scenario.
    Expect(Expect),
    /// How the host maps some pages.
    Page(PageRecord),
    /// A step.
    Step(Step),
}

/// A line of a scenario's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// Its number, from 1.
    pub number: usize,
    /// What it says, unless it is blank or a comment alone.
    pub item: Option<Item>,
    /// Its comment, without the `#`.
    pub comment: Option<&'t str>,
}

/// The part of the scenario that the last line was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Start,
    Machine,
    Expect,
    Pages,
    Steps,
    /// After the destroy on this line.
    Destroyed(usize),
}

/// The lines of a text, each checked in its place; ends with the first error.
///
/// It holds nothing but the place it has come to, so a text costs no memory until it is kept.
#[derive(Clone, Debug)]
pub struct Reader<'t> {
    lines: Option<std::str::Split<'t, char>>,
    number: usize,
    part: Part,
    machine: Machine,
    pages: usize,
    steps: usize,
}

impl<'t> Reader<'t> {
    /// A reader of this text.
    ///
    /// # Errors
    /// The text is longer than [`MAX_TEXT_LEN`].
    pub fn new(text: &'t str) -> Result<Reader<'t>, TextError> {
        if text.len() > MAX_TEXT_LEN {
            return Err(TextError {
                line: 1,
                column: 1,
                what: format!("the text has {} bytes", text.len()),
                expected: format!("at most {MAX_TEXT_LEN}"),
            });
        }
        let lines = Some(text.strip_suffix('\n').unwrap_or(text).split('\n'));
        let machine = Machine::DEFAULT;
        Ok(Reader {
            lines,
            number: 0,
            part: Part::Start,
            machine,
            pages: 0,
            steps: 0,
        })
    }

    fn line(&mut self, line: &'t str) -> Result<Line<'t>, TextError> {
        let mut cursor = Cursor::new(line, self.number)?;
        let item = match cursor.peek() {
            Token::End => None,
            _ => Some(self.item(&mut cursor)?),
        };
        cursor.end()?;
        Ok(Line {
            number: self.number,
            item,
            comment: cursor.comment(),
        })
    }

    fn item(&mut self, cursor: &mut Cursor<'t>) -> Result<Item, TextError> {
        let at = cursor.position();
        let first = cursor.peek();
        let misplaced = |cursor: &Cursor<'_>, expected: &str| {
            let Token::Atom(word) = first else {
                return cursor.error(expected);
            };
            cursor.error_at(at, format!("{} is out of place", quote(word)), expected)
        };
        let part = match first {
            Token::Atom("machine") => Part::Machine,
            Token::Atom("expect") => Part::Expect,
            Token::Atom("page") => Part::Pages,
            _ => Part::Steps,
        };
        match (self.part, part) {
            (Part::Start, Part::Machine) => {}
            (Part::Start, _) => return Err(misplaced(cursor, "`machine` on the first line")),
            (_, Part::Machine) => {
                return Err(misplaced(cursor, "one `machine`, on the first line"));
            }
            (Part::Machine, Part::Expect) => {}
            (_, Part::Expect) => {
                return Err(misplaced(
                    cursor,
                    "one `expect`, directly after the machine",
                ));
            }
            (Part::Steps | Part::Destroyed(_), Part::Pages) => {
                return Err(misplaced(cursor, "every `page` before the first step"));
            }
            _ => {}
        }
        if part != Part::Steps {
            cursor.advance()?;
        }
        let item = match part {
            Part::Machine => {
                self.machine = head::machine(cursor, at)?;
                Item::Machine(self.machine)
            }
            Part::Expect => Item::Expect(head::expect(cursor)?),
            Part::Pages => {
                self.pages += 1;
                if self.pages > MAX_PAGE_RECORDS {
                    let what = "one page record too many".into();
                    return Err(cursor.error_at(
                        at,
                        what,
                        format_args!("at most {MAX_PAGE_RECORDS}"),
                    ));
                }
                Item::Page(head::page(cursor, &self.machine)?)
            }
            _ => {
                let step = steps::step(cursor, &self.machine)?;
                self.steps += 1;
                if let Part::Destroyed(line) = self.part {
                    let what = format!("a step after the destroy on line {line}");
                    return Err(cursor.error_at(at, what, "the end of the scenario"));
                }
                if self.steps > MAX_STEPS {
                    let what = "one step too many".into();
                    return Err(cursor.error_at(at, what, format_args!("at most {MAX_STEPS}")));
                }
                Item::Step(step)
            }
        };
        self.part = match item {
            Item::Step(Step {
                verb: Verb::Destroy,
                ..
            }) => Part::Destroyed(self.number),
            _ => part,
        };
        Ok(item)
    }
}

impl<'t> Iterator for Reader<'t> {
    type Item = Result<Line<'t>, TextError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(line) = self.lines.as_mut()?.next() else {
            self.lines = None;
            return (self.part == Part::Start).then(|| {
                Err(TextError {
                    line: self.number,
                    column: 1,
                    what: "the text ends without a scenario".into(),
                    expected: "`machine` on the first line".into(),
                })
            });
        };
        self.number += 1;
        let line = self.line(line);
        if line.is_err() {
            self.lines = None;
        }
        Some(line)
    }
}
