// SPDX-License-Identifier: GPL-2.0-or-later
//! Pins and the entries that they may have been for: each entry to one pin, and an entry to as many pins as can be.

/// Which of its wishes each gets, no wish granted twice; earlier wishes first where all can be served.
pub fn matched(wishes: &[Vec<u32>]) -> Vec<Option<u32>> {
    let mut owners = Vec::new();
    for who in 0..wishes.len() {
        serve(who, wishes, &mut owners, &mut Vec::new());
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
    wishes: &[Vec<u32>],
    owners: &mut Vec<(u32, usize)>,
    tried: &mut Vec<u32>,
) -> bool {
    for what in &wishes[who] {
        if tried.contains(what) {
            continue;
        }
        tried.push(*what);
        let owned = owners.iter().find(|(other, _)| other == what).copied();
        if let Some((_, owner)) = owned
            && !serve(owner, wishes, owners, tried)
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
    use super::matched;

    #[test]
    fn a_first_wish_is_granted_where_all_can_be_served() {
        let granted = matched(&[vec![1, 2], vec![2, 1]]);
        assert_eq!(granted, [Some(1), Some(2)]);
    }

    #[test]
    fn one_moves_for_another_that_has_no_choice() {
        let granted = matched(&[vec![1, 2], vec![1]]);
        assert_eq!(granted, [Some(2), Some(1)]);
        let granted = matched(&[vec![1, 2], vec![2, 3], vec![1]]);
        assert_eq!(granted, [Some(2), Some(3), Some(1)]);
    }

    #[test]
    fn nothing_is_granted_twice() {
        assert_eq!(matched(&[vec![1], vec![1], vec![]]), [Some(1), None, None]);
    }
}
