// SPDX-License-Identifier: GPL-2.0-or-later
//! Pins and the entries that they may have been for: each entry to one pin, and an entry to as many pins as can be.

/// Who wishes what, and who gets it; its room is used again.
#[derive(Default)]
pub struct Matching {
    /// What is wished, first wishes too, and whether it is one: all of one after all of another.
    wishes: Vec<(u32, bool)>,
    /// Where the wishes of each begin.
    begins: Vec<usize>,
    /// Who owns what.
    owners: Vec<(u32, usize)>,
    /// What was looked at on the way.
    tried: Vec<u32>,
}

impl Matching {
    /// Nobody wishes anything.
    pub fn clear(&mut self) {
        self.wishes.clear();
        self.begins.clear();
        self.owners.clear();
    }

    /// One more who wishes.
    pub fn next(&mut self) {
        self.begins.push(self.wishes.len());
    }

    /// Who came last wishes this, and it is a `first` wish: where its page is expected.
    pub fn wish(&mut self, what: u32, first: bool) {
        self.wishes.push((what, first));
    }

    /// Grants wishes, none twice. As many as can be get one of their first wishes; then as many as can be get one at
    /// all, and earlier ones come before later ones.
    pub fn grant(&mut self) {
        for first_alone in [true, false] {
            for who in 0..self.begins.len() {
                if self.granted(who).is_none() {
                    self.tried.clear();
                    self.serve(who, first_alone);
                }
            }
        }
    }

    /// What this one gets.
    pub fn granted(&self, who: usize) -> Option<u32> {
        let owned = self.owners.iter().find(|(_, owner)| *owner == who);
        owned.map(|(what, _)| *what)
    }

    /// Gives `who` a wish, if others can be moved to one of theirs for it.
    fn serve(&mut self, who: usize, first_alone: bool) -> bool {
        let end = self.begins.get(who + 1).copied();
        let wishes = self.begins[who]..end.unwrap_or(self.wishes.len());
        let kinds: &[bool] = if first_alone { &[true] } else { &[true, false] };
        for kind in kinds {
            for i in wishes.clone() {
                let (what, first) = self.wishes[i];
                if first != *kind || self.tried.contains(&what) {
                    continue;
                }
                self.tried.push(what);
                let owned = self.owners.iter().find(|(other, _)| *other == what);
                let owner = owned.map(|(_, owner)| *owner);
                if owner.is_some_and(|owner| !self.serve(owner, first_alone)) {
                    continue;
                }
                self.owners
                    .retain(|(other, owner)| *other != what && *owner != who);
                self.owners.push((what, who));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Matching;

    fn granted(wishes: &[(&[u32], &[u32])]) -> Vec<Option<u32>> {
        let mut matching = Matching::default();
        for (first, second) in wishes {
            matching.next();
            first.iter().for_each(|what| matching.wish(*what, true));
            second.iter().for_each(|what| matching.wish(*what, false));
        }
        matching.grant();
        (0..wishes.len()).map(|who| matching.granted(who)).collect()
    }

    #[test]
    fn an_early_wish_is_granted_where_all_can_be_served() {
        assert_eq!(granted(&[(&[1], &[2]), (&[2], &[1])]), [Some(1), Some(2)]);
        assert_eq!(
            granted(&[(&[1, 2], &[]), (&[2, 1], &[])]),
            [Some(1), Some(2)]
        );
    }

    #[test]
    fn one_moves_for_another_that_has_no_choice() {
        assert_eq!(granted(&[(&[1, 2], &[]), (&[1], &[])]), [Some(2), Some(1)]);
        let three = granted(&[(&[1], &[2]), (&[2], &[3]), (&[1], &[])]);
        assert_eq!(three, [Some(2), Some(3), Some(1)]);
    }

    #[test]
    fn a_first_wish_comes_before_the_second_of_another() {
        assert_eq!(granted(&[(&[], &[1]), (&[1], &[])]), [None, Some(1)]);
    }

    #[test]
    fn nothing_is_granted_twice() {
        assert_eq!(
            granted(&[(&[1], &[]), (&[1], &[]), (&[], &[])]),
            [Some(1), None, None]
        );
    }
}
