// SPDX-License-Identifier: GPL-2.0-or-later
//! The heading of a finding: the comment lines before `machine`, a field each.
//!
//! ```text
//! # id: C1
//! # title: what it is, in one line
//! # lines: 1034, 627-646                  of the original
//! # mode: nopae                           or pae, or both
//! # trigger: who can bring it about
//! # original: what the original does to the host; any field may go on
//! #   on lines that begin so
//! # hardened: what the hardened port does instead
//! # fix: C3                               the fix that mends it, where that has another name; `none` where none does
//! # class: hostbug SET_PGD: outside_page  as reports have it, without the mode
//! ```
//!
//! The fields come in this order; `fix` alone may be left out. Comments further down are anybody's.

use std::fmt;

use lguest_shadow::Fix;

/// The names of the fields in their order.
const FIELDS: [&str; 9] = [
    "id", "title", "lines", "mode", "trigger", "original", "hardened", "fix", "class",
];

/// A finding's heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Its id; several scenarios may show one finding.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// Numbers of the original's lines.
    pub lines: String,
    /// The word for the paging modes.
    pub mode: String,
    /// Who can bring it about.
    pub trigger: String,
    /// What the original does to the host.
    pub original: String,
    /// What the hardened port does.
    pub hardened: String,
    /// The fix that mends it; none if it is kept.
    pub fix: Option<Fix>,
    /// The class of the harm, without the mode.
    pub class: String,
}

/// What is wrong in a heading, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadingError {
    /// The line, from 1.
    pub line: usize,
    /// What was found and what was expected.
    pub what: String,
}

impl fmt::Display for HeadingError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.line, self.what)
    }
}

impl std::error::Error for HeadingError {}

fn wrong<T>(line: usize, what: impl Into<String>) -> Result<T, HeadingError> {
    let what = what.into();
    Err(HeadingError { line, what })
}

/// Reads the heading of a scenario's text.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Heading, HeadingError> {
    let mut values: [Option<String>; FIELDS.len()] = Default::default();
    let mut last: Option<usize> = None;
    let mut end = 1;
    for (i, line) in text.lines().enumerate() {
        let Some(comment) = line.strip_prefix('#') else {
            break;
        };
        end = i + 2;
        if let Some(more) = comment.strip_prefix("   ") {
            let Some(value) = last.and_then(|last| values[last].as_mut()) else {
                return wrong(i + 1, "a line that goes on; expected `# id: ` first");
            };
            value.push(' ');
            value.push_str(more.trim());
            continue;
        }
        let field = comment.strip_prefix(' ').and_then(|c| c.split_once(": "));
        let Some((name, value)) = field else {
            return wrong(i + 1, "expected `# FIELD: ` or three blanks after the `#`");
        };
        let Some(k) = FIELDS.iter().position(|field| *field == name) else {
            return wrong(
                i + 1,
                format!(
                    "unknown field {name:?}; expected one of {}",
                    FIELDS.join(", ")
                ),
            );
        };
        if last.is_some_and(|last| last >= k) {
            return wrong(
                i + 1,
                format!(
                    "{name:?} is out of place; expected {}, in this order",
                    FIELDS.join(", ")
                ),
            );
        }
        if value.trim().is_empty() {
            return wrong(i + 1, format!("{name:?} says nothing"));
        }
        values[k] = Some(value.trim().to_owned());
        last = Some(k);
    }
    let [
        id,
        title,
        lines,
        mode,
        trigger,
        original,
        hardened,
        fix,
        class,
    ] = values;
    let need = |value: Option<String>, name: &str| match value {
        Some(value) => Ok(value),
        None => wrong(end, format!("the heading has no {name:?}")),
    };
    let id = need(id, "id")?;
    let fix_id = fix.as_deref().unwrap_or(&id);
    let fix = Fix::ALL.into_iter().find(|fix| fix.id() == fix_id);
    if fix.is_none() && fix_id != "none" {
        return wrong(
            end,
            format!("the port has no fix {fix_id:?}; name it in `# fix: `, or say `none`"),
        );
    }
    Ok(Heading {
        title: need(title, "title")?,
        lines: need(lines, "lines")?,
        mode: need(mode, "mode")?,
        trigger: need(trigger, "trigger")?,
        original: need(original, "original")?,
        hardened: need(hardened, "hardened")?,
        class: need(class, "class")?,
        fix,
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# id: C26\n# title: t\n# lines: 1-2\n# mode: both\n# trigger: g\n# original: it\n#   breaks\n# hardened: does not\n# fix: C3\n# class: hostbug run: null_entry\nmachine mode=both\n# id: not here\n";

    #[test]
    fn a_heading_is_read() {
        let heading = parse(WHOLE).expect("it is whole");
        assert_eq!(heading.original, "it breaks");
        assert_eq!((heading.fix, heading.id.as_str()), (Some(Fix::C3), "C26"));
        let kept = parse(&WHOLE.replace("# fix: C3", "# fix: none")).expect("it is whole");
        assert_eq!(kept.fix, None);
    }

    #[test]
    fn errors_have_their_line() {
        for (from, to, line) in [
            ("# title: t\n", "", 10),
            ("# title: t\n", "# title:\n", 2),
            ("# title: t\n", "# name: t\n", 2),
            ("# title: t\n", "# title: t\n# title: t\n", 3),
            (
                "# title: t\n# lines: 1-2\n",
                "# lines: 1-2\n# title: t\n",
                3,
            ),
            ("# id: C26\n", "#   more\n# id: C26\n", 1),
            ("# fix: C3\n", "", 10),
            ("# fix: C3\n", "# fix: C99\n", 11),
            ("# lines: 1-2\n", "# lines: 1-2\nmachine mode=both\n", 4),
        ] {
            let error = parse(&WHOLE.replace(from, to)).expect_err(to);
            assert_eq!(error.line, line, "{error}");
        }
    }
}
