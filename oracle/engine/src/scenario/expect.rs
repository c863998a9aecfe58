// SPDX-License-Identifier: GPL-2.0-or-later
//! What must come of a scenario.

/// What must come of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    /// Both sides agree and no independent oracle objects.
    Agree,
    /// It witnesses this finding: an id of 1 to 15 characters `A-Z a-z 0-9 _`, padded with zeros.
    Finding([u8; 15]),
}

impl Expect {
    /// The expectation of the finding named `id`, if that is a well-formed id.
    pub fn finding(id: &str) -> Option<Expect> {
        let mut name = [0; 15];
        name.get_mut(..id.len())?.copy_from_slice(id.as_bytes());
        let e = Expect::Finding(name);
        (e.reduce() == e).then_some(e)
    }

    /// The id of the finding, if it is one and well-formed.
    pub fn id(&self) -> Option<&str> {
        match self {
            Expect::Agree => None,
            Expect::Finding(name) => {
                let len = name.iter().position(|&b| b == 0).unwrap_or(name.len());
                core::str::from_utf8(name.get(..len)?).ok()
            }
        }
    }

    /// The nearest well-formed expectation; an empty id expects agreement.
    #[must_use]
    pub fn reduce(self) -> Expect {
        const ALPHABET: &[u8; 63] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
        let Expect::Finding(mut name) = self else {
            return Expect::Agree;
        };
        let mut ended = false;
        for b in &mut name {
            ended |= *b == 0;
            if ended {
                *b = 0;
            } else if !ALPHABET.contains(b) {
                *b = ALPHABET[usize::from(*b) % ALPHABET.len()];
            }
        }
        if name[0] == 0 {
            Expect::Agree
        } else {
            Expect::Finding(name)
        }
    }
}
