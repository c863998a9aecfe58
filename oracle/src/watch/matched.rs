// SPDX-License-Identifier: GPL-2.0-or-later
//! Pins and the entries that they may have been for: each entry to one pin, and an entry to as many pins as can be.

/// The entries that a pin may have been for.
#[derive(Default)]
pub struct Wishes {
    /// Those where its page is expected.
    pub first: Vec<u32>,
    /// The others.
    pub second: Vec<u32>,
}

/// Which of its wishes each gets, no wish granted twice. As many as can be get one of their first wishes; then as many
/// as can be get one at all, and earlier ones of a list come before later ones.
pub fn matched(wishes: &[Wishes]) -> Vec<Option<u32>> {
    let mut owners = Vec::new();
    for first_alone in [true, false] {
        for who in 0..wishes.len() {
            if !owners.iter().any(|(_, owner)| *owner == who) {
                serve(who, wishes, first_alone, &mut owners, &mut Vec::new());
            }
        }
    }
    let mut given = vec![None; wishes.len()];
    for (what, who) in owners {
        given[who] = Some(what);
    }
    given
}

/// Gives `who` a wish, if others can be moved to one of theirs for it; `tried` are those looked at on the way.
fn serve(
    who: usize,
    wishes: &[Wishes],
    first_alone: bool,
    owners: &mut Vec<(u32, usize)>,
    tried: &mut Vec<u32>,
) -> bool {
    let Wishes { first, second } = &wishes[who];
    let second = second.iter().filter(|_| !first_alone);
    for what in first.iter().chain(second) {
        if tried.contains(what) {
            continue;
        }
        tried.push(*what);
        let owned = owners.iter().find(|(other, _)| other == what).copied();
        if let Some((_, owner)) = owned
            && !serve(owner, wishes, first_alone, owners, tried)
        {
            continue;
        }
        owners.retain(|(other, owner)| other != what && *owner != who);
        owners.push((*what, who));
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Wishes, matched};

    fn granted(wishes: &[(&[u32], &[u32])]) -> Vec<Option<u32>> {
        let of = |(first, second): &(&[u32], &[u32])| Wishes {
            first: first.to_vec(),
            second: second.to_vec(),
        };
        matched(&wishes.iter().map(of).collect::<Vec<_>>())
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
